// What the drug adds to the fall of the score, divided among the ways by which it acts: a ribbon below the mood curve,
// the points at the clock's time, and which way carries most when.

import { shapley } from "../engine/shapley.js";
import { element, find, svgElement } from "./dom.js";
import { Scale, timeScale } from "./figure.js";
import { formatTimeLong } from "./format.js";
import { at, TIMES } from "./mood-runs.js";
import { bandPath, MARGIN, pathOf } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const HEIGHT = 24; // px
const LETTER = 7.4; // px, about, of a name
const LEAST = 0.5; // points; a smaller effect of the drug is not divided
const NAMED = 0.5; // share from which a band may bear its name
const READ_OUT = [1, 24, 72, 168]; // h
const NOTHING = "At this dose the drug adds hardly anything to expectancy.";

export class WaysRibbon {
  // `ways`: rows of data/story/ways.csv; the one without pathways is what the drug does with every pathway off.
  constructor(ways, { state, runs }) {
    Object.assign(this, { ways, state, runs, found: null });
    this.now = element("p", { class: "ways-now", id: "ways-now" });
    this.svg = svgElement("svg", { role: "img", "aria-label": "Computing …", height: HEIGHT });
    find("#ways").append(this.now, element("figure", { class: "figure" }, this.svg));
    selectedTime.onChange(() => this.showSelectedTime());
    selectedTime.onRangeChange(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.svg.parentNode);
  }

  // Solves every combination of the ways. Ends early where a newer treatment waits.
  async simulate(isNewerWaiting) {
    if (this.state.species) return this.show(null);
    const groups = this.ways.filter(({ pathways }) => pathways);
    const drug = [];
    for (let coalition = 0; coalition < 2 ** groups.length; coalition++) {
      const missing = groups.filter((_, i) => !((coalition >> i) & 1)).flatMap(({ pathways }) => pathways.split(";"));
      drug.push((await this.runs.of({ pathwaysOff: new Set([...this.state.pathwaysOff, ...missing]) })).drug);
      if (isNewerWaiting()) return;
    }
    const shares = TIMES.map((_, t) => shapley(drug.map((curve) => curve[t]), groups.length));
    const values = this.ways.map((way) => {
      const i = groups.indexOf(way);
      return i < 0 ? Array.from(drug[0]) : shares.map((ones) => ones[i]);
    });
    this.show({ whole: Array.from(drug.at(-1)), values });
  }

  markStale() {
    find("#ways").classList.add("stale");
  }

  show(found) {
    this.found = found;
    find("#ways").classList.remove("stale");
    this.draw();
    find("#habenula-share").textContent = this.acts();
  }

  get isSmall() {
    return Math.max(...this.found.whole) < LEAST;
  }

  draw() {
    const width = Math.round(this.svg.parentNode.clientWidth);
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const children = this.found && !this.isSmall ? this.bands(width) : [];
    this.svg.replaceChildren(...children);
    this.svg.setAttribute("aria-label", this.description());
    this.showSelectedTime();
  }

  // The shares of the ways as bands on top of each other, where the drug adds enough; the names where they are largest.
  bands(width) {
    const { whole, values } = this.found;
    const x = timeScale(MARGIN.left, width - MARGIN.right);
    const y = new Scale(HEIGHT, 0, 0, 1);
    const isDivided = whole.map((value, t) => value >= LEAST && TIMES[t] > 0);
    const positive = values.map((curve) => curve.map((value) => Math.max(0, value)));
    const sums = TIMES.map((_, t) => positive.reduce((sum, curve) => sum + curve[t], 0));
    let lower = TIMES.map(() => 0);
    const names = [];
    const areas = this.ways.map(({ label, colour }, i) => {
      const upper = lower.map((value, t) => value + positive[i][t] / sums[t]);
      const inside = (edge) => edge.map((value, t) => (isDivided[t] ? value : null));
      const band = { time: TIMES, low: inside(lower), high: inside(upper), kind: "layer", index: colour };
      const large = TIMES.map((_, t) => t).filter((t) => isDivided[t] && upper[t] - lower[t] >= NAMED);
      if (large.length) names.push(nameIn(band, large, label, x, y));
      lower = upper;
      return [bandPath(band, x, y), svgElement("path", { class: `way-edge stroke-${colour}`, d: pathOf(TIMES, band.high, x, y) })];
    });
    this.x = x;
    this.cursor = svgElement("line", { class: "cursor", x1: 0, x2: 0, y1: -4, y2: HEIGHT });
    return [...areas.flat(), this.cursor, ...names.filter(Boolean)];
  }

  showSelectedTime() {
    if (!this.found) return (this.now.textContent = "");
    const { hours } = selectedTime;
    const text = this.isSmall ? NOTHING : `After ${formatTimeLong(hours)} ${this.sentenceAt(hours)}`;
    if (this.now.textContent !== text) this.now.textContent = text;
    if (!this.isSmall) this.cursor?.setAttribute("transform", `translate(${this.x.at(hours).toFixed(1)} 0)`);
  }

  // E.g. "the drug adds 5.5 points: 4.3 by synapse and spines, 0.7 by other ways and 0.3 by the habenula."
  sentenceAt(hours) {
    const whole = at(this.found.whole, hours);
    if (whole < 0.05) return "the drug adds nothing.";
    const [sum, ...values] = tenths(whole, this.found.values.map((curve) => at(curve, hours)));
    const parts = this.ways.map(({ by }, i) => ({ by, value: values[i] })).filter(({ value }) => value);
    const words = parts.sort((a, b) => b.value - a.value).map(({ by, value }) => `${minus(value / 10)} by ${by}`);
    const list = [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
    return `the drug adds ${minus(sum / 10)} ${sum === 10 ? "point" : "points"}: ${list}.`;
  }

  description() {
    if (!this.found) return "The score exists for people only.";
    if (this.isSmall) return NOTHING;
    return `What the drug adds to the fall of the score, divided among its ways. ${READ_OUT.map((hours) => `After ${formatTimeLong(hours)} ${this.sentenceAt(hours)}`).join(" ")}`;
  }

  // Which way carries most of the drug's part, one after the other.
  acts() {
    if (!this.found || this.isSmall) return "";
    const { whole, values } = this.found;
    const acts = [];
    TIMES.forEach((hours, t) => {
      if (hours < 0 || whole[t] < LEAST) return;
      const sizes = values.map((curve) => curve[t]);
      const way = this.ways[sizes.indexOf(Math.max(...sizes))];
      if (acts.at(-1)?.way !== way) acts.push({ way });
      acts.at(-1).until = hours;
    });
    const words = acts.map(({ way, until }, i) => {
      const name = `${way.by} (${way.means})`;
      return i === acts.length - 1 && acts.length > 1 ? `then ${name}` : `${name} until ${formatTimeLong(until)}`;
    });
    return `In this model, most of what the drug adds comes from ${words.join(", ")}. The size of each part is largely assumed.`;
  }
}

// The name of a band in the middle of the times at which it is largest; its last word where there is little room.
function nameIn({ low, high }, large, label, x, y) {
  const [from, to] = [large[0], large.at(-1)].map((t) => x.at(TIMES[t]));
  const text = [label, label.split(" ").at(-1)].find((one) => LETTER * one.length <= to - from);
  const middle = large[large.length >> 1];
  return text && svgElement("text", { x: (from + to) / 2, y: y.at((low[middle] + high[middle]) / 2) + 4.5, "text-anchor": "middle" }, text);
}

const minus = (value) => value.toFixed(1).replace("-", "−");

// The sum and its parts in whole tenths; the parts rounded so that they add up to the sum.
export function tenths(sum, parts) {
  const whole = Math.round(10 * sum);
  const rounded = parts.map((value) => Math.floor(10 * value));
  const byRest = parts.map((value, i) => [10 * value - rounded[i], i]).sort((a, b) => b[0] - a[0]);
  const missing = whole - rounded.reduce((total, value) => total + value, 0);
  for (const [, i] of byRest.slice(0, Math.max(0, missing))) rounded[i] += 1;
  return [whole, ...rounded];
}
