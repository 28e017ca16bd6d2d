// A chart over days, patients or per cent: lines with whiskers, or steps.

import { element, svgElement, table } from "./dom.js";
import { axisLimits, curveLook, Figure, legendSample, marker, roundTicks, Scale } from "./figure.js";
import { formatNumber, formatRange } from "./format.js";

const MARGIN = { left: 50, right: 16, top: 12, bottom: 40 };
const MAX_TABLE_ROWS = 300;

export class XyChart extends Figure {
  constructor({ xLabel = "", height = 280, ...settings }) {
    super({ ...settings, height });
    this.xLabel = xLabel;
    this.series = [];
  }

  // series: [{ label, index, x, y, low, high, steps }]
  show(series) {
    this.series = series.map((one) => ({ kind: "main", ...one }));
    this.redraw();
    this.fillTable();
    this.svg.setAttribute("aria-label", this.description());
    return this;
  }

  fillTable() {
    const interval = (one, i) => (one.low ? formatRange(one.low[i], one.high[i]) : "–");
    const row = (one) => (x, i) => [one.label, formatNumber(x), formatNumber(one.y[i]), interval(one, i)];
    const rows = this.series.flatMap((one) => one.x.map(row(one)));
    const head = ["", this.xLabel, this.unit || "value", "interval"];
    this.tablePlace.replaceChildren(table(this.title, head, rows.slice(0, MAX_TABLE_ROWS)));
  }

  description() {
    const value = (one, i) => `${formatNumber(one.y.at(i))} at ${formatNumber(one.x.at(i))}`;
    const parts = this.series.map((one) => `${one.label}: ${value(one, 0)}, ${value(one, -1)} ${this.xLabel}`);
    return `${this.title}. ${parts.join("; ")}. The table below holds the numbers.`;
  }

  rows() {
    const row = (one) => (x, i) => [one.label, x, one.y[i], one.low?.[i] ?? "", one.high?.[i] ?? "", this.unit];
    return [
      ["what", this.xLabel, "value", "low", "high", "unit"],
      ...this.series.flatMap((one) => one.x.map(row(one))),
    ];
  }

  redraw() {
    const width = Math.round(this.node.clientWidth);
    if (!width || !this.series?.length) return;
    const xs = this.series.flatMap((one) => one.x);
    const ys = this.series.flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]);
    const [low, high] = axisLimits(ys, this.range);
    const x = new Scale(MARGIN.left, width - MARGIN.right, Math.min(0, ...xs), Math.max(...xs) * 1.03 || 1);
    const y = new Scale(this.height - MARGIN.bottom, MARGIN.top, low, high);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.replaceChildren(...this.axes(x, y, width), ...this.series.flatMap((one) => drawSeries(one, x, y)));
    const entry = (one) => element("li", {}, legendSample(one, { withMarker: false }), one.label);
    this.legend.replaceChildren(...this.series.map(entry));
  }

  axes(x, y, width) {
    const bottom = this.height - MARGIN.bottom;
    const xTicks = roundTicks(x.from, x.to, width > 500 ? 8 : 5).ticks.filter((value) => value <= x.to);
    const vertical = xTicks.flatMap((value) => [
      svgElement("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: MARGIN.top, y2: bottom }),
      svgElement("text", { x: x.at(value), y: bottom + 16, "text-anchor": "middle" }, formatNumber(value)),
    ]);
    const horizontal = roundTicks(y.from, y.to).ticks.flatMap((value) => [
      svgElement("line", { class: "grid", x1: x.start, x2: x.end, y1: y.at(value), y2: y.at(value) }),
      svgElement("text", { x: x.start - 7, y: y.at(value) + 4, "text-anchor": "end" }, formatNumber(value)),
    ]);
    const axis = svgElement("line", { class: "axis", x1: x.start, x2: x.end, y1: bottom, y2: bottom });
    const label = { x: (x.start + x.end) / 2, y: this.height - 5, "text-anchor": "middle" };
    return [...vertical, ...horizontal, axis, svgElement("text", label, this.xLabel)];
  }
}

function drawSeries(one, x, y) {
  const known = one.x.map((value, i) => [value, one.y[i], i]).filter(([, value]) => value !== null);
  const path = known.map(([at, value], k) => {
    if (!k) return `M${x.at(at)} ${y.at(value)}`;
    return one.steps ? `H${x.at(at)}V${y.at(value)}` : `L${x.at(at)} ${y.at(value)}`;
  });
  const line = svgElement("path", { ...curveLook(one), d: path.join("") });
  if (one.steps) return [line];
  return [line, ...known.flatMap(([at, value, i]) => whiskerAndMarker(one, i, x.at(at), y.at(value), y))];
}

// Series are moved apart sideways, so that their whiskers do not cover each other.
function whiskerAndMarker(one, i, left, middle, y) {
  const at = left + (one.index - 0.5) * 3;
  const dot = marker(one.index, at, middle);
  if (!one.low || one.low[i] === null) return [dot];
  const ends = { x1: at, x2: at, y1: y.at(one.low[i]), y2: y.at(one.high[i]) };
  return [svgElement("line", { class: `stroke-${one.index}`, "stroke-width": 1.4, ...ends }), dot];
}
