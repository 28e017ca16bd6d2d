// What the drug adds to the fall of the score, divided among the ways by which it acts: a ribbon over time below the mood
// curve, which way carries most when, and a bar of the parts at the clock's time.

import { element, setAttribute, setText, svgElement } from "./dom.js";
import { bandSample, Scale, timeScale } from "./figure.js";
import { formatTimeLong } from "./format.js";
import { TIMES } from "./mood-runs.js";
import { bandPath, MARGIN, pathOf } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";
import { LEAST, NOTHING, points } from "./ways.js";

const HEIGHT = 24; // px
const LETTER = 7.4; // px, about, of a name
const NAMED = 0.5; // share from which a band may bear its name
const READ_OUT = [1, 24, 72, 168]; // h
const MOST_ACTS = 4; // in words
const SUBJECT = "What the drug adds";

export class WaysRibbon {
  constructor(ways, place, withTerms) {
    this.ways = ways;
    this.withTerms = withTerms;
    this.place = place;
    this.svg = svgElement("svg", { role: "img", "aria-label": "Computing …", height: HEIGHT });
    this.caption = element("figcaption", { id: "leading-way" });
    place.append(element("figure", { class: "figure" }, this.caption, this.svg));
    ways.onChange(() => this.show());
    selectedTime.whileNear(place, { onFrame: () => this.showSelectedTime() });
    selectedTime.onRangeChange(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.svg.parentNode);
  }

  markStale() {
    this.place.classList.add("stale");
  }

  show() {
    this.place.classList.remove("stale");
    this.draw();
  }

  get isDrawn() {
    return this.ways.found && !this.ways.isSmall;
  }

  draw() {
    const width = Math.round(this.svg.parentNode.clientWidth);
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { areas = [], others = [] } = this.isDrawn ? this.bands(width) : {};
    this.svg.replaceChildren(...areas);
    this.caption.replaceChildren(...this.withTerms(this.order()), ...(others.length ? ["Also: ", ...others] : []));
    this.svg.setAttribute("aria-label", this.description());
    this.showSelectedTime();
  }

  // The shares of the ways as bands on top of each other, where the drug adds enough; the names where they are largest,
  // or in the caption.
  bands(width) {
    const { found, rows } = this.ways;
    const x = timeScale(MARGIN.left, width - MARGIN.right);
    const y = new Scale(HEIGHT, 0, 0, 1);
    const isDivided = found.drug.map((value, t) => value >= LEAST && TIMES[t] > 0);
    const positive = found.values.map((curve) => curve.map((value) => Math.max(0, value)));
    const sums = TIMES.map((_, t) => positive.reduce((sum, curve) => sum + curve[t], 0));
    let lower = TIMES.map(() => 0);
    const names = [];
    const others = [];
    const areas = rows.map(({ label, means, colour }, i) => {
      const upper = lower.map((value, t) => value + positive[i][t] / sums[t]);
      const inside = (edge) => edge.map((value, t) => (isDivided[t] ? value : null));
      const band = { time: TIMES, low: inside(lower), high: inside(upper), kind: "layer", index: colour };
      const large = TIMES.map((_, t) => t).filter((t) => isDivided[t] && upper[t] - lower[t] >= NAMED);
      const name = large.length ? nameIn(band, large, label, x, y) : null;
      if (name) names.push(name);
      else others.push(element("span", { class: "band-name", title: means }, bandSample(band), label));
      lower = upper;
      const area = bandPath(band, x, y);
      area.append(svgElement("title", {}, `${label}: ${means}`));
      return [area, svgElement("path", { class: `way-edge stroke-${colour}`, d: pathOf(TIMES, band.high, x, y) })];
    });
    this.x = x;
    this.cursor = svgElement("line", { class: "cursor", x1: 0, x2: 0, y1: -4, y2: HEIGHT });
    return { areas: [...areas.flat(), this.cursor, ...names], others };
  }

  showSelectedTime() {
    if (this.cursor?.isConnected) setAttribute(this.cursor, "transform", `translate(${this.x.at(selectedTime.hours).toFixed(1)} 0)`);
  }

  description() {
    if (!this.ways.found) return "The score exists for people only.";
    if (this.ways.isSmall) return NOTHING;
    return `${SUBJECT}, divided among its ways. ${READ_OUT.map((hours) => `After ${formatTimeLong(hours)} ${this.sentenceAt(hours)}`).join(" ")}`;
  }

  // E.g. "the drug adds 5.5 points: 4.3 by synapse and spines, 0.7 by other ways and 0.3 by the habenula."
  sentenceAt(hours) {
    const { drug, ways } = this.ways.pointsAt(hours);
    const parts = this.ways.rows.map(({ by }, i) => ({ by, value: ways[i] })).filter(({ value }) => value);
    const words = parts.sort((a, b) => b.value - a.value).map(({ by, value }) => `${points(value)} by ${by}`);
    const list = [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
    return list ? `the drug adds ${points(drug)} points: ${list}.` : "the drug adds nothing.";
  }

  // Which way carries most of the drug's part, one after the other.
  order() {
    if (!this.isDrawn) return this.ways.found ? NOTHING : "";
    const { drug, values } = this.ways.found;
    const acts = [];
    TIMES.forEach((hours, t) => {
      if (hours < 0 || drug[t] < LEAST) return;
      const sizes = values.map((curve) => curve[t]);
      const way = sizes.indexOf(Math.max(...sizes));
      const last = acts.at(-1);
      if (last?.way !== way) acts.push({ way });
      if (last && last.way !== way) last.until = crossing(values[last.way], values[way], t);
      acts.at(-1).until = hours;
    });
    const shown = acts.length > MOST_ACTS ? acts.slice(0, MOST_ACTS - 1) : acts;
    const words = shown.map(({ way, until }, i) => {
      const { by: name, why } = this.ways.rows[way];
      const by = why ? `${name} (${why})` : name;
      return i === acts.length - 1 && acts.length > 1 ? `then ${by}` : `${by} until ${formatTimeLong(until)}`;
    });
    const later = [...new Set(acts.slice(shown.length).map(({ way }) => this.ways.rows[way].by))]; // of a series
    if (later.length) words.push(`then by turns ${later.join(" and ")}`);
    return `${SUBJECT} comes mostly from ${words.join(", ")}; how much each adds is largely assumed. `;
  }
}

// The parts of the fall at the clock's time: a bar and its legend, expectancy first. The bar is full at the largest fall.
export class FallBar {
  constructor(ways, withTerms) {
    this.ways = ways;
    const parts = [{ label: "expectancy" }, ...ways.rows.map(({ label, colour }) => ({ label, colour }))];
    this.heading = element("li", { class: "heading", text: headingOf(0) });
    this.bars = parts.map(({ colour }) => svgElement("rect", { class: colour === undefined ? "expected" : `fill-${colour}`, y: 0, height: 10 }));
    this.values = parts.map(() => element("b", { text: points(0) }));
    const entry = ({ label, colour }, i) => element("li", {}, sample(colour), ...withTerms(label), this.values[i]);
    this.svg = svgElement("svg", { class: "figure", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, this.bars);
    this.legend = element("ul", {}, this.heading, parts.map(entry));
    this.node = element("div", { class: "fall-bar figure is-empty", id: "fall-bar" }, this.svg, this.legend);
    ways.onChange(() => {
      this.largest = ways.found ? Math.max(LEAST, ...TIMES.map((hours) => sizeOf(partsOf(ways.pointsAt(hours))))) : LEAST;
      this.show();
    });
    selectedTime.whileNear(this.node, { onChange: () => this.show() });
  }

  show() {
    const { found } = this.ways;
    this.node.classList.toggle("is-empty", !found);
    if (!found) return;
    const now = this.ways.pointsAt(selectedTime.hours);
    let left = 0;
    partsOf(now).forEach((value, i) => {
      const width = (100 * Math.max(0, value)) / this.largest;
      setAttribute(this.bars[i], "x", left.toFixed(2));
      setAttribute(this.bars[i], "width", width.toFixed(2));
      left += width;
      setText(this.values[i], points(value));
    });
    setText(this.heading, headingOf(now.fall));
  }
}

const partsOf = ({ expected, ways }) => [expected, ...ways];

// What the parts of a fall take up in the bar.
const sizeOf = (parts) => parts.reduce((sum, value) => sum + Math.max(0, value), 0);

const headingOf = (fall) => `Score now ${fall < 0 ? "+" : "−"}${points(Math.abs(fall))} points:`;

const sample = (colour) => bandSample(colour === undefined ? { kind: "expected", colour: "currentColor" } : { kind: "layer", index: colour });

// The name of a band in the middle of the times at which it is largest; its last word where there is little room.
function nameIn({ low, high }, large, label, x, y) {
  const [from, to] = [large[0], large.at(-1)].map((t) => x.at(TIMES[t]));
  const text = [label, label.split(" ").at(-1)].find((one) => LETTER * one.length <= to - from);
  const middle = large[large.length >> 1];
  return text && svgElement("text", { x: (from + to) / 2, y: y.at((low[middle] + high[middle]) / 2) + 4.5, "text-anchor": "middle" }, text);
}

// The time (h) between the points t - 1 and t of TIMES at which one curve falls below another.
function crossing(falling, rising, t) {
  const [before, after] = [falling[t - 1] - rising[t - 1], falling[t] - rising[t]];
  const share = before > after ? before / (before - after) : 1;
  return TIMES[t - 1] + Math.min(1, Math.max(0, share)) * (TIMES[t] - TIMES[t - 1]);
}
