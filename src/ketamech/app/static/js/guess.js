// "Draw your guess, then reveal": an empty chart with axes, the reader's line, then the computed curve with published
// values and a sentence that compares the two. What is asked, and how it is computed, is a row of the server's table.

import { simulate } from "../simulate.js";
import { getJson, postJson, ServerError } from "./api.js";
import { button, element, paragraph, svgElement, table } from "./dom.js";
import { TABLE_BELOW } from "./figure-share.js";
import { axesOf, Figure, Scale } from "./figure.js";
import { formatNumber, formatRange, interpolate } from "./format.js";
import { kindWords, pointEntries, pointMark } from "./point-marks.js";
import { shareAbove } from "./share-of-people.js";

const HOURS = 24; // of a day
const MARGIN = { left: 46, right: 18, top: 14, bottom: 42 };
const HEIGHT = 290;
const PER_DAY = 4; // points of a course, besides those of the line
const BETWEEN = 2; // doses simulated for every one of the line
const PEAK_HOURS = 2;
const STEPS = 40; // of the arrow keys over the axis
const HELP =
  "Draw a line with a finger or the mouse, or press Tab and use the arrow keys: left and right choose a point, up and down move it.";
const list = (cell) => cell.split(";").filter(Boolean);

export class Guess extends Figure {
  constructor(row, openEvidence) {
    super({ title: row.question, unit: row.y_label, height: HEIGHT, openEvidence });
    this.row = row;
    this.given = row.given ? row.given.split(":").map(Number) : null;
    this.x = list(row.points).map(Number);
    this.status = element("div", { class: "guess-result", role: "status" });
    this.reveal = button("Reveal", () => this.show(), { class: "primary" });
    this.skip = button("Show without a guess", () => this.show({ isSkipped: true }));
    this.again = button("Try again", () => this.reset(), { hidden: true });
    this.help = paragraph(HELP, "secondary");
    const buttons = element("div", { class: "buttons" }, this.reveal, this.skip, this.again);
    this.svg.before(paragraph(row.hint, "guess-hint"));
    this.legend.after(this.help, buttons, this.status);
    this.node.classList.add("guess");
    this.node.id = `guess-${row.id}`;
    this.caption.remove();
    this.listenToPointer();
    this.reset();
  }

  reset() {
    this.guess = this.x.map((x) => (this.given?.[0] === x ? this.given[1] : null));
    this.found = null;
    this.status.replaceChildren();
    this.legend.replaceChildren();
    this.showButtons(false);
    this.redraw();
    this.fillTable();
  }

  showButtons(isRevealed) {
    for (const node of [this.reveal, this.skip, this.help]) node.hidden = isRevealed;
    this.again.hidden = !isRevealed;
    this.node.classList.toggle("revealed", isRevealed);
  }

  get isDrawn() {
    return this.guess.filter((value) => value !== null).length > (this.given ? 1 : 0);
  }

  // The reader's value at a place between or beyond the points that were drawn.
  valueAt(x) {
    const drawn = this.x.map((place, i) => [place, this.guess[i]]).filter(([, value]) => value !== null);
    if (!drawn.length) return null;
    const [first, last] = [drawn[0], drawn.at(-1)];
    if (x <= first[0]) return first[1];
    if (x >= last[0]) return last[1];
    return interpolate(...[0, 1].map((k) => drawn.map((one) => one[k])), x);
  }

  // Drawing

  redraw() {
    if (!this.node.clientWidth || !this.row) return;
    const { paddingLeft, paddingRight } = getComputedStyle(this.node);
    const width = Math.round(this.node.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
    const { x_from: left, x_to: right, y_from: low, y_to: high, x_label: label } = this.row;
    this.width = width;
    this.xScale = new Scale(MARGIN.left, width - MARGIN.right, left, right);
    this.yScale = new Scale(HEIGHT - MARGIN.bottom, MARGIN.top, low, high);
    const ticks = this.x.filter((_, i) => width > 380 || i % 2 === 0 || i === this.x.length - 1);
    const axes = axesOf(this.xScale, this.yScale, ticks.map((value) => ({ value, text: String(value), anchor: "middle" })));
    const name = { x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" };
    this.line = svgElement("path", { class: "guess-line" });
    this.handles = this.x.map((x, i) => this.handle(x, i));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("role", "group");
    this.svg.replaceChildren(
      svgElement("rect", { class: "guess-area", x: MARGIN.left, y: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.bottom - MARGIN.top }),
      axes,
      svgElement("text", name, label),
      ...(this.found ? this.answer() : []),
      this.line,
      ...(this.found ? [] : this.handles),
    );
    this.showGuess();
  }

  handle(x, i) {
    const { y_from: low, y_to: high, x_unit: unit, y_label: label } = this.row;
    if (this.given?.[0] === x) {
      const dot = svgElement("circle", { class: "dot", r: 6 });
      return svgElement("g", { class: "guess-handle is-drawn", "aria-hidden": "true" }, dot);
    }
    const node = svgElement(
      "g",
      {
        class: "guess-handle", role: "slider", tabindex: "0", "aria-orientation": "vertical", "aria-valuemin": low,
        "aria-valuemax": high, "aria-label": `${label}, your guess at ${x} ${unit}`,
      }, // prettier-ignore
      svgElement("circle", { class: "hit", r: 13 }),
      svgElement("circle", { class: "dot", r: 6 }),
    );
    node.addEventListener("keydown", (event) => this.press(event, i));
    return node;
  }

  press(event, i) {
    const step = (this.row.y_to - this.row.y_from) / STEPS;
    const up = { ArrowUp: step, ArrowDown: -step, PageUp: 5 * step, PageDown: -5 * step }[event.key];
    const side = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!up && !side) return;
    event.preventDefault();
    event.stopPropagation(); // full screen uses these keys as well
    if (side) this.handles[i + side]?.focus();
    else this.setPoint(i, (this.guess[i] ?? this.startOf(i)) + up);
  }

  startOf = (i) => this.valueAt(this.x[i]) ?? (this.row.y_from + this.row.y_to) / 2;

  setPoint(i, value) {
    if (this.given?.[0] === this.x[i] || this.found) return;
    this.guess[i] = Math.min(this.row.y_to, Math.max(this.row.y_from, value));
    this.showGuess();
  }

  showGuess() {
    const at = (i) => [this.xScale.at(this.x[i]), this.yScale.at(this.guess[i] ?? this.startOf(i))];
    const drawn = this.x.map((_, i) => i).filter((i) => this.guess[i] !== null);
    this.line.setAttribute("d", drawn.length > 1 ? `M${drawn.map((i) => at(i).map((one) => one.toFixed(1)).join(" ")).join("L")}` : "");
    this.handles.forEach((node, i) => {
      node.setAttribute("transform", `translate(${at(i).map((one) => one.toFixed(1)).join(" ")})`);
      const value = this.guess[i];
      node.classList.toggle("is-drawn", value !== null);
      node.setAttribute("aria-valuenow", Math.round(value ?? this.startOf(i)));
      node.setAttribute("aria-valuetext", value === null ? "not drawn" : String(Math.round(value)));
    });
    const state = this.found ? `${this.status.textContent}${TABLE_BELOW}` : `An empty chart. ${HELP}`;
    this.svg.setAttribute("aria-label", `${this.title} ${this.row.y_label}, against ${this.row.x_label}. ${state}`);
  }

  // The points between the last place of the pointer and the present one follow it.
  listenToPointer() {
    let last = null;
    const place = (event) => {
      const box = this.svg.getBoundingClientRect();
      const scale = this.width / box.width;
      return [this.xScale.valueAt((event.clientX - box.left) * scale), this.yScale.valueAt((event.clientY - box.top) * scale)];
    };
    const nearest = (x) => this.x.reduce((best, one, i) => (Math.abs(one - x) < Math.abs(this.x[best] - x) ? i : best), 0);
    this.svg.addEventListener("pointerdown", (event) => {
      if (this.found || !this.xScale) return;
      this.svg.setPointerCapture(event.pointerId);
      last = place(event);
      this.setPoint(nearest(last[0]), last[1]);
      event.preventDefault();
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!last) return;
      const now = place(event);
      const [from, to] = [last, now].sort((a, b) => a[0] - b[0]);
      this.x.forEach((x, i) => {
        if (x < from[0] || x > to[0] || from[0] === to[0]) return;
        this.setPoint(i, from[1] + ((to[1] - from[1]) * (x - from[0])) / (to[0] - from[0]));
      });
      this.setPoint(nearest(now[0]), now[1]);
      last = now;
    });
    for (const end of ["pointerup", "pointercancel"]) this.svg.addEventListener(end, () => (last = null));
  }

  // The answer

  async show({ isSkipped = false } = {}) {
    if (!this.isDrawn && !isSkipped) {
      this.status.textContent = "Draw your line first, then reveal.";
      return;
    }
    this.status.textContent = "Computing …";
    for (const node of [this.reveal, this.skip]) node.disabled = true;
    try {
      const [curve, dots] = await Promise.all([COURSES[this.row.reads](this.row, this.x), dotsOf(this.row)]);
      this.found = { curve, dots: dots.filter(({ x }) => x <= this.row.x_to) };
      const isDrawn = this.isDrawn;
      if (isDrawn) this.guess = this.x.map((x) => this.valueAt(x));
      this.status.replaceChildren(...(isDrawn ? [paragraph(this.comparison(), "guess-comparison")] : []), paragraph(this.row.lesson));
      this.legend.replaceChildren(...this.legendEntries(isDrawn));
      this.showButtons(true);
      this.again.focus({ preventScroll: true });
      this.redraw();
      this.fillTable();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.status.textContent = error.message;
    } finally {
      for (const node of [this.reveal, this.skip]) node.disabled = false;
    }
  }

  modelAt = (x) => interpolate(this.found.curve.x, this.found.curve.y, x);

  // A curve that moves between the reader's points has dots at them.
  get modelPlaces() {
    return this.row.reads === "course" ? this.x : [];
  }

  // How far the line lies from the curve.
  comparison() {
    const { y_unit: unit, x_unit: xUnit } = this.row;
    const asked = this.x.map((_, i) => i).filter((i) => this.given?.[0] !== this.x[i]);
    const distance = (i) => Math.abs(this.guess[i] - this.modelAt(this.x[i]));
    const mean = asked.reduce((sum, i) => sum + distance(i), 0) / asked.length;
    const farthest = asked.reduce((best, i) => (distance(i) > distance(best) ? i : best), asked[0]);
    const [own, model] = [this.guess[farthest], this.modelAt(this.x[farthest])].map(Math.round);
    const where = xUnit === "days" ? `day ${this.x[farthest]}` : `${this.x[farthest]} ${xUnit}`;
    const size = mean < 3 ? formatNumber(mean, 2) : Math.round(mean);
    return `On average your line is ${size} ${unit} away from the model's. It is farthest at ${where}: ${own} in your line, ${model} in the model.`;
  }

  legendEntries(isDrawn) {
    const sample = (...marks) => svgElement("svg", { viewBox: "0 0 30 12", class: "figure", "aria-hidden": "true" }, marks);
    const line = (name) => svgElement("path", { class: name, d: "M1 6H29" });
    const entries = [
      ...(isDrawn ? [[line("guess-line revealed"), "your line"]] : []),
      [line("curve main stroke-0"), "model"],
      ...(this.modelPlaces.length ? [[svgElement("circle", { class: "model-dot fill-0", cx: 15, cy: 6, r: 4.5 }), "model at the times of the guess"]] : []),
    ];
    return [...entries.map(([mark, text]) => element("li", {}, sample(mark), text)), ...pointEntries(this.found.dots)];
  }

  answer() {
    const { curve, dots } = this.found;
    const at = (x, y) => `${this.xScale.at(x).toFixed(1)} ${this.yScale.at(y).toFixed(1)}`;
    const path = { class: "curve main stroke-0 guess-curve", pathLength: 1, d: `M${curve.x.map((x, i) => at(x, curve.y[i])).join("L")}` };
    const own = this.modelPlaces.map((x) => svgElement("circle", { class: "model-dot fill-0", cx: this.xScale.at(x), cy: this.yScale.at(this.modelAt(x)), r: 4.5 }));
    return [svgElement("path", path), ...own, ...dots.map((dot) => this.dot(dot))];
  }

  dot(point) {
    const { x, end, value, label, evidence } = point;
    const { xScale, yScale } = this;
    const open = () => this.openEvidence([evidence], label);
    const name = `${label}: ${formatNumber(value)} at ${end > x ? `${x} to ${end}` : formatNumber(x)} ${this.row.x_unit}; ${kindWords(point)}. Open the published value`;
    const group = svgElement("g", { class: "published-point", role: "button", tabindex: "0", "aria-haspopup": "dialog", "aria-label": name, onclick: open });
    group.addEventListener("keydown", ({ key }) => key === "Enter" && open());
    const [left, right, middle] = [xScale.at(x), xScale.at(end), yScale.at(value)];
    const shape = end > x ? svgElement("rect", { x: left, y: middle - 2.4, width: right - left, height: 4.8, rx: 2 }) : null;
    const center = (left + right) / 2;
    const mark = pointMark(point, center, middle, { shape });
    group.append(svgElement("title", {}, name), ...mark, svgElement("circle", { class: "hit", cx: center, cy: middle, r: 12.5 }));
    return group;
  }

  rows() {
    if (!this.row) return [];
    const { x_label: xLabel, y_unit: unit } = this.row;
    const dots = this.found?.dots ?? [];
    return [
      ["what", xLabel, "value", "unit"],
      ...this.x.map((x, i) => ["your guess", x, this.guess[i] ?? "", unit]),
      ...(this.found ? this.found.curve.x.map((x, i) => ["model", x, this.found.curve.y[i], unit]) : []),
      ...dots.map(({ label, x, value }) => [label, x, value, unit]),
    ];
  }

  fillTable() {
    if (!this.row) return;
    const value = (number) => (number === null ? "–" : formatNumber(number));
    const model = (x) => (this.found ? formatNumber(this.modelAt(x)) : "not revealed");
    const rows = this.x.map((x, i) => [String(x), value(this.guess[i]), model(x)]);
    const own = table(this.row.y_label, [this.row.x_label, "your guess", "model"], rows);
    const dots = (this.found?.dots ?? []).map((dot) => [dot.label, dot.end > dot.x ? formatRange(dot.x, dot.end) : formatNumber(dot.x), formatNumber(dot.value)]);
    this.tablePlace.replaceChildren(own, dots.length ? table("Published values", ["source", this.row.x_label, "value"], dots) : "");
  }
}

// How the curve is computed, by the column `reads`: { x, y }.
const COURSES = {
  // The course over days after one treatment.
  async course(row, points) {
    const even = Array.from({ length: PER_DAY * (row.x_to - row.x_from) + 1 }, (_, i) => row.x_from + i / PER_DAY);
    const first = [0.02, 0.05, 0.1, 0.2, 0.4].filter((x) => x < row.x_to);
    const x = [...new Set([...even, ...points, ...first])].sort((a, b) => a - b);
    const { values } = await simulate({ ...treatmentOf(row, row.x_from), outputs: [row.output], times: x.map((days) => days * HOURS) });
    return { x, y: Array.from(values[row.output], (value) => row.factor * value) };
  },
  // The highest value, relative to rest, after each dose.
  peak: (row, points) =>
    overDoses(row, points, async (dose) => {
      const times = Array.from({ length: 25 }, (_, i) => (PEAK_HOURS * i) / 24);
      const { values } = await simulate({ ...treatmentOf(row, dose), outputs: [row.output], times });
      return (row.factor * Math.max(...values[row.output])) / values[row.output][0];
    }),
  // The share of simulated people in whom the value goes above a threshold, after each dose.
  share: (row, points) =>
    overDoses(row, points, (dose) => shareAbove(treatmentOf(row, dose).scenario, row.output, row.threshold)),
};

async function overDoses(row, points, valueAt) {
  const x = points.flatMap((dose, i) => {
    const next = points[i + 1] ?? dose;
    return next === dose ? [dose] : Array.from({ length: BETWEEN }, (_, k) => dose + ((next - dose) * k) / BETWEEN);
  });
  const y = [];
  for (const dose of x) y.push(await valueAt(dose));
  return { x, y };
}

function treatmentOf(row, x) {
  const { regimen, species } = row;
  const treatment = x > 0 || !regimen.includes("{x}") ? regimen.replace("{x}", x) : regimen.replace(/^.*\{x\} \S+/, "placebo");
  const horizon = row.x_unit === "days" ? `${row.x_to + 1} days` : "31 days";
  return { scenario: { treatments: [treatment], horizon, ...(species ? { species, person: {} } : { person: { weight: "70 kg" } }) } };
}

// Published values: those of a track for the same treatment, or evidence rows with their doses, e.g. "a:10;b:28-84".
async function dotsOf(row) {
  if (!row.dots.includes(":")) {
    const { published_values: found } = await postJson("/api/published-values", { scenario: treatmentOf(row, row.x_from).scenario });
    const own = found.filter((point) => point.track === row.dots && point.value !== null);
    return own.map((point) => ({ ...point, x: point.start / HOURS, end: point.start / HOURS }));
  }
  const places = list(row.dots).map((cell) => cell.split(":"));
  const { rows } = await getJson(`/api/evidence?ids=${places.map(([id]) => id).join(",")}`);
  return places.flatMap(([id, range]) => {
    const found = rows.find((one) => one.id === id);
    const [x, end = x] = range.split("-").map(Number);
    if (!found) return [];
    const label = /^.*?(?:\d{4}|(?=,)|$)/.exec(found.citation)[0];
    return [{ x, end, value: Number(found.value), label, evidence: id, fitted: found.fitted, recalled: found.reading_source === "recalled" }];
  });
}
