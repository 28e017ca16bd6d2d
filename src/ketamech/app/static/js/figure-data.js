// Responses of the server as the series and bands of a time figure.

import { COLOURS } from "./figure.js";
import { changes } from "./format.js";

// All curves of a track of one case, and the control where it changes.
export function trackSeries(track, time) {
  const series = track.curves.map(({ treated, label }, i) => {
    return { time, y: treated, label, index: i % COLOURS, kind: i ? "minor" : "main" };
  });
  return [...series, ...controlSeries(track.curves[0], time, "no drug, same visits")];
}

export function controlSeries({ control }, time, label, unlisted = false) {
  return control && changes(control) ? [{ time, y: control, label, kind: "control", unlisted }] : [];
}

// The median and the outer percentiles of a population; `prefix` names the case where there are several.
export function percentileSeries({ time, curves }, index = 0, prefix = "") {
  const { percentiles } = curves[0];
  const series = (percent, label, kind) => ({ time, y: percentiles[percent], label: prefix + label, index, kind });
  return [series(50, "median", "main"), series(5, "5th percentile", "edge"), series(95, "95th percentile", "edge")];
}

export function percentileBands({ time, curves }, index = 0, prefix = "", suffix = "") {
  const { percentiles } = curves[0];
  const band = (low, high, kind, label) => {
    return { time, low: percentiles[low], high: percentiles[high], kind, index, label: prefix + label };
  };
  return [band(5, 95, "outer", `5th to 95th percentile${suffix}`), band(25, 75, "inner", "25th to 75th percentile")];
}

// The contributions of an attribution as layers, the largest first; the small ones are added up.
export function stackedContributions({ components: ids, contributions, times }, components) {
  const size = ({ values }) => Math.max(...values.map(Math.abs));
  const all = ids.map((id, i) => {
    const { label, colour } = components.find((one) => one.id === id) ?? { label: id, colour: null };
    return { label, colour, values: contributions[i] };
  });
  const layers = all.sort((a, b) => size(b) - size(a)).slice(0, COLOURS - 1);
  const others = all.slice(COLOURS - 1);
  const sum = times.map((_, k) => others.reduce((total, { values }) => total + values[k], 0));
  if (others.length) layers.push({ label: "All others", colour: null, values: sum });

  let lower = times.map(() => 0);
  const bands = [];
  const series = [];
  layers.forEach(({ label, colour, values }, index) => {
    const upper = lower.map((value, k) => value + values[k]);
    bands.push({ time: times, low: lower, high: upper, kind: "layer", index, colour });
    series.push({ time: times, y: upper, listed: values, label, index, colour, kind: "minor" });
    lower = upper;
  });
  const caption = "Each layer is one component, with its value in the list; the lowest line is the whole change.";
  return { series, bands, caption };
}
