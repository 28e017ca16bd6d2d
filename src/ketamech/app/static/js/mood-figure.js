// The mood curve of the first screen: severity bands, single people, published values, words on the curve, the score now.

import { element, setAttribute, setText, svgElement } from "./dom.js";
import { formatCount, formatTime, formatTimeLong, interpolate } from "./format.js";
import { pathOf, TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const RANGE = [0, 50];
const SHADES = [0, 0.025, 0.055, 0.1];
const ROOMY = 440; // px: below this width only some words are written
const LETTER = 6.7; // px, about, of a word of 13 px
const LINE = 14;
const BESIDE_NAME = 46; // px: right of the name of a band
const LOW = 27; // px: the name of a lower band stands at its right end, and the bar of the drug at its left
const LEAST = 15; // px: no name in a band lower still
const SHORT = 170; // px: in a lower drawing only the words of the clock and of the drug are written

export class MoodFigure extends TimeFigure {
  constructor({ bands, openEvidence, withTerms, height = 266, narrowHeight = 166 }) {
    super({
      title: "Depression score, MADRS",
      unit: "0 (well) to 60",
      height,
      narrowHeight,
      range: RANGE,
      openEvidence,
    });
    this.severity = bands;
    this.node.classList.add("mood-figure");
    this.titleNode.replaceChildren(...withTerms(this.title));
    this.people = null;
    this.clockMarks = new ClockMarks();
  }

  // Single people as { time, people }, or null.
  showPeople(people) {
    this.people = people;
    this.redraw();
  }

  axes(width) {
    const { x, y } = this;
    const isLinear = selectedTime.range.linear; // then everything happens at the left
    const bands = this.severity.map(({ band, from, to }, i) => {
      const [top, bottom] = [y.at(Math.min(to, RANGE[1])), y.at(from)];
      const isTop = from === 0 || to > RANGE[1];
      const isLow = bottom - top < LOW;
      const side = isLinear || isLow ? { x: x.end - 6, "text-anchor": "end" } : { x: x.start + 8, "text-anchor": "start" };
      const name = { ...side, y: isTop && !isLow ? top + 15 : bottom - 5 };
      const place = { x: x.start, y: top, width: x.end - x.start, height: bottom - top };
      const area = svgElement("rect", { class: "severity", ...place, opacity: SHADES[i] });
      return { area, name: bottom - top < LEAST ? [] : [svgElement("text", { class: "severity-name", ...name }, band)] };
    });
    const names = bands.flatMap(({ name }) => name);
    return svgElement("g", {}, bands.map(({ area }) => area), super.axes(width), this.peopleCurves(), names);
  }

  peopleCurves() {
    if (!this.people?.people.length) return svgElement("g", {});
    const { time, people } = this.people;
    const inside = (scores) => scores.map((score) => Math.min(score, RANGE[1]));
    const d = people.map((scores) => pathOf(time, inside(scores), this.x, this.y)).join("");
    return svgElement("g", { "clip-path": "inset(0)" }, svgElement("path", { class: "person-curve", d }));
  }

  // At most six words, the most important first: { text, name, places: [[x, y, anchor]], at: [x, y], marks }. `at` is the
  // point that they are about.
  words() {
    const { x, y, data } = this;
    const [main] = data.series;
    const control = data.series.find(({ kind }) => kind === "control");
    const scoreAt = (hours, one = main) => interpolate(one.time, one.y, hours);
    const isShort = y.start - y.end < SHORT;
    const isRoomy = this.width > ROOMY && !isShort;
    const [first] = main.y;
    const line = (name, x1, y1, x2, y2) => svgElement("line", { class: name, x1, y1, x2, y2 });
    const around = (hours, text, name) => {
      const at = [x.at(hours), y.at(scoreAt(hours))];
      return { text, name, at, places: placesAround(...at) };
    };
    const found = [];
    if (this.gone > 0) {
      const end = x.at(this.gone);
      const bar = svgElement("rect", { class: "drug-bar", x: x.start, y: y.start - 8, width: end - x.start, height: 6, rx: 3 });
      const text = isRoomy ? "nine tenths of the drug gone" : "drug: nine tenths gone";
      const places = [[end + 6, y.start - 2, "start"], [x.start + BESIDE_NAME, y.start - 13, "start"]]; // beside the bar, or above it
      found.push({ text, name: "drug-word", places, marks: [bar] });
    }
    if (control && this.largest >= 1 && !isShort) {
      found.push(around(this.halved, `drug’s part halved ${isRoomy ? "after" : "at"} ${formatTime(this.halved)}`, "half-left"));
    }
    if (isRoomy) {
      const half = y.at(first / 2);
      const text = `${Math.round(first / 2)}: half of ${Math.round(first)}, a response`;
      const places = [15, -6].map((shift) => [x.start + 6, half + shift, "start"]);
      found.push({ text, name: "response-word", places, marks: [line("response", x.start, half, x.end, half)] });
      const lowest = main.y.indexOf(Math.min(...main.y));
      const hours = main.time[lowest];
      found.push(around(hours, `lowest after ${formatTimeLong(hours)}: ${Math.round(main.y[lowest])}`, "main-word"));
    }
    if (control) {
      const at = (hours) => [-8, -16, 16].map((shift) => [x.at(hours), y.at(scoreAt(hours, control)) + shift, "middle"]);
      found.push({ text: "no drug", name: "control-name", places: [300, 500, 120, 60, 8, 3].flatMap(at) });
    }
    return found;
  }

  // Drawn where a place is free: words lie over no other word, no dot and not on the curve.
  drawWords() {
    const { x, y, data } = this;
    const [main] = data.series;
    const drawn = main.time.map((t, i) => [x.at(t), y.at(main.y[i])]).filter((_, i) => main.time[i] > 0.017);
    const taken = drawn.map(([left, top]) => [left - 2, top - 3, left + 2, top + 3]);
    taken.push(...this.places.map(({ x: left, y: top }) => [left - 8, top - 8, left + 8, top + 8]));
    const number = (node, name) => Number(node.getAttribute(name));
    this.written = [];
    for (const node of this.svg.querySelectorAll(".severity-name")) {
      const box = boxOf(node.textContent, number(node, "x"), number(node, "y"), node.getAttribute("text-anchor"));
      taken.push(box);
      this.written.push({ nodes: [node], box });
    }
    const words = this.words();
    const bar = words.flatMap(({ marks = [] }) => marks).find((mark) => mark.matches(".drug-bar"));
    if (bar) taken.push([x.start, y.start - 9, x.start + number(bar, "width"), y.start]);
    const isInside = ([a, b, c, d]) => a >= x.start && c <= x.end + 3 && b >= y.end - 10 && d <= y.start + 3;
    const isFree = (box) => isInside(box) && !taken.some((other) => overlap(box, other));
    const write = ({ text, name, places, at, marks = [] }) => {
      const place = places.find(([left, base, anchor]) => isFree(boxOf(text, left, base, anchor)));
      if (!place) return marks;
      const [left, base, anchor] = place;
      const box = boxOf(text, left, base, anchor);
      taken.push(box);
      const node = svgElement("text", { class: `note ${name}`, x: left, y: base, "text-anchor": anchor }, text);
      const isBelow = at && base > at[1];
      const [from, to] = at ? [at[1] + (isBelow ? 5 : -5), isBelow ? box[1] : box[3]] : [0, 0];
      const leader = Math.abs(to - from) > 6 ? [svgElement("line", { class: "leader", x1: at[0], x2: at[0], y1: from, y2: to })] : [];
      this.written.push({ nodes: [node, ...leader], box });
      return [...marks, ...leader, node];
    };
    return svgElement("g", { class: "words" }, words.flatMap(write));
  }

  addTimeMarks() {
    super.addTimeMarks();
    if (!this.people?.people.length) return;
    const sample = svgElement("svg", { viewBox: "0 0 30 12", class: "figure", "aria-hidden": "true" });
    sample.append(svgElement("path", { class: "person-curve", d: "M1 3C12 3 16 9 29 9M1 6C12 6 16 11 29 4" }));
    const { people, count } = this.people;
    const entry = element("li", {}, sample, `${people.length} of ${formatCount(count)} simulated`);
    if (this.legend.firstChild) this.legend.firstChild.after(entry); // a short row leaves room for it
  }

  redraw() {
    super.redraw();
    if (!this.x || !this.data?.series.length) return;
    this.svg.insertBefore(this.drawWords(), this.timeMarks);
    this.showSelectedTime();
  }

  // The value at the clock's time, and how much of the fall comes with expectancy alone and how much more with the drug;
  // words below them give way.
  moveTimeMarks() {
    super.moveTimeMarks();
    const scores = this.scoresNow();
    if (!scores) return;
    if (this.clockMarks.node.parentNode !== this.timeMarks) this.timeMarks.append(this.clockMarks.node);
    const boxes = this.clockMarks.move(this, this.x.at(selectedTime.hours), scores);
    for (const { nodes, box } of this.written ?? []) {
      const visibility = boxes.some((own) => overlap(own, box)) ? "hidden" : "visible";
      for (const node of nodes) setAttribute(node, "visibility", visibility);
    }
  }

  writeValues() {
    super.writeValues();
    const scores = this.scoresNow();
    if (scores) this.clockMarks.write(scores, this.width);
  }

  // The score before the dose, without the drug and with it at the clock's time; null where there is none.
  scoresNow() {
    if (!this.timeMarks || !this.data?.series.length) return null;
    const [main] = this.data.series;
    const control = this.data.series.find(({ kind }) => kind === "control");
    const { hours } = selectedTime;
    const score = interpolate(main.time, main.y, hours);
    return score === null ? null : [main.y[0], control ? interpolate(control.time, control.y, hours) : null, score];
  }
}

// The score at the clock's time, and two brackets with points: from the score before the dose to that without the drug, and
// from there to the score. All of it is drawn beside x = 0, and its group stands at the clock's time.
class ClockMarks {
  constructor() {
    this.now = svgElement("text", { class: "now" });
    this.parts = ["expected", "drug"].map((kind) => ({
      line: svgElement("line", { class: `bracket ${kind}` }),
      text: svgElement("text", { class: `note ${kind}-points` }),
    }));
    this.node = svgElement("g", {}, this.parts.flatMap(({ line, text }) => [line, text]), this.now);
  }

  write(scores, width) {
    const points = pointsOf(scores);
    setText(this.now, String(Math.round(scores.at(-1))));
    this.parts.forEach(({ text }, i) => setText(text, pointWords(points[i].toFixed(1), width)[i]));
  }

  // `left`: x of the clock's time in the figure. Returns the boxes of the words, which have room for two digits.
  move({ x, y, width }, left, scores) {
    const [first, without, score] = scores;
    const points = pointsOf(scores);
    const words = pointWords("00.0", width);
    const room = LETTER * words[0].length + 18;
    const side = left - room > x.start || left > x.end - 60 ? -1 : 1; // of the brackets; the score stands at the other side
    const hasRoom = side < 0 ? left < x.end - 60 : left > x.start + 40;
    const nowSide = hasRoom ? -side : side;
    const boxes = [putWord(this.now, left, 12 * nowSide, y.at(score) - 9, nowSide, "000")];
    const edges = [y.at(first), y.at(without ?? score), y.at(score)];
    const bases = [0, 1].map((i) => (edges[i] + edges[i + 1]) / 2 + 4);
    const close = Math.max(0, LINE + 1 - (bases[1] - bases[0])) / 2;
    bases[0] -= close;
    bases[1] += close;
    this.parts.forEach(({ line, text }, i) => {
      const isShown = points[i] >= 0.05;
      for (const node of [line, text]) setAttribute(node, "visibility", isShown ? "visible" : "hidden");
      if (!isShown) return;
      setAttribute(line, "transform", `translate(${9 * side} 0)`);
      setAttribute(line, "y1", edges[i].toFixed(1));
      setAttribute(line, "y2", edges[i + 1].toFixed(1));
      boxes.push(putWord(text, left, side * (hasRoom ? 15 : 35), bases[i], side, words[i]));
    });
    return boxes;
  }
}

// Of the fall, with expectancy alone and by the drug; `without` is null where nothing is computed without the drug.
const pointsOf = ([first, without, score]) => (without === null ? [0, 0] : [first - without, without - score]);
const pointWords = (points, width) => ["expectancy", "drug"].map((name) => `${points}${width > ROOMY ? " points" : ""}: ${name}`);

// Puts a word at `far` px beside `left`, at its left (side −1) or right. Returns the box of `like`, as long as the word.
function putWord(node, left, far, base, side, like) {
  const anchor = side < 0 ? "end" : "start";
  setAttribute(node, "x", far);
  setAttribute(node, "y", base.toFixed(1));
  setAttribute(node, "text-anchor", anchor);
  return boxOf(like, left + far, base, anchor);
}

// Places below and above a point, the nearest first.
function placesAround(left, top) {
  const sides = [
    [0, "middle"],
    [-6, "start"],
    [6, "end"],
  ];
  return [22, 34, 46, 58, 72, 88].flatMap((far) => [far + 8, -far].flatMap((dy) => sides.map(([dx, anchor]) => [left + dx, top + dy, anchor])));
}

const overlap = ([a, b, c, d], [e, f, g, h]) => a < g && c > e && b < h && d > f;

// Left, top, right and bottom of a word.
function boxOf(text, left, base, anchor) {
  const width = LETTER * text.length;
  const start = { start: left, middle: left - width / 2, end: left - width }[anchor];
  return [start - 2, base - LINE + 2, start + width + 2, base + 4];
}

// The band of a score as it is shown, in whole points.
export const bandOf = (bands, score) => bands.find(({ to }) => Math.round(score) < to)?.band ?? bands.at(-1).band;
