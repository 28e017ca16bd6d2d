// In whom the curves of a track were measured, by the evidence tables; curves that no study measured are marked.

const NAMES = [
  ["people", "in people"],
  ["animals", "in animals only"],
  ["cells", "in cells only"],
];

// `measured`: people, animals, cells or nothing, by the key of a curve.
export function markUnmeasured(series, track, measured) {
  const unmeasured = new Set(track.curves.filter(({ key }) => measured[key] === "nothing").map(({ treated }) => treated));
  return series.map((one) =>
    unmeasured.has(one.y) ? { ...one, isUnmeasured: true, label: `${one.label} (not measured)` } : one,
  );
}

// E.g. "Measured in people: IL-6, TNF. Not measured by any study in the tables: IL-10."
export function measuredIn({ curves }, measured) {
  const of = (kind) => curves.filter(({ key }) => measured[key] === kind).map(({ label }) => label);
  const only = (kind) => of(kind).length === curves.length;
  const parts = NAMES.filter(([kind]) => of(kind).length).map(([kind, where]) =>
    only(kind) ? `Measured ${where}.` : `Measured ${where}: ${of(kind).join(", ")}.`,
  );
  if (only("nothing")) parts.push("No study in the tables measured this: the curve is computed from assumptions.");
  else if (of("nothing").length) parts.push(`Not measured by any study in the tables: ${of("nothing").join(", ")}.`);
  return parts.join(" ");
}
