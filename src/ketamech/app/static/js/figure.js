// What every figure has: axes, a head with buttons that save it, a legend, and a table with its numbers.

import { download, element, find, svgElement, uniqueId } from "./dom.js";
import { FIRST_HOUR, selectedTime } from "./time-slider.js";

export const DASHES = ["", "9 4", "2 4", "10 4 2 4", "5 3", "14 4"]; // by colour index
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring"];
export const COLOURS = DASHES.length;

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
    const parts = [head, this.svg, this.legend, this.caption, this.details];
    this.node = element("figure", { class: "figure", "aria-labelledby": id }, parts);
    new ResizeObserver(() => this.redraw()).observe(this.node);
  }

  // Subclasses draw; `rows()` gives everything drawn, one number a row.
  redraw() {}

  fillTable() {}

  rows() {
    return [];
  }

  setTitle(title) {
    this.title = title;
    this.titleNode.textContent = title;
  }

  saveButtons() {
    const save = (kind, what, action) =>
      element("button", {
        class: "link-button",
        type: "button",
        text: kind,
        "aria-label": `Save ${what} of “${this.title}” as ${kind}`,
        onclick: action,
      });
    return element(
      "div",
      { class: "save-buttons" },
      save("SVG", "the figure", () => saveFigure(this.svg, this.title, this.unit, "svg")),
      save("PNG", "the figure", () => saveFigure(this.svg, this.title, this.unit, "png")),
      save("CSV", "the numbers", () => saveRows(this.title, this.rows())),
    );
  }
}

// A marker in the colour and shape of a colour index.
export function marker(index, x, y, colour = null) {
  const look = { class: colour ? "marker" : `marker fill-${index}`, fill: colour };
  const shape = SHAPES[index % SHAPES.length];
  if (shape === "square") return svgElement("rect", { ...look, x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  if (shape === "triangle")
    return svgElement("path", { ...look, d: `M${x} ${y - 6}L${x + 5.5} ${y + 4.5}H${x - 5.5}Z` });
  if (shape === "diamond")
    return svgElement("path", { ...look, d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` });
  if (shape === "cross") return svgElement("path", { ...look, d: `M${x - 2} ${y - 6}h4v4h4v4h-4v4h-4v-4h-4v-4h4z` });
  return svgElement("circle", { ...look, cx: x, cy: y, r: shape === "ring" ? 4 : 5 });
}

// Class, dashes and, where given, colour of a curve.
export function curveLook(series) {
  const own = ["main", "minor", "edge"].includes(series.kind);
  if (!own) return { class: series.kind };
  const colour = series.colour ? "" : ` stroke-${series.index}`;
  return {
    class: `curve ${series.kind}${colour}`,
    stroke: series.colour,
    "stroke-dasharray": DASHES[series.index % COLOURS] || null,
  };
}

export function legendSample(series, { withMarker = true } = {}) {
  const sample = svgElement("svg", { viewBox: "0 0 30 12", class: "figure", "aria-hidden": "true" });
  sample.append(svgElement("path", { ...curveLook(series), d: "M1 6H29" }));
  if (withMarker && ["main", "minor"].includes(series.kind)) sample.append(marker(series.index, 15, 6, series.colour));
  return sample;
}

// Axes

export function roundTicks(low, high, count = 5) {
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

export function timeScale(start, end) {
  const { linear } = selectedTime.range;
  return new Scale(start, end, linear ? 0 : FIRST_HOUR, selectedTime.last, { logarithmic: !linear });
}

// Saving

const KEPT_STYLES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "stroke-linecap",
  "opacity",
  "font-size",
  "font-family",
];

function fileName(title, extension) {
  const name = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return `ketamech-${name}.${extension}`;
}

// A text that a spreadsheet would take for a formula gets an apostrophe in front.
function csvCell(value) {
  const text = typeof value === "string" ? value.replace(/^(?=[=+@-])/, "'") : String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

function saveRows(title, rows) {
  const text = rows.map((row) => row.map(csvCell).join(",")).join("\n");
  if (rows.length) download(`${text}\n`, fileName(title, "csv"), "text/csv");
}

function saveFigure(svg, title, unit, kind) {
  if (!svg.getAttribute("viewBox")) return;
  const drawing = standaloneSvg(svg, unit ? `${title}, ${unit}` : title);
  const text = new XMLSerializer().serializeToString(drawing);
  if (kind === "svg") return download(text, fileName(title, "svg"), "image/svg+xml");
  const [, , width, height] = drawing.getAttribute("viewBox").split(" ").map(Number);
  const image = new Image();
  image.onload = () => {
    const canvas = element("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => download(blob, fileName(title, "png"), "image/png"));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

// The drawing with its colours written into it, its title above and the disclaimer below.
function standaloneSvg(svg, heading) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const page = getComputedStyle(document.body);
  const copy = svg.cloneNode(true);
  const copies = copy.querySelectorAll("*");
  svg.querySelectorAll("*").forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of KEPT_STYLES) copies[i].setAttribute(name, style.getPropertyValue(name));
    copies[i].removeAttribute("class");
  });
  const text = (content, y, size) =>
    svgElement(
      "text",
      { x: 12, y, "font-size": size, "font-family": "Inter, Arial, sans-serif", fill: page.color },
      content,
    );
  const ground = svgElement("rect", { x: 0, y: -34, width, height: height + 56, fill: page.backgroundColor });
  copy.setAttribute("viewBox", `0 -34 ${width} ${height + 56}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height + 56);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.prepend(ground, text(heading, -12, 14));
  copy.append(text(find("#disclaimer").textContent, height + 14, 9));
  return copy;
}
