/* What one core can do with vectors of LANES numbers: fused multiply-adds, and two loads and a store from a workspace. */
typedef double v __attribute__((vector_size(8 * LANES)));

/* 2 * 12 * LANES operations a round; the sum is returned so that nothing is left out. */
double multiply_add(long rounds, double factor, double term)
{
    v sums[12], f = (v){} + factor, t = (v){} + term, total = {};
    for (int i = 0; i < 12; i++) sums[i] = (v){} + (double)i; /* equal ones would be computed once */
    for (long r = 0; r < rounds; r++)
        for (int i = 0; i < 12; i++) sums[i] = sums[i] * f + t;
    for (int i = 0; i < 12; i++) total += sums[i];
    return total[0];
}

/* c = a + factor * b over three arrays of `rows` vectors: 3 * 8 * LANES bytes a row. */
void triad(long rounds, long rows, double factor, v *a, v *b, v *c)
{
    for (long r = 0; r < rounds; r++) {
        for (long i = 0; i < rows; i++) c[i] = a[i] + factor * b[i];
        v *last = a;
        a = b, b = c, c = last;
    }
}
