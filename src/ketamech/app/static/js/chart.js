// Charts that are not on the clock: days, patients, percent. Lines with whiskers, steps, and bars; a table behind each.

import { limits, roundSteps, Scale } from "./axis.js";
import { draw, fresh, make, table } from "./dom.js";
import { number } from "./words.js";
import { saveNumbers, savePicture } from "./picture.js";

const MARGIN = { left: 50, right: 16, top: 12, bottom: 40 }, DASHES = ["", "9 4", "2 4", "10 4 2 4", "5 3", "14 4"];

export class Chart {
  // series: { label, slot, x, y, low, high, step }
  constructor({ title, unit = "", across = "", height = 280, range = null }) {
    Object.assign(this, { title, unit, across, height, range, series: [] });
    const id = fresh("chart");
    this.svg = draw("svg", { role: "img" });
    this.keys = make("ul", { class: "keys" });
    this.behind = make("div", {});
    const save = (kind) => make("button", { class: "plain", type: "button", "aria-label": `Save “${title}” as ${kind.toUpperCase()}`, text: kind.toUpperCase(), onclick: () => savePicture(this.svg, title, kind, unit) });
    this.node = make("figure", { class: "fig", "aria-labelledby": id }, make("div", { class: "fig-head" }, make("h3", { id, text: title }), make("span", { class: "unit", text: unit }), make("div", { class: "tools" }, save("svg"), save("png"), make("button", { class: "plain", type: "button", "aria-label": `Save the numbers of “${title}” as CSV`, text: "CSV", onclick: () => saveNumbers(title, this.numbers()) }))),
      this.svg, this.keys, make("details", {}, make("summary", { text: "Table" }), this.behind));
    new ResizeObserver(() => this.redraw()).observe(this.node);
  }

  show(series) {
    this.series = series;
    this.redraw();
    const rows = series.flatMap((one) => one.x.map((x, i) => [one.label, number(x), number(one.y[i]), one.low ? `${number(one.low[i])} to ${number(one.high[i])}` : "–"]));
    this.behind.replaceChildren(table(this.title, ["", this.across, this.unit || "value", "interval"], rows.slice(0, 300)));
    this.svg.setAttribute("aria-label", `${this.title}. ${series.map((one) => `${one.label}: ${number(one.y[0])} at ${number(one.x[0])}, ${number(one.y.at(-1))} at ${number(one.x.at(-1))} ${this.across}`).join("; ")}. The table below holds the numbers.`);
    return this;
  }

  // Everything drawn, one number a row.
  numbers() {
    return [["what", this.across, "value", "low", "high", "unit"], ...this.series.flatMap((one) => one.x.map((x, i) => [one.label, x, one.y[i], one.low?.[i] ?? "", one.high?.[i] ?? "", this.unit]))];
  }

  redraw() {
    const width = Math.round(this.node.clientWidth), height = this.height;
    if (!width || !this.series.length) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const xs = this.series.flatMap((one) => one.x), ys = this.series.flatMap((one) => [...one.y, ...(one.low ?? []), ...(one.high ?? [])]);
    const [low, high] = limits(ys, this.range);
    const x = new Scale(MARGIN.left, width - MARGIN.right, Math.min(0, ...xs), Math.max(...xs) * 1.03 || 1), y = new Scale(height - MARGIN.bottom, MARGIN.top, low, high);
    this.svg.replaceChildren(...this.ground(x, y, width, height), ...this.series.flatMap((one) => line(one, x, y)));
    this.keys.replaceChildren(...this.series.map((one) => make("li", {}, draw("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" }, draw("path", { class: `curve s${one.slot}`, d: "M1 6H29", "stroke-dasharray": DASHES[one.slot] || null })), one.label)));
  }

  ground(x, y, width, height) {
    const bottom = height - MARGIN.bottom;
    const down = roundSteps(x.from, x.to, width > 500 ? 8 : 5).ticks.filter((t) => t <= x.to).flatMap((tick) => [draw("line", { class: "grid", x1: x.at(tick), x2: x.at(tick), y1: MARGIN.top, y2: bottom }), draw("text", { x: x.at(tick), y: bottom + 16, "text-anchor": "middle" }, number(tick))]);
    const up = roundSteps(y.from, y.to).ticks.flatMap((tick) => [draw("line", { class: "grid", x1: x.left, x2: x.right, y1: y.at(tick), y2: y.at(tick) }), draw("text", { x: x.left - 7, y: y.at(tick) + 4, "text-anchor": "end" }, number(tick))]);
    return [...down, ...up, draw("line", { class: "axis", x1: x.left, x2: x.right, y1: bottom, y2: bottom }), draw("text", { x: (x.left + x.right) / 2, y: height - 5, "text-anchor": "middle" }, this.across)];
  }
}

function line(one, x, y) {
  const whole = one.x.map((v, i) => [v, one.y[i], i]).filter(([, v]) => v !== null);
  let path = "", last = null;
  for (const [a, b] of whole) {
    path += last === null ? `M${x.at(a)} ${y.at(b)}` : one.step ? `H${x.at(a)}V${y.at(b)}` : `L${x.at(a)} ${y.at(b)}`;
    last = b;
  }
  const parts = [draw("path", { class: `curve s${one.slot}`, d: path, "stroke-dasharray": DASHES[one.slot] || null })];
  if (one.step) return parts;
  for (const [a, b, i] of whole) {
    const here = x.at(a) + (one.slot - 0.5) * 3;
    if (one.low && one.low[i] !== null) parts.push(draw("line", { class: `s${one.slot}`, x1: here, x2: here, y1: y.at(one.low[i]), y2: y.at(one.high[i]), "stroke-width": 1.4 }));
    parts.push(one.slot % 2 ? draw("rect", { class: `mark f${one.slot}`, x: here - 4.5, y: y.at(b) - 4.5, width: 9, height: 9 }) : draw("circle", { class: `mark f${one.slot}`, cx: here, cy: y.at(b), r: 5 }));
  }
  return parts;
}
