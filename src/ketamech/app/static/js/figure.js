// What every figure has: axes, a head with buttons that save it, a legend, and a table with its numbers; and charts over
// days, patients or per cent.

import { download, element, find, linkButton, svgElement, table, uniqueId } from "./dom.js";
import { figureName, shareButtons, TABLE_BELOW } from "./figure-share.js";
import { formatNumber, formatRange } from "./format.js";
import { pointSample } from "./point-marks.js";
import { FIRST_HOUR, selectedTime } from "./time-slider.js";

const DASHES = ["", "9 4", "2 4", "10 4 2 4", "5 3", "14 4"]; // by colour index
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring"];
export const COLOURS = DASHES.length;

// Subclasses have redraw(), fillTable(), and rows(): everything drawn, one number a row.
export class Figure {
  constructor({ title, unit = "", height = 250, range = null, openEvidence = null }) {
    Object.assign(this, { title, unit, height, range, openEvidence });
    const id = uniqueId("figure");
    this.svg = svgElement("svg", { role: "img", "aria-label": `${title}: no curve yet` });
    this.legend = element("ul", { class: "legend" });
    this.caption = element("p", { class: "caption" });
    this.tablePlace = element("div", {});
    this.details = element("details", {}, element("summary", { text: "Table" }), this.tablePlace);
    this.details.addEventListener("toggle", () => this.details.open && this.fillTable());
    this.titleNode = element("h3", { id, text: title });
    this.unitNode = element("span", { class: "unit", text: unit });
    const head = element("div", { class: "figure-head" }, this.titleNode, this.unitNode, this.saveButtons());
    this.note = element("p", { class: "note-below", hidden: true });
    const parts = [head, this.svg, this.legend, this.caption, this.note, this.details];
    const attributes = { class: "figure", "aria-labelledby": id, "data-figure": figureName(title) };
    this.node = element("figure", attributes, parts);
    new ResizeObserver(() => this.redrawAtNewWidth()).observe(this.node);
  }

  // A drawing fills the width; a change of the height alone would only take the focus from its points.
  redrawAtNewWidth() {
    const { clientWidth } = this.node;
    if (clientWidth === this.observedWidth) return;
    this.observedWidth = clientWidth;
    this.redraw();
  }

  // Of the drawing, px. To ask the page while figures are drawn would lay it out once for each of them.
  get drawnWidth() {
    return this.observedWidth ?? this.node.clientWidth;
  }

  setTitle(title) {
    this.title = title;
    this.titleNode.textContent = title;
    this.node.dataset.figure = figureName(title);
  }

  // The finding as the heading; title and unit follow in small letters.
  setFinding(text) {
    this.titleNode.textContent = text;
    this.unitNode.textContent = this.unit ? `${this.title}, ${this.unit}` : this.title;
  }

  // A remark below the caption.
  setNote(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  // At which time the values of the legend are read, in words; empty where they have none.
  get shownTime() {
    return "";
  }

  saveButtons() {
    const save = (kind, what, action) =>
      linkButton(kind, action, { "aria-label": `Save ${what} of “${this.title}” as ${kind}` });
    const saveAs = (kind) => () => saveFigure(this, kind);
    return element(
      "div",
      { class: "save-buttons" },
      saveWord(),
      save("SVG", "the figure", saveAs("svg")),
      save("PNG", "the figure", saveAs("png")),
      save("CSV", "the numbers", () => saveRows(this.title, this.rows())),
      ...shareButtons(this, () => svgText(this)),
    );
  }
}

// What the names of file formats beside it are for.
const saveWord = () => element("span", { class: "save-word", "aria-hidden": "true", text: "Save" });

// A marker in the colour and shape of a colour index.
export function marker(index, x, y, colour = null) {
  const attributes = { class: colour ? "marker" : `marker fill-${index}`, fill: colour };
  const shape = SHAPES[index % SHAPES.length];
  if (shape === "square") return svgElement("rect", { ...attributes, x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  if (shape === "triangle")
    return svgElement("path", { ...attributes, d: `M${x} ${y - 6}L${x + 5.5} ${y + 4.5}H${x - 5.5}Z` });
  if (shape === "diamond")
    return svgElement("path", { ...attributes, d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` });
  if (shape === "cross")
    return svgElement("path", { ...attributes, d: `M${x - 2} ${y - 6}h4v4h4v4h-4v4h-4v-4h-4v-4h4z` });
  return svgElement("circle", { ...attributes, cx: x, cy: y, r: shape === "ring" ? 4 : 5 });
}

// Class, dashes and, where given, colour of a curve.
export function curveAttributes(series) {
  const own = ["main", "minor", "edge"].includes(series.kind);
  if (!own) return { class: series.kind };
  const colour = series.colour ? "" : ` stroke-${series.index}`;
  return {
    class: `curve ${series.kind}${colour}${series.isUnmeasured ? " unmeasured" : ""}`,
    stroke: series.colour,
    "stroke-dasharray": series.isUnmeasured ? "1 5" : DASHES[series.index % COLOURS] || null,
  };
}

export function legendSample(series, { withMarker = true } = {}) {
  const sample = svgElement("svg", { viewBox: "0 0 30 12", class: "figure", "aria-hidden": "true" });
  sample.append(svgElement("path", { ...curveAttributes(series), d: "M1 6H29" }));
  if (withMarker && ["main", "minor"].includes(series.kind)) sample.append(marker(series.index, 15, 6, series.colour));
  return sample;
}

export const bandAttributes = (band) => ({
  class: `band ${band.kind}${band.colour ? "" : ` fill-${band.index}`}`,
  fill: band.colour,
});

export function bandSample(band) {
  const area = svgElement("rect", { ...bandAttributes(band), x: 1, y: 1, width: 28, height: 10 });
  return svgElement("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" }, area);
}

// Axes

function roundTicks(low, high, count = 5) {
  const rawStep = (high - low) / count || 1;
  const magnitude = 10 ** Math.floor(Math.log10(rawStep));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= rawStep) * magnitude;
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-6; k++) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return { step, ticks };
}

// Lowest and highest of all values, widened to round numbers; zero is included where it is near.
export function axisLimits(values, fixed = null) {
  if (fixed) return fixed;
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === Infinity) return [0, 1];
  if (low >= 0 && low < 0.55 * high) low = 0;
  if (high <= 0 && high > 0.55 * low) high = 0;
  if (high - low < 1e-3 * Math.max(1e-6, Math.abs(high))) {
    const margin = 0.1 * Math.abs(high) || 1;
    low -= low === 0 ? 0 : margin;
    high += margin;
  } else if (low === 0 || high === 0) {
    low *= 1.04;
    high *= 1.04;
  } else {
    const margin = 0.06 * (high - low);
    low -= margin;
    high += margin;
  }
  const { step } = roundTicks(low, high);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

// From values to pixels and back.
export class Scale {
  constructor(start, end, from, to, { logarithmic = false } = {}) {
    Object.assign(this, { start, end, from, to, logarithmic });
    this.span = logarithmic ? Math.log(to / from) : to - from || 1;
  }

  at(value) {
    const distance = this.logarithmic ? Math.log(Math.max(value, this.from) / this.from) : value - this.from;
    return this.start + (distance / this.span) * (this.end - this.start);
  }

  valueAt(pixel) {
    const fraction = Math.min(1, Math.max(0, (pixel - this.start) / (this.end - this.start)));
    return this.logarithmic ? this.from * Math.exp(fraction * this.span) : this.from + fraction * this.span;
  }
}

// Grid lines with their numbers, and the horizontal axis; `xTicks`: [{ value, text, anchor }].
export function axesOf(x, y, xTicks) {
  const vertical = xTicks.flatMap(({ value, text, anchor }) => {
    const at = x.at(value);
    return [
      svgElement("line", { class: "grid", x1: at, x2: at, y1: y.end, y2: y.start }),
      svgElement("text", { x: at, y: y.start + 16, "text-anchor": anchor }, text),
    ];
  });
  const horizontal = roundTicks(y.from, y.to).ticks.flatMap((value) => {
    const at = y.at(value);
    return [
      svgElement("line", { class: "grid", x1: x.start, x2: x.end, y1: at, y2: at }),
      svgElement("text", { x: x.start - 7, y: at + 4, "text-anchor": "end" }, formatNumber(value)),
    ];
  });
  const axis = svgElement("line", { class: "axis", x1: x.start, x2: x.end, y1: y.start, y2: y.start });
  return svgElement("g", {}, vertical, horizontal, axis);
}

export function timeScale(start, end, { linear, last } = selectedTime.range) {
  return new Scale(start, end, linear ? 0 : FIRST_HOUR, last, { logarithmic: !linear });
}

// Saving

const STROKE_STYLES = ["stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "vector-effect"];
const TEXT_STYLES = ["font-size", "font-family", "font-weight", "text-anchor", "dominant-baseline", "paint-order"];
const SAVED_STYLES = [...STROKE_STYLES, ...TEXT_STYLES, "stroke-opacity", "fill", "fill-opacity", "opacity", "visibility", "display", "stop-color", "stop-opacity"];

const fileName = (title, extension) => `ketamech-${figureName(title)}.${extension}`;

// A text that a spreadsheet would take for a formula gets an apostrophe in front.
function csvCell(value) {
  const text = typeof value === "string" ? value.replace(/^(?=[=+@-])/, "'") : String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export const csvText = (rows) => `${rows.map((row) => row.map(csvCell).join(",")).join("\n")}\n`;

function saveRows(title, rows) {
  if (rows.length) download(csvText(rows), fileName(title, "csv"), "text/csv");
}

// The text of an SVG file; empty where nothing is drawn yet.
function svgText(figure) {
  if (!figure.svg.getAttribute("viewBox")) return "";
  return new XMLSerializer().serializeToString(standaloneSvg(figure));
}

// What a saved picture says of itself: the treatment that it shows and the version of the program.
let pictureSource = () => ({ treatment: "", version: "" });
export const setPictureSource = (source) => (pictureSource = source);

function saveFigure(figure, kind) {
  const { title } = figure;
  const text = svgText(figure);
  if (!text) return;
  if (kind === "svg") return download(text, fileName(title, "svg"), "image/svg+xml");
  const [width, height] = ["width", "height"].map((name) => Number(new RegExp(`\\b${name}="([\\d.]+)"`).exec(text)[1]));
  const image = new Image();
  image.onload = () => {
    const canvas = element("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => download(blob, fileName(title, "png"), "image/png"));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

// Buttons that save a drawing which is no figure; `drawing` hands its { svg, title, legend, note, shownTime, size } to a
// function, with numbers in place of names where it is asked for that.
export function drawingButtons(drawing) {
  const save = (kind, isNameless = false) =>
    drawing(({ title, note, ...others }) => saveFigure({ title, titleNode: { textContent: title }, note: { textContent: note }, ...others }, kind), isNameless);
  const buttons = ["SVG", "PNG"].map((kind) => linkButton(kind, () => save(kind.toLowerCase()), { "aria-label": `Save the drawing as ${kind}` }));
  const nameless = linkButton("No names", () => save("png", true), {
    class: "link-button nameless",
    "aria-label": "Save the drawing as PNG with numbers in place of names",
    title: "For a class: numbers in place of names",
  });
  return element("div", { class: "save-buttons" }, saveWord(), buttons, nameless);
}

const ROW = 16;
const HEAD_LETTER = 7.8; // px, about, of a letter of the heading
const LETTER = 5.4; // px, about, of small letters

// A copy with its computed styles written into it.
function withStyles(svg) {
  const copy = svg.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [svg, ...svg.querySelectorAll("*")].forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of SAVED_STYLES) copies[i].setAttribute(name, style.getPropertyValue(name));
    copies[i].removeAttribute("class");
  });
  copy.setAttribute("overflow", getComputedStyle(svg).overflow);
  return copy;
}

// A text in lines of at most so many letters.
function lines(text, letters) {
  const found = [""];
  for (const word of text.split(" ")) {
    if (found.at(-1) && found.at(-1).length + word.length >= letters) found.push("");
    found.push(`${found.pop()} ${word}`.trim());
  }
  return found;
}

// The drawing with its title above; legend, time, treatment, source with date, and the disclaimer below.
// `size`: width and height (px) where they are not those of the view box.
function standaloneSvg({ svg, title, unit, titleNode, legend, note, shownTime, size }) {
  const [width, height] = size ?? svg.getAttribute("viewBox").split(" ").map(Number).slice(2);
  const page = getComputedStyle(document.body);
  const drawing = withStyles(svg);
  const place = (node, box) => Object.entries(box).forEach(([name, value]) => node.setAttribute(name, value));
  place(drawing, { x: 0, y: 0, width, height });
  const text = (content, x, y, size) =>
    svgElement(
      "text",
      { x, y, "font-size": size, "font-family": "Inter, Arial, sans-serif", fill: page.color, stroke: "none" },
      content,
    );
  let y = height + 4;
  const below = [...legend.children].flatMap((item) => {
    y += ROW;
    const sample = item.querySelector("svg");
    const drawn = sample && withStyles(sample);
    if (drawn) place(drawn, { x: 12, y: y - 10, width: 30, height: 12 });
    const words = [...item.childNodes].filter((node) => node !== sample).map((node) => node.textContent);
    return [drawn, text(words.join(" ").replace(/\s+/g, " ").trim(), 48, y, 10.5)].filter(Boolean);
  });
  const { treatment, version } = pictureSource();
  const source = `Source: KetaMech ${version}, ${new Date().toISOString().slice(0, 10)}`;
  for (const part of [note.textContent, shownTime, treatment && `Treatment: ${treatment}`, source, find("#disclaimer").textContent].filter(Boolean)) {
    for (const line of lines(part, (width - 24) / LETTER)) {
      y += 13;
      below.push(text(line, 12, y, 9.5));
    }
  }
  const name = unit ? `${title}, ${unit}` : title;
  const headings = titleNode.textContent === title ? [name] : [titleNode.textContent, name]; // the finding, and what it is about
  const headLines = headings.flatMap((heading) => lines(heading, (width - 24) / HEAD_LETTER));
  const head = 18 + ROW * headLines.length; // px above the drawing
  const whole = head + y + 8;
  const ground = svgElement("rect", { x: 0, y: -head, width, height: whole, fill: page.backgroundColor });
  const heads = headLines.map((line, i) => text(line, 12, -12 - ROW * (headLines.length - 1 - i), 13));
  const attributes = { viewBox: `0 ${-head} ${width} ${whole}`, width, height: whole, role: "img" };
  return svgElement("svg", attributes, ground, heads, drawing, below);
}

// A chart over days, patients or per cent: lines with whiskers, or steps.

const CHART_MARGIN = { left: 50, right: 16, top: 12, bottom: 40 };
const MAX_TABLE_ROWS = 300;

export class XyChart extends Figure {
  // `ticks`: values of the axis, thinned where they are close, or round numbers; `xText`: their text; `dodge`: px by which
  // series are moved apart sideways, so that whiskers at one value do not cover each other; `guides`: [{ x or y, label }].
  constructor({ xLabel = "", height = 280, ticks = null, xText = formatNumber, dodge = 0, guides = [], ...settings }) {
    super({ ...settings, height });
    Object.assign(this, { xLabel, ticks, xText, dodge, guides, series: [] });
  }

  // series: [{ label, index, x, y, low, high, steps, plain, band, points }]; `plain`: a line without markers; `band`: an
  // area from `low` to `high`; `points`: drawn by `foreground`.
  show(series) {
    this.series = series.map((one) => ({ kind: "main", ...one }));
    this.redraw();
    this.fillTable();
    this.svg.setAttribute("aria-label", this.description());
    return this;
  }

  fillTable() {
    const isSingle = this.series.length === 1;
    const interval = (one, i) => (Number.isFinite(one.low?.[i]) ? formatRange(one.low[i], one.high[i]) : "–");
    const row = (one) => (x, i) => [one.label, this.xText(x), formatNumber(one.y[i]), interval(one, i)].slice(isSingle ? 1 : 0);
    const rows = this.series.flatMap((one) => one.x.map(row(one)));
    const head = ["", this.xLabel, "value", "interval"].slice(isSingle ? 1 : 0);
    const caption = [this.title, this.unit, isSingle && this.series[0].label].filter(Boolean).join(", ");
    this.tablePlace.replaceChildren(table(caption, head, rows.slice(0, MAX_TABLE_ROWS)));
  }

  description() {
    const value = (one, i) => `${formatNumber(one.y.at(i))} at ${formatNumber(one.x.at(i))}`;
    const parts = this.series.map((one) => `${one.label}: ${value(one, 0)}, ${value(one, -1)} ${this.xLabel}`);
    return `${this.title}. ${parts.join("; ")}.${TABLE_BELOW}`;
  }

  rows() {
    const row = (one) => (x, i) => [one.label, x, one.y[i], one.low?.[i] ?? "", one.high?.[i] ?? "", this.unit];
    return [
      ["what", this.xLabel, "value", "low", "high", "unit"],
      ...this.series.flatMap((one) => one.x.map(row(one))),
    ];
  }

  redraw() {
    const width = this.drawnWidth;
    if (!width || !this.series?.length) return;
    const xs = this.series.flatMap((one) => one.x);
    const ys = this.series.flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]);
    const [low, high] = axisLimits(ys, this.range);
    const x = new Scale(CHART_MARGIN.left, width - CHART_MARGIN.right, Math.min(0, ...xs), Math.max(...xs) * 1.03 || 1);
    const y = new Scale(this.height - CHART_MARGIN.bottom, CHART_MARGIN.top, low, high);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    const drawn = this.series.flatMap((one) => drawSeries(one, x, y, this.dodge));
    this.svg.replaceChildren(...this.background(x, y), ...this.axes(x, y, width), ...drawn, ...this.foreground(x, y));
    const entry = (one) => element("li", {}, sampleOf(one), one.label);
    this.legend.replaceChildren(...this.series.map(entry));
  }

  // Nodes below and above the series.
  background(x, y) {
    return this.guides.flatMap((guide) => guideLine(guide, x, y));
  }

  foreground() {
    return [];
  }

  axes(x, y, width) {
    const round = () => roundTicks(x.from, x.to, width > 500 ? 8 : 5).ticks.filter((value) => value <= x.to);
    const ticks = this.ticks ? apart(this.ticks, x) : round();
    const labels = ticks.map((value) => ({ value, text: this.xText(value), anchor: "middle" }));
    const place = { x: (x.start + x.end) / 2, y: this.height - 5, "text-anchor": "middle" };
    return [axesOf(x, y, labels), svgElement("text", place, this.xLabel)];
  }
}

// A dashed line at a value of one axis, with its text.
function guideLine({ x: at, y: level, label }, x, y) {
  const isLevel = level !== undefined;
  if (!isLevel && (at < x.from || at > x.to)) return [];
  const [x1, x2] = isLevel ? [x.start, x.end] : [x.at(at), x.at(at)];
  const [y1, y2] = isLevel ? [y.at(level), y.at(level)] : [y.start, y.end];
  const place = isLevel ? { x: x.start + 4, y: y1 - 4 } : { x: x1 + 4, y: y.start - 6 };
  return [svgElement("line", { class: "axis guide", "stroke-dasharray": "4 4", x1, x2, y1, y2 }), svgElement("text", place, label)];
}

const TICK_GAP = 26; // px

// The values that do not lie close to a later one that is kept.
function apart(values, x) {
  const found = [];
  for (const value of [...values].reverse()) {
    if (!found.length || x.at(found[0]) - x.at(value) >= TICK_GAP) found.unshift(value);
  }
  return found;
}

function sampleOf(one) {
  if (one.band) return bandSample({ ...one, kind: one.band });
  return one.points ? pointSample(one.points[0]) : legendSample(one, { withMarker: !one.steps && !one.plain });
}

function drawSeries(one, x, y, dodge) {
  if (one.points) return [];
  if (one.band) return [bandArea(one, x, y)];
  const known = one.x.map((value, i) => [value, one.y[i], i]).filter(([, value]) => value !== null);
  const path = known.map(([at, value], k) => {
    if (!k) return `M${x.at(at)} ${y.at(value)}`;
    return one.steps ? `H${x.at(at)}V${y.at(value)}` : `L${x.at(at)} ${y.at(value)}`;
  });
  const line = svgElement("path", { ...curveAttributes(one), d: path.join("") });
  if (one.steps || one.plain) return [line];
  return [line, ...known.flatMap(([at, value, i]) => whiskerAndMarker(one, i, x.at(at) + (one.index - 0.5) * dodge, y.at(value), y))];
}

function bandArea(one, x, y) {
  const edge = (values) => one.x.map((at, i) => [at, values[i]]).filter(([, value]) => value !== null);
  const place = ([at, value]) => `${x.at(at)} ${y.at(value)}`;
  const corners = [...edge(one.high), ...edge(one.low).reverse()].map(place);
  return svgElement("path", { ...bandAttributes({ ...one, kind: one.band }), d: `M${corners.join("L")}Z` });
}

function whiskerAndMarker(one, i, at, middle, y) {
  const dot = marker(one.index, at, middle);
  if (!one.low || one.low[i] === null) return [dot];
  const ends = { x1: at, x2: at, y1: y.at(one.low[i]), y2: y.at(one.high[i]) };
  return [svgElement("line", { class: `stroke-${one.index}`, "stroke-width": 1.4, ...ends }), dot];
}
