// One clock for everything on a page: hours since the first treatment, on a logarithm from a minute to a month.

import { make } from "./dom.js";
import { clockInWords } from "./words.js";

export const FIRST = 1 / 60, LAST = 720;
export const MOMENTS = [[1 / 60, "1 min"], [1 / 6, "10 min"], [1, "1 h"], [6, "6 h"], [24, "1 day"], [168, "1 week"], [720, "1 month"]];

export const place = (hours) => Math.log(Math.max(hours, FIRST) / FIRST) / Math.log(LAST / FIRST);
export const hoursAt = (share) => FIRST * (LAST / FIRST) ** share;

class Clock {
  constructor(hours) { this.hours = hours; this.heard = new Set(); }

  listen(hear) { this.heard.add(hear); return () => this.heard.delete(hear); }

  set(hours) {
    this.hours = Math.min(LAST, Math.max(FIRST, hours));
    for (const hear of this.heard) hear(this.hours);
  }
}

export const clock = new Clock(2 / 3);
const STEPS = 1000, SECONDS = 14;

// The slider of the clock with its marks and a button that lets it run.
export function clockwork(words = "after the start") {
  const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, id: "clock", "aria-label": "Time since the first treatment, from a minute to a month" });
  const shown = make("output", { class: "when", for: "clock" });
  const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  for (const [hours, text] of MOMENTS) {
    const mark = make("span", { text });
    mark.style.left = `${100 * place(hours)}%`;
    ticks.append(mark);
  }
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
