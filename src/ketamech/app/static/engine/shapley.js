// The mean marginal contribution of each of `count` players to the worth of the coalitions over all orders. Coalition c
// contains player i when bit i of c is set.
export function shapley(worth, count) {
  const orders = [1 / count]; // share of the orders in which a given player follows a coalition of this size
  for (let size = 1; size < count; size++) orders.push((orders[size - 1] * size) / (count - size));
  const sizeOf = (coalition) => coalition.toString(2).replaceAll("0", "").length;
  return Array.from({ length: count }, (_, i) =>
    worth.reduce((sum, value, coalition) => {
      const isIn = (coalition >> i) & 1;
      return sum + (isIn ? value * orders[sizeOf(coalition) - 1] : -value * orders[sizeOf(coalition)]);
    }, 0),
  );
}
