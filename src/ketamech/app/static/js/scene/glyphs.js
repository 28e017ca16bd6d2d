// The small signs of the legend and of the glossary, in the colours and shapes of the drawing.

import { setAttribute, svgElement } from "../dom.js";
import { circle, group, hexagon, path, rect } from "./shapes.js";
import { ampa, spinePath, trkb } from "./synapse.js";

const DISC = 7;
const BAR = 30;

const row = (kinds) => kinds.map((kind, i) => rect(6, 4 + 6.4 * i, 20, 4.4, 2.2, kind));
const scaled = (node, transform) => {
  node.setAttribute("transform", transform);
  return group("", node);
};

// Part of a bar, which is stretched sideways to the width of the legend: the corners are narrow, so that they come out round.
function barPart(width, kind) {
  const node = rect(1, 12, width, 8, 0.8, kind);
  node.setAttribute("ry", 4);
  return node;
}

const DRAWINGS = {
  hexagon: () => hexagon(16, 16, 9, "ketamine"),
  hollow_hexagon: () => hexagon(16, 16, 9, "ketamine hollow"),
  trapped: () => hexagon(16, 16, 7, "ketamine"),
  dash: () => rect(7, 15, 18, 2.4, 1, "text-mark"),
  vessel: () => rect(12, 2, 8, 28, 4, "tint"),
  brain: () => circle(16, 16, 11, "tint"),
  bar: () => group("", barPart(BAR, "bar-ground"), barPart(0, "bar-value")),
  disc: () => group("", circle(16, 16, DISC, "area"), circle(16, 16, DISC, "healthy-ring")),
  area: () => group("", circle(16, 16, DISC, "area"), circle(16, 16, DISC, "healthy-ring")),
  line: () => group("", rect(1, 12.5, 30, 7, 0, "line-healthy"), rect(1, 12.5, 30, 7, 0, "line-value")),
  grid: () =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8].map((k) =>
      circle(8 + 8 * (k % 3), 8 + 8 * Math.floor(k / 3), 3, k < 2 ? "ketamine" : "ring"),
    ),
  strokes: () => row(["pale glutamate", "pale glutamate", "full glutamate", "full glutamate"]),
  strokes_gaba: () => row(["pale gaba", "pale gaba", "pale gaba", "hollow gaba"]),
  dots: () => [
    circle(9, 21, 4.4, "full glutamate"),
    circle(20, 10, 4.4, "full glutamate"),
    circle(11, 9, 3.3, "pale glutamate"),
    circle(23, 21, 3.3, "pale glutamate"),
  ],
  ampa: () => ampa(16, 18, "full ampa"),
  bdnf: () =>
    scaled(
      group("full growth", circle(-4.4, 0, 4.2), circle(4.4, 0, 4.2), rect(-4, -2.6, 8, 5.2, 1)),
      "translate(16 16) rotate(-28)",
    ),
  trkb: () => scaled(trkb(0, 0), "translate(16 18) scale(0.62)"),
  mtor: () => [circle(16, 16, 12, "mtor-ring"), group("mtor", circle(16, 16, 8))],
  squares: () => [
    rect(5, 18, 7, 7, 1, "full growth"),
    rect(13, 11, 7, 7, 1, "full growth"),
    rect(21, 6, 7, 7, 1, "full growth"),
  ],
  band: () => [rect(4, 8, 24, 6, 2, "density"), path("M6 15H26C25 23 20 25 16 25S7 23 6 15Z", "full growth")],
  spine_old: () => scaled(path(spinePath(0, 0, 1, 0.5), "old-spine"), "translate(16 30) scale(0.24)"),
  spine_empty: () => scaled(path(spinePath(0, 0, 1, 0.5), "missing"), "translate(16 30) scale(0.24)"),
  spine_thin: () => scaled(path(spinePath(0, 0, 1, 0), "new-spine"), "translate(16 30) scale(0.24)"),
  spine_mature: () => {
    const node = path(spinePath(0, 0, 1, 1), "new-spine");
    node.setAttribute("data-mature", "yes");
    return scaled(node, "translate(16 30) scale(0.24)");
  },
  spine: () => scaled(path(spinePath(0, 0, 1, 0.9), "new-spine"), "translate(16 30) scale(0.24)"),
  madrs: () => [
    ...[0.12, 0.25, 0.42, 0.62].map((shade, i) => {
      const node = rect([1, 4.5, 11, 18.5][i], 15, [3, 6, 7, 12.5][i], 7, 0.5, "text-mark");
      node.setAttribute("fill-opacity", shade);
      return node;
    }),
    path("M15.6 8.5h4l-2 4.5zM7.4 8.5h4l-2 4.5z", "madrs-mark"),
    path("M16 6H11.4m1.8 -1.8L11.4 6l1.8 1.8", "madrs-arrow"),
  ],
  curve: () => path("M2 8C12 8 12 24 18 24S26 16 30 14", "curve-mark"),
  nmda: () => [
    path("M13 27C14 18 14 8 10 6C5 6 6 18 8 24C8 28 11 29 13 27Z", "nmda-left"),
    path("M19 27C18 18 18 8 22 6C27 6 26 18 24 24C24 28 21 29 19 27Z", "nmda-right"),
  ],
  person: () => path("M16 4a6 6 0 1 1 0 12a6 6 0 1 1 0 -12M5 29c0 -8 5 -11 11 -11s11 3 11 11z", "person"),
};

export function glyph(name) {
  const drawing = DRAWINGS[name]?.() ?? [];
  return svgElement(
    "svg",
    { viewBox: name === "bar" ? "0 8 32 16" : "0 0 32 32", class: "glyph", "aria-hidden": "true", preserveAspectRatio: name === "bar" ? "none" : null },
    drawing,
  );
}

const MOVING = new Set(["bar", "area", "width"]); // mappings

// Signs that are themselves bound to a value: discs, lines and bars.
export function updateGlyph(node, frame, row) {
  if (!MOVING.has(row.mapping)) return;
  const fill = (node.moving ??= node.querySelector(".bar-value, .area, .line-value"));
  if (row.mapping === "bar")
    setAttribute(fill, "width", (BAR * frame.amount(row.id)).toFixed(1));
  if (row.mapping === "area") {
    setAttribute(fill, "r", (DISC * Math.sqrt(frame.amount(row.id))).toFixed(1));
    setAttribute(fill, "data-side", sideOf(frame.value(row.id)));
  }
  if (row.mapping === "width") {
    const width = Math.min(30, frame.amount(row.id));
    setAttribute(fill, "y", (16 - width / 2).toFixed(1));
    setAttribute(fill, "height", width.toFixed(1));
    setAttribute(fill, "data-side", sideOf(frame.value(row.id)));
  }
}

const sideOf = (value) => (Math.abs(value - 1) < 0.015 ? "healthy" : value > 1 ? "more" : "less");
