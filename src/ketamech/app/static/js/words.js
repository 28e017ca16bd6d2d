// Numbers and times the way people say them; the same rules as the printed reports.

export function hoursInWords(hours) {
  if (!Number.isFinite(hours)) return "never";
  if (Math.abs(hours) < 0.5 / 60) return "the start";
  if (hours < 1.5) return `${Math.round(hours * 60)} min`;
  if (hours < 36) return `${short(hours)} h`;
  return `${short(hours / 24)} days`;
}

export function clockInWords(hours) {
  if (hours < 1) return `${Math.round(hours * 60)} ${Math.round(hours * 60) === 1 ? "minute" : "minutes"}`;
  if (hours < 36) return plural(short(hours), "hour");
  return plural(short(hours / 24), "day");
}

const plural = (number, word) => `${number} ${word}${number === "1" ? "" : "s"}`;
const short = (value) => (Math.abs(value) < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0));

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0 || Math.abs(value) < 1e-9) return "0";
  const size = Math.abs(value);
  let text;
  if (size >= 1e-3 && size < 1e5) {
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    text = value.toFixed(Math.min(places, 6));
    if (text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
  } else text = value.toExponential(digits - 1);
  return text.replace("-", "−");
}

export const signed = (value, digits = 3) => (value > 0 ? "+" : "") + number(value, digits);

// A value with its unit as a reader expects it after a label.
export function withUnit(value, unit, digits = 3) {
  const text = number(value, digits);
  if (text === "–") return text;
  if (/^times/.test(unit) || /^healthy/.test(unit)) return `${text}×`;
  if (/^%/.test(unit)) return `${text} %`;
  if (/^points/.test(unit)) return `${text} points`;
  return unit && unit.length < 8 ? `${text} ${unit}` : text;
}

export function at(time, values, hours) {
  if (!values?.length || hours < time[0] || hours > time[time.length - 1] + 1e-6) return null;
  let low = 0, high = time.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (time[middle] <= hours) low = middle; else high = middle;
  }
  const a = values[low], b = values[high];
  if (a === null || b === null) return null;
  const span = time[high] - time[low];
  return span > 0 ? a + ((b - a) * Math.min(1, (hours - time[low]) / span)) : a;
}

// Where a curve is farthest from its start.
export function extreme(time, values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (values[i] !== null && Math.abs(values[i] - values[0]) > Math.abs(values[best] - values[0])) best = i;
  }
  return { hours: time[best], value: values[best], from: values[0] };
}
