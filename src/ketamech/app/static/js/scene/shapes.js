// Shapes that several parts of the drawing share, scattered points that never change, and marks that follow an amount.

import { setAttribute, svgElement } from "../dom.js";

export const group = (className, ...children) => svgElement("g", { class: className }, children.flat(Infinity));
export const path = (d, className) => svgElement("path", { d, class: className });
export const circle = (cx, cy, r, className) => svgElement("circle", { cx, cy, r, class: className });
export const rect = (x, y, width, height, rx, className) =>
  svgElement("rect", { x, y, width, height, rx, class: className });

// A regular hexagon with a corner at the top.
function hexagonPath(x, y, r) {
  const half = (r * Math.sqrt(3)) / 2;
  const n = (value) => value.toFixed(1);
  return `M${n(x)} ${n(y - r)}l${n(half)} ${n(r / 2)}v${n(r)}l${n(-half)} ${n(r / 2)}l${n(-half)} ${n(-r / 2)}v${n(-r)}z`;
}
export const hexagon = (x, y, r, className) => path(hexagonPath(x, y, r), className);

// A cell: its fill, a shade from top to bottom, a lighter inner rim, and its outline. The rim lies inside the outline by a
// clip path.
let clips = 0;
export function cell(d, className) {
  const id = `cell-${++clips}`;
  const clip = svgElement("clipPath", { id }, path(d));
  const rim = path(d, "rim");
  rim.setAttribute("clip-path", `url(#${id})`);
  const stops = ["top", "middle", "bottom"].map((name, i) => svgElement("stop", { class: `shade-${name}`, offset: 0.5 * i }));
  const gradient = svgElement("linearGradient", { id: `${id}-shade`, x1: 0.3, y1: 0, x2: 0.7, y2: 1 }, stops);
  const shade = path(d, "shade");
  shade.setAttribute("fill", `url(#${id}-shade)`);
  return group(`cell ${className}`, clip, gradient, path(d, "body"), shade, rim, path(d, "outline"));
}

// Always the same sequence of numbers from 0 to 1.
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Points in boxes [x, y, width, height] at least `gap` apart; `isFree(x, y)` leaves places out.
export function scatter({ boxes, count, gap, seed, isFree = () => true }) {
  const next = randomNumbers(seed);
  const areas = boxes.map(([, , width, height]) => width * height);
  const total = areas.reduce((sum, area) => sum + area, 0);
  const found = [];
  let distance = gap;
  for (let tries = 0; found.length < count; tries++) {
    if (tries % 3000 === 2999) distance *= 0.9;
    let at = next() * total;
    const k = areas.findIndex((area) => (at -= area) < 0);
    const [x0, y0, width, height] = boxes[Math.max(0, k)];
    const [x, y] = [x0 + next() * width, y0 + next() * height];
    const isClose = found.some(([a, b]) => (a - x) ** 2 + (b - y) ** 2 < distance ** 2);
    if (!isClose && isFree(x, y)) found.push([x, y]);
  }
  return found;
}

// Whether points lie in one of some closed paths, or nearer to it than `margin`.
export function insideOf(paths, margin) {
  const context = document.createElement("canvas").getContext("2d");
  const shapes = paths.map((d) => new Path2D(d));
  context.lineWidth = 2 * margin;
  return (x, y) => shapes.some((shape) => context.isPointInPath(shape, x, y) || context.isPointInStroke(shape, x, y));
}

// Nodes of which the first `amount` are shown; the last one fades in.
export class Marks {
  constructor(nodes) {
    this.nodes = nodes;
    this.shown = nodes.length; // whole marks in the present drawing
    this.show(0);
  }

  // Only the marks between the last amount and this one are touched.
  show(amount) {
    const limited = Math.min(this.nodes.length, Math.max(0, amount));
    const whole = Math.floor(limited);
    const last = Math.min(this.nodes.length - 1, Math.max(whole, this.shown));
    for (let i = Math.min(whole, this.shown); i <= last; i++) {
      const share = Math.min(1, Math.max(0, limited - i));
      setAttribute(this.nodes[i], "opacity", share < 0.02 ? "0" : share.toFixed(1));
    }
    this.shown = whole;
  }
}

// Marks of a resting level: `rest` pale ones that become hollow below rest, `extra` ones in full colour above it.
export class LevelMarks {
  constructor(rest, extra) {
    this.rest = rest;
    this.extra = new Marks(extra);
  }

  show(amount) {
    this.extra.show(amount);
    const missing = Math.floor(Math.max(0, -amount));
    if (missing === this.missing) return;
    this.missing = missing;
    this.rest.forEach((node, i) => setAttribute(node, "data-hollow", i >= this.rest.length - missing ? "yes" : "no"));
  }
}

// A label of the drawing: lines of text with an optional leader. `sizes`: widths of the drawing that show it.
export function label(x, y, lines, { anchor = "start", leader = null, sizes = "wide medium", id = null, isNote = false, level = null } = {}) {
  const tspans = lines.map((line, i) => svgElement("tspan", { x, dy: i ? "1.18em" : 0 }, line));
  const text = svgElement("text", { x, y, "text-anchor": anchor, "data-id": id }, tspans);
  const node = svgElement("g", { class: isNote ? "label note" : "label", "data-sizes": sizes, ...level }, text);
  if (leader) {
    const [x1, y1, x2, y2] = leader;
    node.prepend(svgElement("line", { x1, y1, x2, y2 }), circle(x2, y2, 2.6, "leader-end"));
  }
  return node;
}
