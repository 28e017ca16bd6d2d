// In whom the published values of a track's curves were measured; curves without a published value are marked.

const NAMES = [
  ["people", "in people"],
  ["animals", "in animals only"],
  ["cells", "in cells only"],
];

// `measured`: people, animals, cells or nothing, by the key of a curve.
export function markUnmeasured(series, track, measured) {
  const unmeasured = new Set(track.curves.filter(({ key }) => measured[key] === "nothing").map(({ treated }) => treated));
  return series.map((one) =>
    unmeasured.has(one.y) ? { ...one, isUnmeasured: true, label: `${one.label} (no published value)` } : one,
  );
}

// Where a published value in people is not what the curve is.
const INSTEAD = { spines: "by a scan of a marker of synapses (SV2A), which is no count of spines; spines were counted in mice" };

// E.g. "Published values in people: IL-6; TNF. No published value can be compared with: IL-10."
export function measuredIn({ key, curves }, measured) {
  const of = (kind) => curves.filter(({ key }) => measured[key] === kind).map(({ label }) => label);
  const only = (kind) => of(kind).length === curves.length;
  const parts = NAMES.filter(([kind]) => of(kind).length).map(([kind, where]) => {
    const how = kind === "people" && INSTEAD[key] ? `${where}, ${INSTEAD[key]}` : where;
    return only(kind) ? `Published values ${how}.` : `Published values ${how}: ${of(kind).join("; ")}.`;
  });
  if (only("nothing")) parts.push("No published value can be compared with this figure: it is a prediction.");
  else if (of("nothing").length) parts.push(`No published value can be compared with: ${of("nothing").join("; ")}.`);
  return parts.join(" ");
}
