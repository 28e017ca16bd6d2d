// Numbers and times as text, by the same rules as the printed reports (tests/interfaces/report/format_cases.json), and values
// read off a curve.

const oneDecimal = (value) => (Math.abs(value) < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0));

// A time in hours, short: "38 min", "2 h", "3 days".
export function formatTime(hours) {
  if (!Number.isFinite(hours)) return "never";
  if (Math.abs(hours) < 0.5 / 60) return "the start";
  if (hours < 1.5) return `${Math.round(hours * 60)} min`;
  if (hours < 36) return `${oneDecimal(hours)} h`;
  return `${oneDecimal(hours / 24)} days`;
}

// A time in hours with the unit spelled out: "1 minute", "2 hours".
export function formatTimeLong(hours) {
  if (hours < 1) return plural(String(Math.round(hours * 60)), "minute");
  if (hours < 36) return plural(oneDecimal(hours), "hour");
  return plural(oneDecimal(hours / 24), "day");
}

const plural = (number, noun) => `${number} ${noun}${number === "1" ? "" : "s"}`;

export function formatNumber(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 1e-9) return "0";
  let text;
  if (size >= 1e-3 && size < 1e5) {
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    text = value.toFixed(Math.min(decimals, 6));
    if (text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
  } else text = value.toExponential(digits - 1);
  return text.replaceAll("-", "−");
}

let count = null; // made once, when it is needed first: that takes a slow phone a tenth of a second
export const formatCount = (number) => (count ??= new Intl.NumberFormat("en")).format(number);

export const formatSigned = (value, digits = 3) => (value > 0 ? "+" : "") + formatNumber(value, digits);

export const formatRange = (low, high) => `${formatNumber(low)} to ${formatNumber(high)}`;

const SMALLEST = 0.01; // shown, of a percentage, a score or a pressure
const HAS_SMALLEST = /^(%|points|(rise in )?mmHg)/;

// Nothing where it is below what is shown in its unit.
export const shownValue = (value, unit) =>
  value !== null && HAS_SMALLEST.test(unit) && Math.abs(value) < SMALLEST ? 0 : value;

export function formatWithUnit(value, unit, digits = 3) {
  const text = formatNumber(shownValue(value, unit), digits);
  if (text === "–") return text;
  if (unit.startsWith("relative to")) return `${text}×`;
  if (unit.startsWith("%")) return `${text} %`;
  if (unit.startsWith("points")) return `${text} points`;
  return unit && unit.length < 8 ? `${text} ${unit}` : text;
}

const SIGNS = { "-1": "lower", 0: "no change", 1: "higher" };

// A published value in words where its unit codes some: "sign of change", "1 = significant", "0 = abolished, 1 = intact".
export function publishedValue({ value, unit }) {
  if (unit.startsWith("sign of ")) return SIGNS[value] ?? value;
  const words = Object.fromEntries([...unit.matchAll(/(\d+) = ([^,]+)/g)].map(([, code, word]) => [code, word.trim()]));
  if (value in words) return words[value];
  if (value === "0" && "1" in words) return words[1] === "yes" ? "no" : `not ${words[1]}`;
  return `${value} ${unit}`.trim();
}

// The last time at which a curve is above a level, read off between its points; 0 where it never is.
export function lastTimeAbove(times, values, level) {
  const last = Array.from(values).findLastIndex((value) => value > level);
  if (last < 0) return 0;
  if (last === values.length - 1) return times[last];
  const [above, below] = [values[last], values[last + 1]];
  return times[last] + ((times[last + 1] - times[last]) * (above - level)) / (above - below);
}

// The first time after its largest value within `until` at which a curve is at or below a level, between its points; the last
// time where it stays above.
export function firstTimeBelow(times, values, level, until = Infinity) {
  const within = values.slice(0, times.findLastIndex((time) => time <= until) + 1);
  const peak = within.indexOf(Math.max(...within));
  const next = values.findIndex((value, i) => i > peak && value <= level);
  if (next < 0) return times.at(-1);
  const [above, below] = [values[next - 1], values[next]];
  return times[next - 1] + ((times[next] - times[next - 1]) * (above - level)) / (above - below);
}

// Between which points of a curve a time lies, { low, high, share of the way between them }; null outside.
export function placeIn(times, hours) {
  if (hours < times[0] || hours > times[times.length - 1] + 1e-6) return null;
  let low = 0;
  let high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= hours) low = middle;
    else high = middle;
  }
  const span = times[high] - times[low];
  return { low, high, share: span > 0 ? Math.min(1, (hours - times[low]) / span) : 0 };
}

// The value of a curve at a place between its points.
export function interpolateAt(place, values) {
  if (!place) return null;
  const before = values[place.low];
  const after = values[place.high];
  return before === null || after === null ? null : before + (after - before) * place.share;
}

// The value of a curve at a time, linear between its points; null outside.
export const interpolate = (times, values, hours) => (values?.length ? interpolateAt(placeIn(times, hours), values) : null);

// The point of a curve that is farthest from its level at rest, by default its first value.
export function extremum(times, values, first = values[0]) {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (values[i] !== null && Math.abs(values[i] - first) > Math.abs(values[best] - first)) best = i;
  }
  return { hours: times[best], value: values[best], first };
}

export const range = (values) => Math.max(...values) - Math.min(...values);

// Whether a curve changes by more than 1 % of its largest value.
export const changes = (values) => range(values) > 0.01 * Math.abs(Math.max(...values));
