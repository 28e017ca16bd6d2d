// How a published value is drawn: filled as published, hollow where it is rescaled or not confirmed, half filled where its
// place contains a part of the model. A square (a frame where the shape names the treatment) marks a number that set a
// value of the model, so that agreement is no test.

import { element, svgElement } from "./dom.js";

const KINDS = ["published", "published, rescaled", "part published, part model"];
const FITTED = "used to fit";
const RADIUS = 4.8;
const FRAME = 7.5; // px: half the width of a frame

const kindOf = (point) => (point.partly_model ? 2 : point.translated ? 1 : 0);

// E.g. "part published, part model, used to fit".
export const kindWords = (point) => [KINDS[kindOf(point)], point.recalled && "not confirmed", point.fitted && FITTED].filter(Boolean).join(", ");

const box = (x, y, half, attributes = {}) => svgElement("rect", { x: x - half, y: y - half, width: 2 * half, height: 2 * half, ...attributes });

// The nodes of a point at x, y. `shape`: of a treatment, or a bar or dash over time; else a circle or a square.
export function pointMark(point, x, y, { shape = null, className = "point" } = {}) {
  const kind = kindOf(point);
  const own = shape ?? (point.fitted ? box(x, y, RADIUS - 0.5) : svgElement("circle", { cx: x, cy: y, r: RADIUS }));
  own.setAttribute("class", `${className}${kind || point.recalled ? " hollow" : ""}`);
  const nodes = [own];
  if (kind === 2) {
    const half = own.cloneNode();
    half.setAttribute("class", className);
    half.setAttribute("clip-path", "inset(0 0 0 50%)");
    nodes.push(half);
  }
  if (shape && point.fitted) nodes.push(box(x, y, FRAME, { class: "fitted-frame" }));
  return nodes;
}

// The points of each kind: [[words, points]].
export function byKind(points) {
  const names = [...new Set(points.map(kindWords))].sort();
  return names.map((name) => [name, points.filter((point) => kindWords(point) === name)]);
}

export function pointSample(point) {
  const shape = point.index === undefined ? null : box(15, 6, 2.6);
  return svgElement("svg", { viewBox: "0 -2 30 16", class: "figure", "aria-hidden": "true" }, pointMark(point, 15, 6, { shape }));
}

// One entry of the legend for each filling that is drawn, and one for the square or frame.
export function pointEntries(points) {
  const entry = (point, text) => element("li", {}, pointSample(point), text);
  const entries = byKind(points.map((point) => ({ ...point, fitted: false }))).map(([words, own]) => {
    const isAlwaysFitted = points.filter((point) => kindWords({ ...point, fitted: false }) === words).every(({ fitted }) => fitted);
    return entry({ ...own[0], fitted: isAlwaysFitted && own[0].index === undefined }, words);
  });
  const fitted = points.find((point) => point.fitted);
  if (!fitted) return entries;
  const isFrame = fitted.index !== undefined;
  return [...entries, entry({ index: fitted.index, fitted: true, translated: true }, `${isFrame ? "framed" : "square"}: ${FITTED}`)];
}

// E.g. " 9 published points: 8 partly from the model, 7 used to fit." for a text alternative.
export function pointCount(points) {
  if (!points.length) return "";
  const count = (isCounted, words) => [points.filter(isCounted).length, words];
  const parts = [count(({ partly_model: part }) => part, "partly from the model"), count(({ fitted }) => fitted, "used to fit")];
  const words = parts.filter(([n]) => n).map(([n, text]) => `${n} ${text}`);
  return ` ${points.length} published points${words.length ? `: ${words.join(", ")}` : ""}.`;
}
