// The whole chain from the dose to the mood in a few dated lines, for the present simulation. What does not apply to it is
// left out.

import { element, find } from "./dom.js";
import { formatTimeLong } from "./format.js";
import { selectedTime } from "./time-slider.js";
import { LEAST } from "./ways.js";

const MONTH_FROM = 720; // h
const MEASURES = {
  value: (frame, id) => frame.value(id),
  ratio: (frame, id) => frame.ratio(id),
  of_peak: (frame, id) => frame.value(id) / frame.peak(id),
};

export class Summary {
  // `tables`: those of the story; `hero` has the scene with its curves and the ways, which are computed last.
  constructor({ summary, chapters }, hero, withTerms) {
    Object.assign(this, { hero, withTerms });
    this.chapters = new Map(chapters.map((row, i) => [row.id, { ...row, number: i + 1 }]));
    const timesOf = ({ hours }) => hours;
    this.times = [...new Set(summary.filter(timesOf).map(timesOf))].map((hours) => ({ hours, rows: summary.filter((row) => row.hours === hours) }));
    this.scores = summary.filter((row) => !timesOf(row));
    this.list = element("ol", {});
    this.place = find("#summary");
    this.place.append(this.list);
    hero.ways.onChange(() => this.show());
  }

  show() {
    const lines = this.times.map(({ hours, rows }) => this.line(hours, rows)).filter(Boolean);
    this.list.replaceChildren(...lines);
    this.place.classList.toggle("is-empty", !lines.length);
  }

  line(hours, rows) {
    const { bindings } = this.hero.scene;
    const frame = bindings.at(hours);
    const value = ({ measure, shows }) => MEASURES[measure](frame, shows);
    const shown = rows.filter((row) => isWithin(value(row), row));
    if (!shown.length || !(frame.peak("ketamine") > 0)) return null;
    const chapters = [...new Set(shown.map(({ chapter }) => chapter))].map((id) => this.chapters.get(id));
    const links = chapters.flatMap(({ id, number, short }) => [" · ", element("a", { href: `#${id}`, text: `${number} ${short}` })]);
    return element(
      "li",
      {},
      timeButton(hours),
      this.withTerms(` ${shown.map((row) => filled(row, frame)).join(" ")} `),
      element("strong", { text: this.scoreAt(hours) }),
      element("small", {}, `Seen in ${seenIn(shown.map(({ shows }) => bindings.rows.get(shows).measured_in))}`, links),
    );
  }

  // The score beside that without the drug, and which way brings most of the difference.
  scoreAt(hours) {
    const { ways, state } = this.hero;
    if (state.species) return "";
    const [score, without] = this.hero.scoresAt(hours).map(Math.round);
    const { drug, ways: values } = ways.pointsAt(hours);
    const most = values.indexOf(Math.max(...values));
    const share = drug < LEAST ? -1 : values[most] / drug;
    const words = { score, without, way: ways.rows[most].by };
    return this.scores.find((row) => isWithin(share, row)).text.replace(/{(\w+)}/g, (_, name) => words[name]);
  }
}

// Each species or source once, those of the first statement first: "cells, rats and people".
function seenIn(cells) {
  const all = [...new Set(cells.flatMap((cell) => cell.replace(", scaled to people", "").split(/, | and /)))];
  const names = all.filter((name) => !all.some((other) => other !== name && name.endsWith(` ${other}`))); // "some scans of people" beside "people"
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// The clock goes to the time of a line.
function timeButton(hours) {
  const text = hours < MONTH_FROM ? formatTimeLong(hours) : "1 month";
  const button = element("button", { type: "button", class: "summary-time", text, title: "Set the clock to this time" });
  button.addEventListener("click", () => selectedTime.set(hours));
  return button;
}

// A rat has no rating of people: no number lies within any bounds then.
function isWithin(value, { from, to }) {
  return Number.isFinite(value) && (from === "" || value >= from) && (to === "" || value < to);
}

function filled({ text, shows }, frame) {
  return text.replace(/{(\w+)}/g, (_, id) => (id === "before" ? frame.before(shows) : frame.compared(id)));
}
