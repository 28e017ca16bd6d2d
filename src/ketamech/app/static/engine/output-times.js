// Output times (h), as in output_times.py: dense after the first treatment and after each dose.

import { DAY, MINUTE, MONTH } from "./units.js";

// Start times of treatments (h); starts within half an hour count as one.
export function treatmentTimes({ treatments, horizon }) {
  const starts = treatments.flatMap((treatment) => treatment.taken(horizon).map((at) => at + treatment.lag));
  const found = [];
  for (const at of starts.sort((a, b) => a - b)) {
    if (!found.length || at - found.at(-1) > 0.5) found.push(at);
  }
  return found;
}

// Ends (h) of the first infusions of each treatment.
const INFUSION_ENDS = 12;
export function infusionEnds({ treatments, horizon }) {
  const infusions = treatments.filter(({ duration }) => duration > 0);
  return infusions.flatMap((one) => one.taken(horizon).slice(0, INFUSION_ENDS).map((at) => at + one.lag + one.duration));
}

// `count` times spaced logarithmically from the first start, more after each dose, about `most` in all,
// and the `ends` of infusions, where levels have their peak.
export function outputTimes(horizon, starts, ends, options) {
  const { after_a_dose: after, long_horizon: long, count = 150, most = 900 } = options;
  const first = starts.length ? Math.min(...starts) : 0;
  const grid = [0, first, horizon, ...ends, ...geometric(MINUTE, Math.max(horizon - first, 0.1), count).map((t) => first + t)];
  if (horizon - first > MONTH) grid.push(...linear(first, horizon, long));
  const doses = starts.filter((start) => start < horizon).sort((a, b) => a - b);
  const each = Math.max(2, Math.min(after.length, Math.floor((most - count) / Math.max(1, doses.length))));
  const places = [...new Set(linear(0, after.length - 1, each).map(Math.trunc))];
  const shown = doses.slice(0, Math.floor((most - count) / each));
  if (shown.length > 1) grid.push(...shown.flatMap((start) => places.map((place) => start + after[place])));
  const rounded = grid.map((time) => Number(time.toFixed(6))).filter((time) => time <= horizon);
  return unique(rounded);
}

// Times from the first minute on: geometric after one dose; daily, and denser after each dose, for several.
export function dailyTimes(horizon, starts, { first_hour: early, daily, most_daily: most }) {
  const after = starts.slice(0, most).flatMap((start) => daily.map((hour) => start + hour));
  const grid = starts.length > 1 ? [1, ...days(horizon), ...after, horizon] : geometric(1, horizon, most);
  const inside = grid.filter((hour) => hour >= 1 && hour <= horizon);
  return unique([...early, ...inside.map((hour) => Number(hour.toFixed(4)))]);
}

// Times before `until` that resolve every peak: dense after 0 h and after every dose, and daily.
export function peakTimes(until, starts, { peaks }) {
  const begins = [0, ...starts];
  const close = begins.flatMap((start) => geometric(...peaks).map((hours) => Number((start + hours).toFixed(4))));
  return [...begins, ...close.filter((hour) => hour < until), ...days(until)];
}

const days = (until) => Array.from({ length: Math.ceil(until / DAY) - 1 }, (_, i) => (i + 1) * DAY);
export const unique = (hours) => [...new Set(hours)].sort((a, b) => a - b);

function linear(from, to, count) {
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? to : from + (i * (to - from)) / (count - 1)));
}

function geometric(from, to, count) {
  return linear(Math.log(from), Math.log(to), count).map((power, i) => (i ? Math.exp(power) : from));
}
