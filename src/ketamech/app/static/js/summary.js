// The whole chain from the dose to the mood in a few dated lines, for the present simulation. What does not apply to it is
// left out.

import { element, find } from "./dom.js";
import { formatTimeLong } from "./format.js";
import { selectedTime } from "./time-slider.js";
import { LEAST, points } from "./ways.js";

const MONTH_FROM = 720; // h
const MEASURES = {
  value: (frame, id) => frame.value(id),
  ratio: (frame, id) => frame.ratio(id),
  of_peak: (frame, id) => frame.value(id) / frame.peak(id),
};

export class Summary {
  // `tables`: those of the story; `hero` has the scene with its curves and the ways, which are computed last.
  constructor({ summary, chapters }, hero) {
    this.hero = hero;
    this.chapters = new Map(chapters.map((row, i) => [row.id, { ...row, number: i + 1 }]));
    this.times = [...new Set(summary.map(({ hours }) => hours))].map((hours) => ({ hours, rows: summary.filter((row) => row.hours === hours) }));
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
    const shown = rows.filter((row) => applies(row, frame));
    if (!shown.length || !(frame.peak("ketamine") > 0)) return null;
    const seen = shown.flatMap(({ shows }) => bindings.rows.get(shows).measured_in.replace(", scaled to people", "").split(/, | and /));
    const chapters = [...new Set(shown.map(({ chapter }) => chapter))].map((id) => this.chapters.get(id));
    const links = chapters.flatMap(({ id, number, short }) => [", ", element("a", { href: `#${id}`, text: `${number} ${short}` })]).slice(1);
    return element(
      "li",
      {},
      timeButton(hours),
      ` ${shown.map((row) => filled(row, frame)).join(" ")} `,
      element("strong", { text: this.moodAt(hours) }),
      element("small", {}, `Seen in ${[...new Set(seen)].join(", ")}. Chapters: `, links),
    );
  }

  // The score beside that without the drug, and which way brings most of the difference.
  moodAt(hours) {
    const { ways, state } = this.hero;
    if (state.species) return "";
    const [score, without] = this.hero.scoresAt(hours).map(Math.round);
    const first = `Mood score ${score}, without the drug ${without}`;
    const { drug, ways: values } = ways.pointsAt(hours);
    if (drug < LEAST) return `${first}.`;
    const most = values.indexOf(Math.max(...values));
    return `${first}; of the ${points(drug)} points between them ${points(values[most])} come from ${ways.rows[most].by}.`;
  }
}

// The clock goes to the time of a line.
function timeButton(hours) {
  const text = hours < MONTH_FROM ? formatTimeLong(hours) : "1 month";
  const button = element("button", { type: "button", class: "summary-time", text, title: "Set the clock to this time" });
  button.addEventListener("click", () => selectedTime.set(hours));
  return button;
}

function applies({ shows, measure, from, to }, frame) {
  const value = MEASURES[measure](frame, shows);
  return Number.isFinite(value) && (from === "" || value >= from) && (to === "" || value < to); // a rat has no rating of people
}

function filled({ text, shows }, frame) {
  return text.replace(/{(\w+)}/g, (_, id) => (id === "before" ? frame.before(shows) : frame.compared(id)));
}
