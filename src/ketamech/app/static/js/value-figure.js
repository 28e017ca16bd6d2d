// Published values of one quantity, one row each: a marker with its spread where that is a standard deviation, a standard
// error or an interval.

import { drawnButton, svgElement, table } from "./dom.js";
import { axisLimits, Figure, Scale } from "./figure.js";
import { formatNumber, publishedValue } from "./format.js";

const ROW = 26; // px
const MARGIN = { right: 16, top: 8, bottom: 26 };
const LABEL_SHARE = 0.42; // of the width
const LETTER = 6.4; // px
const SPREAD = /^(SD|SE|SEM) ([\d.]+)$/i;
const INTERVAL = /(-?[\d.]+) to (-?[\d.]+)/;

export class ValueFigure extends Figure {
  show(rows) {
    const time = ({ time: text }) => text || "–";
    this.items = rows.map((row) => ({ row, value: Number(row.value), ...limits(row) }));
    this.items.sort((a, b) => a.value - b.value);
    this.label = ({ row }) => [shortCitation(row), time(row), row.dose, row.species].filter(Boolean).join(", ");
    this.caption.textContent = "Line: as published (SD, SE or interval). A marker opens its source.";
    this.svg.setAttribute("role", "group");
    this.svg.setAttribute("aria-label", `${this.title}, ${this.unit}: ${rows.length} published values`);
    this.redraw();
    this.fillTable();
  }

  redraw() {
    const width = this.drawnWidth;
    if (!width || !this.items) return;
    const height = MARGIN.top + this.items.length * ROW + MARGIN.bottom;
    const left = Math.round(width * LABEL_SHARE);
    const [from, to] = axisLimits(this.items.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]));
    const x = new Scale(left, width - MARGIN.right, from, to);
    const tick = (value) => [
      svgElement("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: 0, y2: height - MARGIN.bottom }),
      svgElement("text", { x: x.at(value), y: height - 8, "text-anchor": "middle" }, formatNumber(value)),
    ];
    const ticks = [from, (from + to) / 2, to].flatMap(tick);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const most = Math.floor((left - 12) / LETTER);
    this.svg.replaceChildren(...ticks, ...this.items.flatMap((item, i) => this.item(item, i, x, most)));
  }

  item(item, i, x, most) {
    const y = MARGIN.top + (i + 0.5) * ROW;
    const label = this.label(item);
    const text = label.length > most ? `${label.slice(0, most - 1)}…` : label;
    const open = () => this.openEvidence?.([item.row.id], label);
    const name = `${label}: ${publishedValue(item.row)}`;
    const mark = drawnButton(
      { class: "published-point", "aria-haspopup": "dialog", "aria-label": name },
      open,
      svgElement("title", {}, label),
      item.low !== undefined &&
        svgElement("line", { class: "whisker", x1: x.at(item.low), x2: x.at(item.high), y1: y, y2: y }),
      svgElement("circle", { class: "point", cx: x.at(item.value), cy: y, r: 4.8 }),
      svgElement("circle", { class: "hit", cx: x.at(item.value), cy: y, r: 12 }),
    );
    return [svgElement("text", { x: 4, y: y + 4 }, text), mark];
  }

  fillTable() {
    const cells = (item) => [this.label(item), formatNumber(item.value), item.row.spread || "–"];
    this.tablePlace.replaceChildren(table(this.title, ["source", this.unit, "spread"], this.items.map(cells)));
  }

  rows() {
    const row = ({ row: one, value, low, high }) => [one.citation, one.id, value, low ?? "", high ?? "", one.unit];
    return [["source", "id", "value", "low", "high", "unit"], ...this.items.map(row)];
  }
}

function limits({ value, spread }) {
  const [, , deviation] = SPREAD.exec(spread) ?? [];
  if (deviation) return { low: Number(value) - Number(deviation), high: Number(value) + Number(deviation) };
  const [, low, high] = INTERVAL.exec(spread) ?? [];
  return low === undefined ? {} : { low: Number(low), high: Number(high) };
}

// First author and year.
function shortCitation({ citation }) {
  const year = /\b(19|20)\d\d\b/.exec(citation)?.[0] ?? "";
  return `${citation.split(/[\s,.]/)[0]} ${year}`.trim();
}
