/* Rodas5P by hand in C with the vector extension of GCC: LANES patients side by side, each with its own time and step.

   The same method, step control, events and dense output as the engine of KetaMech, written independently of it, to
   see how much of the throughput of such a kernel the engine reaches. equations.h, written by c_kernel.py, holds the
   system in straight lines: constants of a patient, rates, sparse LU of SHIFT - J, substitution, outputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

#define ROW (8 * LANES)
typedef double v __attribute__((vector_size(ROW)));
typedef long long mask __attribute__((vector_size(ROW)));

#if LANES == 8
v _ZGVeN8v_exp(v);
v _ZGVeN8v_log(v);
#define v_exp _ZGVeN8v_exp
#define v_log _ZGVeN8v_log
#else
v _ZGVdN4v_exp(v);
v _ZGVdN4v_log(v);
#define v_exp _ZGVdN4v_exp
#define v_log _ZGVdN4v_log
#endif

#define ALL(x) ((x) + (v){})
static inline v choose(mask where, v yes, v no) { return (v)((where & (mask)yes) | (~where & (mask)no)); }
static inline v v_max(v a, v b) { return choose(a > b, a, b); }
static inline v v_abs(v a) { return (v)((mask)a & 0x7fffffffffffffffLL); }
static inline v v_sqrt(v a)
{
    v found;
    for (int i = 0; i < LANES; i++) found[i] = sqrt(a[i]);
    return found;
}
/* Hill saturation with the weight w = n log half: 0 at and below 0. */
static inline v rise(v x, v n, v w)
{
    mask above = x > 0.0;
    v safe = choose(above, x, ALL(1.0));
    return (v)(above & (mask)(1.0 / (1.0 + v_exp(w - n * v_log(safe)))));
}

#include "equations.h"

#define FIRST_STEP 0.03
#define SAFETY 0.9
enum { STAGES = 8, MOST_STEPS = 100000 };

/* Everything that a group of patients needs, in the order of use. */
static struct {
    v inputs[INPUTS], constants[CONSTANTS], factors[FACTORS];
    v y[STATES], u[STATES], inflow[STATES], k[STAGES][STATES], at[STATES], shown[OUTPUTS];
} g __attribute__((aligned(64)));

typedef struct {
    long patient, next_time, next_event, steps;
    double time, step, taken, stop, last_step, last_growth, error;
    int accepted;
} lane_state;

typedef struct {
    long patients, events, times;
    const double *inputs, *start, *event_time, *event_size, *time;
    const long *event_kind, *event_state;
    double tolerance, *out;
    long *steps;
} task;

static inline v broadcast(const lane_state *lanes, double (*read)(const lane_state *))
{
    v found;
    for (int i = 0; i < LANES; i++) found[i] = read(&lanes[i]);
    return found;
}
static inline double speed_of(const lane_state *lane) { return 1.0 / lane->taken; }

/* One stage: its argument, the terms of earlier stages, the rates, the solve. */
__attribute__((always_inline)) static inline void stage(const int s, v speed)
{
    for (int i = 0; i < STATES; i++) {
        v argument = s < 6 ? g.y[i] : g.u[i] + g.k[s - 1][i], carried = {};
        for (int j = 0; j < s; j++) {
            if (s < 6) argument += A[s][j] * g.k[j][i];
            carried += C[s][j] * g.k[j][i];
        }
        g.u[i] = argument;
        g.k[s][i] = g.inflow[i] + speed * carried;
    }
    add_rates(g.u, g.constants, g.k[s]);
    substitute(g.factors, g.k[s]);
}

static v attempt(v speed)
{
    factorise(g.y, g.constants, speed / GAMMA, g.factors);
    stage(0, speed), stage(1, speed), stage(2, speed), stage(3, speed);
    stage(4, speed), stage(5, speed), stage(6, speed), stage(7, speed);
    v total[4] = {};
    for (int i = 0; i < STATES; i++) {
        g.u[i] += g.k[7][i];
        {
            v share = g.k[7][i] / (v_max(v_abs(g.y[i]), v_abs(g.u[i])) + SCALE[i]);
            total[i % 4] += share * share;
        }
    }
    return v_sqrt((total[0] + total[1] + total[2] + total[3]) / (double)COUNT);
}

static void interpolate(v theta)
{
    v rest = 1.0 - theta;
    for (int i = 0; i < STATES; i++) {
        v d[3] = {};
        for (int m = 0; m < 3; m++)
            for (int j = 0; j < STAGES; j++) d[m] += D[m][j] * g.k[j][i];
        v bent = g.u[i] + rest * (d[0] + theta * (d[1] + theta * d[2]));
        g.at[i] = choose(theta == 0.0, g.y[i], rest * g.y[i] + theta * bent);
    }
    observe(g.at, g.constants, g.shown);
}

static void apply_events(const task *t, lane_state *lane, int i)
{
    double last = t->time[t->times - 1];
    while (lane->next_event < t->events && t->event_time[lane->next_event] <= lane->time) {
        long e = lane->next_event++, kind = t->event_kind[e];
        double size = t->event_size[e], *number = (double *)(kind ? &g.inflow[t->event_state[e]] : &g.y[t->event_state[e]]) + i;
        *number += size;
        if (kind && fabs(*number) < 1e-12 * fabs(size)) *number = 0.0;
        if (!kind || size > 0.0) lane->step = fmin(FIRST_STEP, lane->step);
        lane->last_step = 0.0;
    }
    lane->stop = lane->next_event < t->events ? fmin(last, t->event_time[lane->next_event]) : last;
}

static int load(const task *t, lane_state *lane, int i, long *next)
{
    if (*next >= t->patients) {
        lane->patient = -1;
        lane->taken = 1.0;
        return 0;
    }
    *lane = (lane_state){.patient = (*next)++, .step = FIRST_STEP};
    for (int k = 0; k < INPUTS; k++) g.inputs[k][i] = t->inputs[lane->patient * INPUTS + k];
    for (int k = 0; k < STATES; k++) g.y[k][i] = t->start[lane->patient * STATES + k], g.inflow[k][i] = 0.0;
    apply_events(t, lane, i);
    return 1;
}

static void set_step(lane_state *lane)
{
    double left = lane->stop - lane->time;
    lane->taken = lane->step * 1.05 >= left ? left : lane->step * 2.0 > left ? 0.5 * left : lane->step;
    lane->steps++;
}

static void judge(lane_state *lane)
{
    double growth = SAFETY * pow(lane->error, -1.0 / 5.0), trend = 1.0, h = lane->taken;
    lane->accepted = lane->error <= 1.0;
    if (!lane->accepted) {
        lane->step = h * (lane->error < INFINITY ? fmax(0.2, fmin(0.9, growth)) : 0.1);
        return;
    }
    if (lane->last_step > 0.0) trend = fmin(1.2, fmax(0.7, h / lane->last_step * growth / lane->last_growth));
    lane->step = h * fmin(10.0, fmax(0.2, growth * trend));
    lane->last_step = h, lane->last_growth = growth;
}

/* Outputs inside the step just taken, or at the time reached. */
static void store_outputs(const task *t, lane_state *lanes, int inside)
{
    for (;;) {
        v theta = {};
        int due[LANES], any = 0;
        for (int i = 0; i < LANES; i++) {
            lane_state *lane = &lanes[i];
            due[i] = 0;
            if (lane->patient < 0 || lane->next_time >= t->times) continue;
            double at = t->time[lane->next_time];
            if (inside) {
                due[i] = lane->accepted && at < lane->time + lane->taken && at < lane->stop;
                theta[i] = due[i] ? (at - lane->time) / lane->taken : 0.0;
            } else {
                due[i] = at <= lane->time;
            }
            any |= due[i];
        }
        if (!any) return;
        interpolate(theta);
        for (int i = 0; i < LANES; i++) {
            if (!due[i]) continue;
            double *row = t->out + (lanes[i].patient * t->times + lanes[i].next_time++) * OUTPUTS;
            for (int k = 0; k < OUTPUTS; k++) row[k] = g.shown[k][i];
        }
    }
}

static void accept_steps(const task *t, lane_state *lanes)
{
    mask accepted;
    for (int i = 0; i < LANES; i++) accepted[i] = lanes[i].patient >= 0 && lanes[i].accepted ? -1 : 0;
    for (int k = 0; k < STATES; k++) g.y[k] = choose(accepted & (v_abs(g.u[k]) > 1e-40), g.u[k], choose(accepted, (v){}, g.y[k]));
    for (int i = 0; i < LANES; i++) {
        lane_state *lane = &lanes[i];
        if (!accepted[i]) continue;
        if (lane->taken < lane->stop - lane->time) {
            lane->time += lane->taken;
        } else {
            lane->time = lane->stop;
            apply_events(t, lane, i);
        }
    }
}

/* Solve every patient; returns the number of those that needed too many steps. */
long solve_all(const task *t)
{
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* denormal numbers are 0 */
    memset(&g, 0, sizeof g);
    lane_state lanes[LANES];
    long next = 0, failed = 0, busy = 0;
    for (int i = 0; i < LANES; i++) busy += load(t, &lanes[i], i, &next);
    prepare(g.inputs, g.constants);
    while (busy > 0) {
        int loaded = 0;
        store_outputs(t, lanes, 0);
        for (int i = 0; i < LANES; i++) {
            lane_state *lane = &lanes[i];
            if (lane->patient < 0 || (lane->next_time < t->times && lane->steps <= MOST_STEPS)) continue;
            failed += lane->next_time < t->times;
            t->steps[lane->patient] = lane->steps;
            if (load(t, lane, i, &next)) loaded = 1;
            else busy--;
        }
        if (loaded) {
            prepare(g.inputs, g.constants);
            continue;
        }
        for (int i = 0; i < LANES; i++)
            if (lanes[i].patient >= 0) set_step(&lanes[i]);
        v error = attempt(broadcast(lanes, speed_of)) / t->tolerance;
        for (int i = 0; i < LANES; i++) {
            lanes[i].error = error[i];
            if (lanes[i].patient >= 0) judge(&lanes[i]);
        }
        store_outputs(t, lanes, 1);
        accept_steps(t, lanes);
    }
    _mm_setcsr(before);
    return failed;
}
