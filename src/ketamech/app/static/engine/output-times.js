// Output times of curves (h), as in curves.py: dense after the first treatment and after each dose.

// Start times of treatments (h); starts within half an hour count as one.
export function treatmentTimes({ treatments, horizon }) {
  const starts = treatments.flatMap((treatment) => treatment.taken(horizon).map((at) => at + treatment.lag));
  const found = [];
  for (const at of starts.sort((a, b) => a - b)) {
    if (!found.length || at - found.at(-1) > 0.5) found.push(at);
  }
  return found;
}

// `count` times spaced logarithmically from the first start, more after each dose, about `most` in all.
export function outputTimes(horizon, starts, options) {
  const { first_minute: minute, after_a_dose: after, month, long_horizon: long, count = 150, most = 900 } = options;
  const first = starts.length ? Math.min(...starts) : 0;
  const grid = [0, first, horizon, ...geometric(minute, Math.max(horizon - first, 0.1), count).map((t) => first + t)];
  if (horizon - first > month) grid.push(...linear(first, horizon, long));
  const doses = starts.filter((start) => start < horizon).sort((a, b) => a - b);
  const each = Math.max(2, Math.min(after.length, Math.floor((most - count) / Math.max(1, doses.length))));
  const places = [...new Set(linear(0, after.length - 1, each).map(Math.trunc))];
  const shown = doses.slice(0, Math.floor((most - count) / each));
  if (shown.length > 1) grid.push(...shown.flatMap((start) => places.map((place) => start + after[place])));
  const rounded = grid.map((time) => Number(time.toFixed(6))).filter((time) => time <= horizon);
  return [...new Set(rounded)].sort((a, b) => a - b);
}

function linear(from, to, count) {
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? to : from + (i * (to - from)) / (count - 1)));
}

export function geometric(from, to, count) {
  return linear(Math.log(from), Math.log(to), count).map((power, i) => (i ? Math.exp(power) : from));
}
