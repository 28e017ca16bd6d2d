// A figure over the selected time range: curves, bands, published points and a line at the selected time. A pointer in
// the figure sets the time.

import { element, linkButton, setAttribute, setText, svgElement, table } from "./dom.js";
import { extremum, formatNumber, formatRange, formatTime, formatTimeLong, formatWithUnit, interpolate, shownValue } from "./format.js";
import {
  axesOf,
  axisLimits,
  bandAttributes,
  bandSample,
  curveAttributes,
  Figure,
  legendSample,
  marker,
  Scale,
  timeScale,
} from "./figure.js";
import { TABLE_BELOW } from "./figure-share.js";
import { kindWords, pointCount, pointEntries, pointMark } from "./point-marks.js";
import { FIRST_HOUR, selectedTime } from "./time-slider.js";

export const MARGIN = { left: 46, right: 14, top: 12, bottom: 24 };
const FIRST_DRAWN = 0.0166; // h; what comes before the first minute is not drawn
const NARROW = 480; // px
const LETTER = 6.6; // px, about, of a tick
const HIT_RADIUS = 12.5; // px: more than 24 across
const TABLE_HOURS = [1 / 6, 2 / 3, 2, 4, 24, 72, 168, 336, 672, 1344, 2016, 4368, 8736];

// The time from the last move of a dose slider to now, for the browser test.
export function measureRedraw(name) {
  const start = performance.getEntriesByName("dose changed").at(-1)?.startTime ?? performance.now();
  performance.measure(name, { start, end: performance.now() });
}

export class TimeFigure extends Figure {
  constructor(settings) {
    super(settings);
    this.data = null;
    this.narrowHeight = settings.narrowHeight ?? 230;
    this.ownClock = settings.clock ?? null; // a time range of its own; else that of the page
    this.caption.textContent = "Computing …";
    this.caption.classList.add("loading");
    this.node.classList.add("empty");
    selectedTime.whileNear(this.node, { onFrame: () => this.moveTimeMarks(), onChange: () => this.writeValues() });
    selectedTime.onRangeChange(() => this.redraw());
    const select = (event) => this.selectTimeAt(event);
    this.svg.addEventListener("pointermove", select);
    this.svg.addEventListener("pointerdown", select);
    this.svg.addEventListener("click", (event) => this.openNearest(event));
  }

  // data: {
  //   series: [{ time, y, label, index, colour, kind }], kind: main | minor | edge | control | reference; without a
  //     legend entry where `unlisted`; `listed`: the values of the legend and the table where they are not `y`
  //   bands: [{ time, low, high, index, colour, kind: outer | inner, label }]
  //   points: published points of the server; with an `index` they take its colour and shape
  //   doses: hours, caption, unit }
  show(data) {
    this.data = { bands: [], points: [], doses: [], caption: "", ...data };
    this.node.classList.remove("empty", "stale");
    this.caption.classList.remove("loading");
    if (data.unit !== undefined) {
      this.unit = data.unit;
      this.unitNode.textContent = data.unit;
    }
    this.redraw();
    if (this.details.open) this.fillTable();
  }

  get clock() {
    return this.ownClock ?? selectedTime.range;
  }

  get shownTime() {
    return `Values and vertical line: ${formatTimeLong(selectedTime.hours)} after the start.`;
  }

  markStale() {
    this.node.classList.add("stale");
  }

  get curves() {
    return this.data.series.filter((one) => one.kind === "main" || one.kind === "minor");
  }

  // Only a pressed pointer sets the time, and not on a published point, which opens its source.
  selectTimeAt(event) {
    if (!this.x || event.buttons === 0 || event.target.closest(".published-point")) return;
    const box = this.svg.getBoundingClientRect();
    selectedTime.set(this.x.valueAt(((event.clientX - box.left) / box.width) * this.width));
  }

  redraw() {
    const width = this.drawnWidth;
    if (!width || !this.data) return;
    const height = width < NARROW ? Math.min(this.height, this.narrowHeight) : this.height;
    const { series, bands, points, caption } = this.data;
    const [low, high] = withinScale(axisLimits(drawnValues(this.data), this.range), this.unit);
    this.width = width;
    this.x = timeScale(MARGIN.left, width - MARGIN.right, this.clock);
    this.y = new Scale(height - MARGIN.bottom, MARGIN.top, low, high);
    this.timeMarks = svgElement("g", { class: "time-marks" });
    this.places = [];
    const shownPoints = points.filter((point) => this.isShown(point)).map((point) => this.publishedPoint(point));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.caption.textContent = caption;
    if (!series.length) return this.showNothing();
    this.svg.replaceChildren(
      this.axes(width),
      ...bands.map((band) => bandPath(band, this.x, this.y, this.clock)),
      ...[...series].reverse().map((one) => curvePath(one, this.x, this.y, this.clock)),
      this.doseMarks(height),
      this.timeMarks,
      svgElement("g", { class: "points" }, shownPoints),
    );
    // Points that open their source make the drawing a group: an image has no controls inside.
    this.svg.setAttribute("role", shownPoints.length && this.openEvidence ? "group" : "img");
    this.svg.setAttribute("aria-label", this.description());
    this.addTimeMarks();
    this.showSelectedTime();
  }

  // Without a curve there is nothing that axes could be of; the caption says why.
  showNothing() {
    this.svg.replaceChildren();
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("aria-label", `${this.title}. ${this.caption.textContent}`);
    this.legend.replaceChildren();
    this.timeMarks = null;
  }

  axes(width) {
    const anchor = (hours) => (hours > 0.98 * this.clock.last ? "end" : hours <= FIRST_HOUR ? "start" : "middle");
    const ticks = visibleTicks(width, this.clock).map(([value, text]) => ({ value, text, anchor: anchor(value) }));
    const isFree = ({ value, text }, next) => !next || this.x.at(next.value) - this.x.at(value) > LETTER * (next.text.length + text.length / 2) + LETTER;
    return axesOf(this.x, this.y, ticks.filter((tick, i) => i < ticks.length - 2 || isFree(tick, ticks[i + 1])));
  }

  doseMarks(height) {
    const shown = this.data.doses.filter((hours) => hours > 1 && hours < this.clock.last);
    const mark = (hours) => `M${this.x.at(hours) - 3.5} ${height - MARGIN.bottom + 6}h7l-3.5 -6z`;
    const marks = shown.map((hours) => svgElement("path", { class: "dose", d: mark(hours) }));
    return svgElement("g", {}, marks);
  }

  publishedPoint(point) {
    const { x, y } = this;
    const left = x.at(Math.max(point.start, FIRST_HOUR));
    const right = x.at(Math.max(point.end, FIRST_HOUR));
    const middle = y.at(point.value);
    const text = this.pointText(point);
    const role = this.openEvidence ? { role: "button", tabindex: "0", "aria-haspopup": "dialog" } : { role: "img" };
    const group = svgElement(
      "g",
      { class: "published-point", ...role, "aria-label": text },
    );
    for (const event of ["pointerenter", "focus"]) group.addEventListener(event, () => this.showPointNote(text, left, middle));
    for (const event of ["pointerleave", "blur"]) group.addEventListener(event, () => this.showPointNote(""));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.openPoint(point);
    });
    this.places.push({ point, x: left, y: middle });
    if (hasSpread(point)) {
      const ends = { x1: left, x2: left, y1: y.at(Math.max(point.low, y.from)), y2: y.at(point.high) };
      group.append(svgElement("line", { class: "whisker", ...ends }));
    }
    const className = point.index === undefined ? "point" : `published stroke-${point.index} fill-${point.index}`;
    const center = point.shape === "span" ? (left + right) / 2 : left;
    group.append(...pointMark(point, center, middle, { shape: pointShape(point, left, right, middle), className }));
    group.append(svgElement("circle", { class: "hit", cx: left, cy: middle, r: HIT_RADIUS }));
    return group;
  }

  isShown(point) {
    return point.value !== null && point.start <= this.clock.last;
  }

  // What a published point is, beside it, while the pointer or the focus is on it.
  showPointNote(text, x = 0, y = 0) {
    this.pointNote ??= this.node.appendChild(element("div", { class: "point-note", "aria-hidden": "true" }));
    this.pointNote.textContent = text;
    this.pointNote.hidden = !text;
    const scale = this.svg.clientWidth / this.width;
    this.pointNote.style.left = `${Math.max(0, Math.min(x * scale - 40, this.svg.clientWidth - 250))}px`;
    const above = this.svg.getBoundingClientRect().top - this.node.getBoundingClientRect().top; // an SVG has no offsetTop
    this.pointNote.style.top = `${above + y * scale + 14}px`;
  }

  openPoint(point) {
    this.openEvidence?.(
      [point.evidence],
      `${point.label}: ${formatWithUnit(point.value, this.pointUnit ?? this.unit)} in the figure${point.how ? `; ${point.how}` : ""}`,
    );
  }

  // Points often lie closer together than a finger is wide: the nearest one opens.
  openNearest(event) {
    if (!event.target.closest(".published-point")) return;
    const box = this.svg.getBoundingClientRect();
    const scale = this.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const distance = (place) => Math.hypot(place.x - x, place.y - y);
    const [nearest] = [...this.places].sort((a, b) => distance(a) - distance(b));
    if (nearest) this.openPoint(nearest.point);
  }

  pointText(point) {
    const spread = hasSpread(point) ? ` (${formatRange(point.low, point.high)})` : "";
    const time = point.shape === "level" ? "time not published" : formatTime(point.start);
    const how = point.how ? `; ${point.how}` : "";
    return `${point.label}: ${formatWithUnit(point.value, this.unit)}${spread}, ${time}; ${kindWords(point)}${how}`;
  }

  // The cursor, a marker on each curve, and the legend; the time moves them without making new nodes.
  addTimeMarks() {
    this.cursor = svgElement("line", { class: "cursor", x1: 0, x2: 0, y1: this.y.end, y2: this.y.start });
    this.moving = this.curves.map((one) => ({ one, mark: marker(one.index, 0, 0, one.colour) }));
    const isOther = ({ kind, unlisted }) => (kind === "control" || kind === "reference") && !unlisted;
    this.listed = [...this.curves, ...this.data.series.filter(isOther)].map((one) => ({
      one,
      shown: element("b", {}),
    }));
    const entries = this.listed.map(({ one, shown }) => element("li", {}, legendSample(one), `${one.label} `, shown));
    const bands = this.data.bands.filter((band) => band.label);
    entries.push(...bands.map((band) => element("li", {}, bandSample(band), band.label)));
    entries.push(...pointEntries(this.data.points.filter((point) => this.isShown(point))));
    this.timeMarks.replaceChildren(this.cursor, ...this.moving.map(({ mark }) => mark));
    this.legend.replaceChildren(...entries);
  }

  showSelectedTime() {
    this.moveTimeMarks();
    this.writeValues();
  }

  // All marks of the time move sideways together.
  moveTimeMarks() {
    if (!this.data || !this.timeMarks || !this.moving) return;
    const { hours } = selectedTime;
    setAttribute(this.timeMarks, "transform", `translate(${this.x.at(hours).toFixed(1)} 0)`);
    for (const { one, mark } of this.moving) {
      const y = interpolate(one.time, one.y, hours);
      setAttribute(mark, "transform", `translate(0 ${this.y.at(y ?? this.y.from).toFixed(1)})`);
      setAttribute(mark, "visibility", y === null ? "hidden" : "visible");
    }
  }

  writeValues() {
    if (!this.data || !this.timeMarks || !this.listed) return;
    for (const { one, shown } of this.listed) setText(shown, formatWithUnit(valueAt(one, selectedTime.hours), this.unit));
  }

  rows() {
    if (!this.data) return [];
    const { series, bands, points } = this.data;
    const kind = (one) => (one.kind === "main" || one.kind === "minor" ? "curve" : one.kind);
    return [
      ["what", "kind", "time_h", "value", "low", "high", "unit"],
      ...series.flatMap((one) =>
        one.time.map((t, i) => [one.label, kind(one), t, (one.listed ?? one.y)[i], "", "", this.unit]),
      ),
      ...bands.flatMap((band) =>
        band.time.map((t, i) => [band.label, "band", t, "", band.low[i], band.high[i], this.unit]),
      ),
      ...points
        .filter((point) => point.value !== null)
        .map((point) => {
          return [point.label, kindWords(point), point.start, point.value, point.low ?? "", point.high ?? "", this.unit];
        }),
    ];
  }

  // For a screen reader.
  description() {
    const parts = this.curves.map((one) => {
      const far = extremum(one.time, one.listed ?? one.y);
      const first = `${formatWithUnit(far.first, this.unit)} at the start`;
      return `${one.label}: ${first}, ${formatWithUnit(far.value, this.unit)} at ${formatTime(far.hours)}`;
    });
    const unit = this.unit ? `, ${this.unit}` : "";
    return `${this.title}${unit}. ${parts.join("; ")}.${pointCount(this.data.points)}${TABLE_BELOW}`;
  }

  fillTable() {
    if (!this.data) return;
    const named = this.data.series.filter((one) => !one.unlisted && one.label);
    const last = Math.max(...named.map((one) => one.time.at(-1)));
    const rows = TABLE_HOURS.filter((hours) => hours <= last + 1e-6).map((hours) => [
      formatTime(hours),
      ...named.map((one) => formatNumber(shownValue(valueAt(one, hours), this.unit))),
    ]);
    const head = ["time", ...named.map((one) => one.label)];
    this.tablePlace.replaceChildren(table(`${this.title}, ${this.unit || "relative"}`, head, rows));
    const points = this.data.points.filter((point) => point.value !== null);
    if (!points.length) return;
    const published = points.map((point) => this.pointRow(point));
    this.tablePlace.append(table("Published values", ["source", "time", "value", "spread", "kind"], published));
  }

  pointRow(point) {
    const open = () => this.openEvidence([point.evidence], point.label);
    return [
      this.openEvidence ? linkButton(point.label, open) : point.label,
      point.shape === "level" ? "not published" : formatTime(point.start),
      formatNumber(point.value),
      point.low === null ? "–" : formatRange(point.low, point.high),
      kindWords(point),
    ];
  }
}

const valueAt = (one, hours) => interpolate(one.time, one.listed ?? one.y, hours);
const hasSpread = (point) => point.low !== null && point.high !== null;

// The axis of a score begins at its lowest score, e.g. of "points, 0 to 38".
function withinScale([low, high], unit) {
  const [, least] = /^points, (\d+) to \d+/.exec(unit) ?? [];
  return [least === undefined ? low : Math.max(low, Number(least)), high];
}

function drawnValues({ series, bands, points }) {
  return [
    ...series.map((one) => one.y),
    ...bands.flatMap((band) => [band.low, band.high]),
    points.flatMap((point) => [point.value, point.low ?? point.value, point.high ?? point.value]),
  ].flat();
}

// Every second tick where the figure is narrow.
function visibleTicks(width, { ticks }) {
  return width > 520 ? ticks : ticks.filter((_, i) => i % 2 === (ticks.length + 1) % 2);
}

export function pathOf(time, values, x, y, { last } = selectedTime.range) {
  let path = "";
  let command = "M";
  for (let i = 0; i < time.length; i++) {
    if (values[i] === null) command = "M";
    if (values[i] === null || time[i] < FIRST_DRAWN) continue;
    if (time[i] > last) break;
    path += `${command}${x.at(time[i]).toFixed(1)} ${y.at(values[i]).toFixed(1)}`;
    command = "L";
  }
  return path;
}

const curvePath = (one, x, y, clock) =>
  svgElement("path", { ...curveAttributes(one), d: pathOf(one.time, one.y, x, y, clock) });

export function bandPath(band, x, y, clock = selectedTime.range) {
  const inside = (t, value) => value !== null && t >= FIRST_DRAWN && t <= clock.last;
  const lower = band.time.map((t, i) => [t, band.low[i]]).filter(([t, value]) => inside(t, value));
  const back = lower.reverse().map(([t, value]) => `L${x.at(t).toFixed(1)} ${y.at(value).toFixed(1)}`);
  return svgElement("path", { ...bandAttributes(band), d: `${pathOf(band.time, band.high, x, y, clock)}${back.join("")}Z` });
}

// A bar over a span of time, a short dash for a level whose time was not published; null: a mark at a time.
function pointShape(point, left, right, middle) {
  if (point.index !== undefined) return marker(point.index, left, middle);
  if (point.shape === "point") return null;
  const isSpan = point.shape === "span";
  const width = isSpan ? Math.max(8, right - left) : 16;
  return svgElement("rect", { x: isSpan ? left : left - 8, y: middle - 2.4, width, height: 4.8, rx: 2 });
}
