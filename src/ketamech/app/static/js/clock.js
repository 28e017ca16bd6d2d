// One clock for everything on a page: hours since the first treatment, on a logarithm from a minute to a month.

import { make } from "./dom.js";
import { clockInWords } from "./words.js";

const YEAR = 365.25 * 24;
export const FIRST = 1 / 60, LAST = YEAR / 12; // a month is 30.4375 days, as in the program
const MONTH = [[1 / 60, "1 min"], [1 / 6, "10 min"], [1, "1 h"], [6, "6 h"], [24, "1 day"], [168, "1 week"], [LAST, "1 month"]];
const evenly = (days, step, unit, word) => Array.from({ length: days / step + 1 }, (_, i) => [24 * step * i, i ? `${(step * i) / unit} ${word}${(step * i) / unit === 1 ? "" : "s"}` : "start"]);

// How far a clock goes: the story's is the first; the bench also looks further, and evenly, as visits are planned.
export const SPANS = {
  month: { words: "1 minute to 1 month", last: LAST, marks: MONTH },
  quarter: { words: "1 minute to 3 months", last: YEAR / 4, marks: [...MONTH, [YEAR / 4, "3 months"]] },
  year: { words: "1 minute to 1 year", last: YEAR, marks: [...MONTH, [YEAR, "1 year"]] },
  weeks: { words: "4 weeks, evenly", last: 672, even: true, marks: evenly(28, 7, 7, "week") },
  course: { words: "12 weeks, evenly", last: 2016, even: true, marks: evenly(84, 14, 7, "week") },
  half: { words: "6 months, evenly", last: 4368, even: true, marks: evenly(182, 26, 182 / 26, "week") },
};

export const place = (hours) => (clock.span.even ? Math.max(0, hours) / clock.last : Math.log(Math.max(hours, FIRST) / FIRST) / Math.log(clock.last / FIRST));
export const hoursAt = (share) => (clock.span.even ? share * clock.last : FIRST * (clock.last / FIRST) ** share);

class Clock {
  constructor(hours) { Object.assign(this, { hours, heard: new Set(), spanned: new Set(), span: SPANS.month }); }

  get last() { return this.span.last; }

  listen(hear) { this.heard.add(hear); return () => this.heard.delete(hear); }

  set(hours) {
    this.hours = Math.min(this.last, Math.max(FIRST, hours));
    for (const hear of this.heard) hear(this.hours);
  }

  // Another span for everything on the page.
  choose(name) {
    this.span = SPANS[name] ?? SPANS.month;
    for (const hear of this.spanned) hear();
    this.set(this.hours);
  }
}

export const clock = new Clock(2 / 3);
const STEPS = 1000, SECONDS = 14;

// The slider of the clock with its marks and a button that lets it run.
export function clockwork(words = "after the start") {
  const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, id: "clock", "aria-label": "Time since the first treatment" });
  const shown = make("output", { class: "when", for: "clock" });
  const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  const mark = () => {
    slider.setAttribute("aria-label", `Time since the first treatment: ${clock.span.words}`);
    ticks.replaceChildren(...clock.span.marks.map(([hours, text]) => { const one = make("span", { text }); one.style.left = `${100 * place(hours)}%`; return one; }));
  };
  clock.spanned.add(mark);
  mark();
  const run = make("button", { class: "round", type: "button", id: "run", "aria-label": "Let the clock run" }, "▶");
  let running = 0, began = 0;

  const stop = () => { cancelAnimationFrame(running); running = 0; run.textContent = "▶"; run.setAttribute("aria-label", "Let the clock run"); };
  const step = (now) => {
    const share = (now - began) / (1000 * SECONDS);
    clock.set(hoursAt(Math.min(1, share)));
    if (share < 1) running = requestAnimationFrame(step); else stop();
  };
  run.addEventListener("click", () => {
    if (running) return stop();
    const from = place(clock.hours) > 0.995 ? 0 : place(clock.hours);
    began = performance.now() - from * 1000 * SECONDS;
    run.textContent = "❚❚";
    run.setAttribute("aria-label", "Stop the clock");
    running = requestAnimationFrame(step);
  });
  slider.addEventListener("input", () => { stop(); clock.set(hoursAt(slider.value / STEPS)); });
  const show = (hours) => {
    const text = `${clockInWords(hours)} ${words}`;
    slider.value = String(Math.round(place(hours) * STEPS));
    slider.setAttribute("aria-valuetext", text);
    shown.textContent = text;
  };
  clock.listen(show);
  show(clock.hours);
  return [run, make("div", { class: "clockwork" }, slider, ticks), shown];
}
