// A figure on the one clock: curves, what the same person has without the drug, bands, published points; keys that read
// the clock; a table behind it; and ways to take it away.

import { clock } from "./clock.js";
import { clockMarks, clockScale, limits, roundSteps, Scale } from "./axis.js";
import { draw, fresh, make, table } from "./dom.js";
import { at, extreme, hoursInWords, number, withUnit } from "./words.js";
import { saveNumbers, savePicture } from "./picture.js";

const MARGIN = { left: 46, right: 14, top: 12, bottom: 24 };
const DASHES = ["", "9 4", "2 4", "10 4 2 4", "5 3", "14 4"];
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring"];
const BEGIN = 0.0166; // what comes before the first minute of the clock is not drawn
const MOMENTS = [1 / 6, 2 / 3, 2, 4, 24, 72, 168, 336, 672, 1344, 2016, 4368, 8736];

export class Figure {
  constructor({ title, unit = "", height = 250, openEvidence = null, range = null, level = 3 }) {
    Object.assign(this, { title, unit, height, openEvidence, range });
    this.data = null;
    const name = fresh("fig");
    this.svg = draw("svg", { role: "img", "aria-label": `${title}: no curve yet` });
    this.keys = make("ul", { class: "keys" });
    this.line = make("p", { class: "say loading", text: "Computing …" });
    this.behind = make("div", {});
    this.details = make("details", {}, make("summary", { text: "Table" }), this.behind);
    this.details.addEventListener("toggle", () => this.details.open && this.tabulate());
    const save = (kind) => make("button", { class: "plain", type: "button", "aria-label": `Save “${title}” as ${kind.toUpperCase()}`, onclick: () => savePicture(this.svg, title, kind, this.unit), text: kind.toUpperCase() });
    this.unitWords = make("span", { class: "unit", text: unit });
    this.node = make("figure", { class: "fig empty", "aria-labelledby": name },
      make("div", { class: "fig-head" }, make(`h${level}`, { id: name, text: title }), this.unitWords, make("div", { class: "tools" }, save("svg"), save("png"), make("button", { class: "plain", type: "button", "aria-label": `Save the numbers of “${title}” as CSV`, onclick: () => this.data && saveNumbers(this.title, this.numbers()), text: "CSV" }))),
      this.svg, this.keys, this.line, this.details);
    this.follow();
  }

  follow() {
    clock.listen(() => this.tick());
    clock.spanned.add(() => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(this.node);
    const move = (event) => {
      if (!this.x || (event.pointerType !== "mouse" && event.buttons === 0)) return;
      const box = this.svg.getBoundingClientRect();
      clock.set(this.x.back(((event.clientX - box.left) / box.width) * this.width));
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerdown", move);
  }

  // data: { series: [{ time, y, label, slot, kind: main|minor|control|before }], areas, points, doses, say }
  show(data) {
    this.data = data;
    this.node.classList.remove("empty", "stale");
    this.line.classList.remove("loading");
    if (data.unit !== undefined) { this.unit = data.unit; this.unitWords.textContent = data.unit; }
    this.redraw();
    if (this.details.open) this.tabulate();
  }

  stale() { this.node.classList.add("stale"); }

  get shown() { return this.data.series.filter((one) => one.kind === "main" || one.kind === "minor"); }

  redraw() {
    const width = Math.round(this.node.clientWidth);
    if (!width || !this.data) return;
    this.width = width;
    const { series, areas = [], points = [], doses = [] } = this.data;
    const height = width < 480 ? Math.min(this.height, 230) : this.height;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const drawn = [...series.map((s) => s.y), ...areas.flatMap((a) => [a.low, a.high]), points.flatMap((p) => [p.value, p.low ?? p.value, p.high ?? p.value])].flat();
    const [low, high] = limits(drawn, this.range);
    const x = (this.x = clockScale(MARGIN.left, width - MARGIN.right));
    const y = (this.y = new Scale(height - MARGIN.bottom, MARGIN.top, low, high));
    this.cursor = draw("g", { class: "now-marks" });
    this.svg.replaceChildren(
      this.ground(x, y, width, height), ...areas.map((a) => area(a, x, y)),
      ...[...series].reverse().map((s) => curve(s, x, y)), this.dots(points, x, y, doses, height), this.cursor);
    this.svg.setAttribute("aria-label", this.inWords());
    this.line.textContent = this.data.say ?? "";
    this.tick();
  }

  ground(x, y, width, height) {
    const place = draw("g", {});
    const bottom = height - MARGIN.bottom;
    for (const [hours, text] of clockMarks(width)) {
      const here = x.at(hours), last = hours > 0.98 * clock.last;
      place.append(draw("line", { class: "grid", x1: here, x2: here, y1: MARGIN.top, y2: bottom }), draw("text", { x: here, y: height - 7, "text-anchor": last ? "end" : hours === 0 ? "start" : "middle" }, text));
    }
    for (const tick of roundSteps(y.from, y.to).ticks) {
      const here = y.at(tick);
      place.append(draw("line", { class: "grid", x1: x.left, x2: x.right, y1: here, y2: here }), draw("text", { x: x.left - 7, y: here + 4, "text-anchor": "end" }, number(tick)));
    }
    place.append(draw("line", { class: "axis", x1: x.left, x2: x.right, y1: bottom, y2: bottom }));
    return place;
  }

  dots(points, x, y, doses, height) {
    const place = draw("g", { class: "points" });
    const bottom = height - MARGIN.bottom;
    for (const hours of doses.filter((h) => h > 1 && h < clock.last)) place.append(draw("path", { class: "dose", d: `M${x.at(hours) - 3.5} ${bottom + 6}h7l-3.5 -6z` }));
    for (const p of points) {
      if (p.value === null || p.start > clock.last) continue;
      const here = x.at(Math.max(p.start, 1 / 60)), there = x.at(Math.max(p.end, 1 / 60)), up = y.at(p.value);
      const words = `${p.label}: ${withUnit(p.value, this.unit)}${p.low !== null && p.high !== null ? ` (${number(p.low)} to ${number(p.high)})` : ""}, ${p.shape === "level" ? "published height" : hoursInWords(p.start)}${p.translated ? "; translated" : ""}`;
      const group = draw("g", { onclick: () => this.openEvidence?.([p.evidence], p.label) }, draw("title", {}, words));
      if (p.low !== null && p.high !== null) group.append(draw("line", { class: "whisker", x1: here, x2: here, y1: y.at(p.low), y2: y.at(p.high) }));
      const form = p.slot !== undefined ? shape(SHAPES[p.slot], here, up, p.slot) : p.shape === "point" ? draw("circle", { cx: here, cy: up, r: 4.2 }) : draw("rect", { x: p.shape === "span" ? here : here - 8, y: up - 2.4, width: p.shape === "span" ? Math.max(8, there - here) : 16, height: 4.8, rx: 2 });
      form.setAttribute("class", `${p.slot === undefined ? "point" : `published s${p.slot} f${p.slot}`}${p.translated ? " hollow" : ""}`);
      group.append(form);
      place.append(group);
    }
    return place;
  }

  tick() {
    if (!this.data || !this.cursor || !this.x) return;
    const hours = clock.hours, here = this.x.at(hours);
    const marks = [draw("line", { class: "cursor", x1: here, x2: here, y1: this.y.right, y2: this.y.left })];
    const keys = this.shown.map((one) => {
      const value = at(one.time, one.y, hours);
      if (value !== null) marks.push(shape(SHAPES[one.slot], here, this.y.at(value), one.slot));
      return make("li", {}, sample(one), `${one.label} `, make("b", { text: withUnit(value, this.unit) }));
    });
    for (const one of this.data.series.filter((s) => s.kind === "control" || s.kind === "before")) {
      if (one.quiet) continue;
      keys.push(make("li", {}, sample(one), `${one.label} `, make("b", { text: withUnit(at(one.time, one.y, hours), this.unit) })));
    }
    for (const zone of this.data.areas ?? []) if (zone.label) keys.push(make("li", {}, swatch(zone), zone.label));
    this.cursor.replaceChildren(...marks);
    this.keys.replaceChildren(...keys);
  }

  // Everything drawn, one number a row.
  numbers() {
    const { series, areas = [], points = [] } = this.data;
    return [["what", "kind", "time_h", "value", "low", "high", "unit"],
      ...series.flatMap((one) => one.time.map((t, i) => [one.label, one.kind === "main" || one.kind === "minor" ? "curve" : one.kind, t, one.y[i], "", "", this.unit])),
      ...areas.filter((zone) => zone.label).flatMap((zone) => zone.time.map((t, i) => [zone.label, "band", t, "", zone.low[i], zone.high[i], this.unit])),
      ...points.filter((p) => p.value !== null).map((p) => [p.label, p.translated ? "published, translated" : "published", p.start, p.value, p.low ?? "", p.high ?? "", this.unit])];
  }

  inWords() {
    const parts = this.shown.map((one) => {
      const top = extreme(one.time, one.y);
      return `${one.label}: ${withUnit(top.from, this.unit)} at the start, ${withUnit(top.value, this.unit)} at ${hoursInWords(top.hours)}`;
    });
    const count = this.data.points?.length ?? 0;
    return `${this.title}${this.unit ? `, ${this.unit}` : ""}. ${parts.join("; ")}.${count ? ` ${count} published points.` : ""} The table below holds the numbers.`;
  }

  tabulate() {
    if (!this.data) return;
    const named = this.data.series.filter((one) => !one.quiet);
    const last = Math.max(...named.map((one) => one.time[one.time.length - 1]));
    const rows = MOMENTS.filter((h) => h <= last + 1e-6).map((h) => [hoursInWords(h), ...named.map((one) => number(at(one.time, one.y, h)))]);
    this.behind.replaceChildren(table(`${this.title}, ${this.unit || "relative"}`, ["time", ...named.map((one) => one.label)], rows));
    const points = (this.data.points ?? []).filter((p) => p.value !== null);
    if (points.length) this.behind.append(table("Published", ["paper", "when", "value", "spread", "how"], points.map((p) => [
      this.openEvidence ? make("button", { class: "plain", type: "button", text: p.label, onclick: () => this.openEvidence([p.evidence], p.label) }) : p.label,
      p.shape === "level" ? "its height" : hoursInWords(p.start), number(p.value), p.low === null ? "–" : `${number(p.low)} to ${number(p.high)}`, p.translated ? "translated" : "in people"])));
  }
}

function path(time, y, x, up) {
  let text = "", pen = "M";
  for (let i = 0; i < time.length; i++) {
    if (y[i] === null || time[i] < BEGIN) { if (y[i] === null) pen = "M"; continue; }
    if (time[i] > clock.last) break;
    text += `${pen}${x.at(time[i]).toFixed(1)} ${up.at(y[i]).toFixed(1)}`;
    pen = "L";
  }
  return text;
}

function curve(one, x, y) {
  const own = ["main", "minor", "edge"].includes(one.kind);
  return draw("path", { class: own ? `curve ${one.kind} s${one.slot}` : one.kind, d: path(one.time, one.y, x, y), "stroke-dasharray": own ? DASHES[one.slot] || null : null });
}

function area(a, x, y) {
  const there = path(a.time, a.high, x, y);
  const back = a.time.map((t, i) => [t, a.low[i]]).filter(([t, v]) => v !== null && t >= BEGIN && t <= clock.last).reverse().map(([t, v]) => `L${x.at(t).toFixed(1)} ${y.at(v).toFixed(1)}`).join("");
  return draw("path", { class: `area ${a.kind} f${a.slot}`, d: `${there}${back}Z` });
}

function shape(kind, x, y, slot) {
  const given = { class: `mark f${slot}` };
  if (kind === "square") return draw("rect", { ...given, x: x - 4.5, y: y - 4.5, width: 9, height: 9 });
  if (kind === "triangle") return draw("path", { ...given, d: `M${x} ${y - 6}L${x + 5.5} ${y + 4.5}H${x - 5.5}Z` });
  if (kind === "diamond") return draw("path", { ...given, d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` });
  if (kind === "cross") return draw("path", { ...given, d: `M${x - 2} ${y - 6}h4v4h4v4h-4v4h-4v-4h-4v-4h4z` });
  return draw("circle", { ...given, cx: x, cy: y, r: kind === "ring" ? 4 : 5 });
}

function sample(one) {
  const line = draw("svg", { viewBox: "0 0 30 12", class: "fig", "aria-hidden": "true" });
  if (one.kind === "main" || one.kind === "minor") line.append(draw("path", { class: `curve s${one.slot}`, d: "M1 6H29", "stroke-dasharray": DASHES[one.slot] || null }), shape(SHAPES[one.slot], 15, 6, one.slot));
  else line.append(draw("path", { class: one.kind, d: "M1 6H29" }));
  return line;
}

const swatch = (zone) => draw("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" }, draw("rect", { class: `area ${zone.kind} f${zone.slot}`, x: 1, y: 1, width: 28, height: 10 }));

// The look of case i, for its card.
export const sampleLine = (slot) => sample({ slot, kind: "main" });
