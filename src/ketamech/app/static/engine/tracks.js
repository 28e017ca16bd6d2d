// Curves of tracks from outputs, and percentiles of patients, as in curves.py.

const DIGITS = 5;

// Values of one curve of a track in its unit; `own`: { curves, baseline } of one patient in the order of `outputs`.
export function trackValues(track, { outputs: parts, factor }, outputs, own) {
  const places = parts.map((name) => outputs.indexOf(name));
  const arrays = places.map((place) => own.curves[place]);
  const sum = Array.from(arrays[0], (_, t) => arrays.reduce((total, array) => total + array[t], 0));
  if (!track.relative) return sum.map((value) => value * factor);
  const baseline = track.baseline ?? factor * places.reduce((total, place) => total + own.baseline[place], 0);
  return sum.map((value) => (value * factor) / baseline);
}

// Values rounded to five digits of the largest value; values that are not finite become null.
export function rounded(values) {
  const largest = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  const places = DIGITS - 1 - (largest > 0 ? Math.floor(Math.log10(largest)) : 0);
  const scale = 10 ** places;
  return values.map((value) => (Number.isFinite(value) ? Math.round(value * scale) / scale : null));
}

const completeOf = (curves) => curves.filter((curve) => curve.every(Number.isFinite));

// Of the patients whose curves are complete, `count` at even quantiles of their change at time `at`; the one with the
// largest fall comes first.
export function atEvenQuantiles(curves, times, at, count) {
  const nearest = times.reduce((best, time, i) => (Math.abs(time - at) < Math.abs(times[best] - at) ? i : best), 0);
  const change = (curve) => curve[nearest] / Math.max(curve[0], 1e-9);
  const ordered = completeOf(curves).sort((a, b) => change(a) - change(b));
  if (!ordered.length) return [];
  const places = Array.from({ length: count }, (_, i) => Math.trunc(((i + 0.5) / count) * ordered.length));
  return places.map((place) => rounded(ordered[place]));
}

// { percent: values over time } of the patients whose curves are complete.
export function percentiles(curves, percents) {
  const complete = completeOf(curves);
  const sorted = curves[0].map((_, t) => complete.map((curve) => curve[t]).sort((a, b) => a - b));
  const at = (values, percent) => {
    const place = (percent / 100) * (values.length - 1);
    const below = values[Math.floor(place)];
    return below + (place % 1) * (values[Math.ceil(place)] - below);
  };
  const row = (percent) => rounded(sorted.map((values) => at(values, percent)));
  return Object.fromEntries(percents.map((percent) => [percent, row(percent)]));
}
