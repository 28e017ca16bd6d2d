// The time that every figure of a page reads, in hours since the first treatment, and the slider that sets it.

import { DAY, HOUR, MINUTE, MONTH, WEEK, YEAR } from "../engine/units.js";
import { element, setAttribute, setText } from "./dom.js";
import { formatTimeLong } from "./format.js";

export const FIRST_HOUR = MINUTE;
const STEPS = 1000; // of the slider
const PLAY_SECONDS = 20; // of the moving clock over the whole range
const STOP_SECONDS = 2.5; // at each of STOPS, so that what is shown there can be read
const SPEEDS = { "1×": 1, "2×": 2, "½×": 0.5 }; // of play, in the order in which a click chooses them
const NEAR = "25% 0px"; // of the window
const TEXTS_PER_SECOND = 8; // each, while the clock runs

const MONTH_TICKS = [
  [MINUTE, "1 min"],
  [10 * MINUTE, "10 min"],
  [HOUR, "1 h"],
  [6 * HOUR, "6 h"],
  [DAY, "1 day"],
  [WEEK, "1 week"],
  [MONTH, "1 month"],
];

// Evenly spaced ticks, named in weeks.
function weekTicks(days, stepDays) {
  const names = Array.from({ length: days / stepDays + 1 }, (_, i) => (stepDays * i) / 7);
  return names.map((weeks) => [WEEK * weeks, weeks ? `${weeks} ${weeks === 1 ? "week" : "weeks"}` : "start"]);
}

// Time ranges: logarithmic ones begin at the first minute, linear ones at 0 h. The story uses the first.
export const RANGES = {
  month: { label: "1 minute to 1 month", last: MONTH, ticks: MONTH_TICKS },
  even: { label: "1 month, even", last: MONTH, linear: true, ticks: weekTicks(28, 7) },
  quarter: { label: "1 minute to 3 months", last: YEAR / 4, ticks: [...MONTH_TICKS, [YEAR / 4, "3 months"]] },
  year: { label: "1 minute to 1 year", last: YEAR, ticks: [...MONTH_TICKS, [YEAR, "1 year"]] },
  weeks: { label: "4 weeks, linear", last: 4 * WEEK, linear: true, ticks: weekTicks(28, 7) },
  course: { label: "12 weeks, linear", last: 12 * WEEK, linear: true, ticks: weekTicks(84, 14) },
  half: { label: "26 weeks, linear", last: 26 * WEEK, linear: true, ticks: weekTicks(182, 28) },
};

class SelectedTime {
  constructor(hours) {
    Object.assign(this, { hours, range: RANGES.month, shapes: [], texts: [], rangeListeners: new Set() });
    Object.assign(this, { ranAt: -Infinity, due: 0, turn: 0 }); // of a running clock
  }

  get last() {
    return this.range.last;
  }

  // `listener` draws shapes, which move in every frame of a running clock.
  onFrame(listener) {
    this.shapes.push(listener);
  }

  // `listener` writes texts or does other work that may follow a running clock a little later.
  onChange(listener) {
    this.texts.push(listener);
  }

  // Calls the listeners while `node` is near the window: when it comes there, when the time changes, and before printing.
  whileNear(node, { onFrame, onChange }) {
    let isNear = false;
    const both = [onFrame, onChange].filter(Boolean);
    const call = () => both.forEach((listener) => listener(this.hours));
    const see = (entries) => {
      isNear = entries.at(-1).isIntersecting;
      if (isNear) call();
    };
    new IntersectionObserver(see, { rootMargin: NEAR }).observe(node);
    if (onFrame) this.onFrame((hours) => isNear && onFrame(hours));
    if (onChange) this.onChange((hours) => isNear && onChange(hours));
    addEventListener("beforeprint", call);
  }

  onRangeChange(listener) {
    this.rangeListeners.add(listener);
  }

  set(hours) {
    this.move(hours);
    for (const listener of this.texts) listener(this.hours);
  }

  move(hours) {
    this.hours = Math.min(this.last, Math.max(FIRST_HOUR, hours));
    for (const listener of this.shapes) listener(this.hours);
  }

  // A frame of a running clock: the texts take turns, so that no frame writes them all. `set` ends the run.
  run(hours) {
    this.move(hours);
    const now = performance.now();
    const count = this.texts.length;
    this.due = Math.min(count, this.due + ((now - this.ranAt) / 1000) * TEXTS_PER_SECOND * count);
    this.ranAt = now;
    for (; this.due >= 1; this.due--) this.texts[this.turn++ % count](this.hours);
  }

  setRange(name) {
    this.range = RANGES[name] ?? RANGES.month;
    for (const listener of this.rangeListeners) listener();
    this.set(this.hours);
  }

  // Position on the slider, from 0 to 1, and back.
  fractionOf(hours) {
    if (this.range.linear) return Math.max(0, hours) / this.last;
    return Math.log(Math.max(hours, FIRST_HOUR) / FIRST_HOUR) / Math.log(this.last / FIRST_HOUR);
  }

  hoursAt(fraction) {
    return this.range.linear ? fraction * this.last : FIRST_HOUR * (this.last / FIRST_HOUR) ** fraction;
  }
}

export const selectedTime = new SelectedTime(2 / 3);

// A play button, the slider with its ticks, and the selected time as text.
export function timeControls() {
  const slider = element("input", { type: "range", min: 0, max: STEPS, step: 1, id: "time-slider" });
  const time = element("span", {});
  const output = element("output", { class: "selected-time", for: "time-slider" }, time, element("span", { class: "only-roomy", text: " after the start" }));
  const ticks = element("div", { class: "ticks", "aria-hidden": "true" });
  const { button, stop } = playButton();
  const drawTicks = () => {
    slider.setAttribute("aria-label", `Time since the first treatment: ${selectedTime.range.label}`);
    ticks.replaceChildren(...selectedTime.range.ticks.map(tick));
  };
  const show = (hours) => {
    const value = Math.round(selectedTime.fractionOf(hours) * STEPS);
    if (slider.valueAsNumber !== value) slider.valueAsNumber = value;
  };
  const write = (hours) => {
    const text = formatTimeLong(hours);
    setAttribute(slider, "aria-valuetext", `${text} after the start`);
    setText(time, text);
  };
  slider.addEventListener("input", () => {
    stop();
    selectedTime.set(selectedTime.hoursAt(slider.value / STEPS));
  });
  selectedTime.onRangeChange(drawTicks);
  selectedTime.onFrame(show);
  selectedTime.onChange(write);
  drawTicks();
  for (const first of [show, write]) first(selectedTime.hours);
  const present = element("div", { class: "drug-present", id: "drug-present", "aria-hidden": "true" });
  return [button, element("div", { class: "time-slider" }, slider, present, ticks), output];
}

// Below a time axis: which part of the time has most room, and where wanted the button that changes it.
export function timeScaleNote(...buttons) {
  const text = element("span", {});
  const show = () => {
    setText(text, selectedTime.range.linear ? "Every week is equally wide." : "The first hour is wider than the last weeks.");
  };
  selectedTime.onRangeChange(show);
  show();
  return element("p", { class: "time-scale-note" }, text, buttons);
}

// A button that spaces the time evenly, or by its logarithm; `changed` is called after every change.
export function evenClockButton(changed, attributes = {}) {
  const button = element("button", { type: "button", class: "link-button", ...attributes });
  button.append(element("span", {}, "Even ", element("span", { class: "only-roomy", text: "time " }), "scale"));
  const show = () => button.setAttribute("aria-pressed", String(selectedTime.range === RANGES.even));
  button.title = "Space the time evenly: most of the month comes after the first day";
  button.addEventListener("click", () => {
    selectedTime.setRange(selectedTime.range === RANGES.even ? "month" : "even");
    changed();
  });
  selectedTime.onRangeChange(show);
  show();
  return button;
}

// A line along the slider for as long as the drug is in the brain.
export function showDrugPresent(until) {
  const share = until > 0 ? selectedTime.fractionOf(until) : 0;
  const line = document.getElementById("drug-present");
  if (line) line.style.width = `calc(${(100 * share).toFixed(1)}% - ${(18 * share).toFixed(1)}px)`;
}

function tick([hours, text]) {
  const fraction = selectedTime.fractionOf(hours);
  const edge = fraction < 0.03 ? "at-start" : fraction > 0.97 ? "at-end" : null;
  const node = element("span", { text, class: edge });
  node.style.left = `${100 * fraction}%`;
  return node;
}

// Where motion is not wanted, the play button goes from one still to the next. The usual infusion ends at one of them.
export const STILLS = [1 / 60, 1 / 6, 1 / 3, 2 / 3, 1, 2, 4, 12, 24, 72, 168, 672]; // h
export const STOPS = [2 / 3, 4, 24, 72]; // h: the stills of the summary (data/story/summary.csv), at which play stops briefly

function showNextStill() {
  selectedTime.set(STILLS.find((hours) => hours > selectedTime.hours * 1.001) ?? STILLS[0]);
}

function playButton() {
  const button = element("button", { class: "round", type: "button", id: "play", "aria-label": "Play", text: "▶" });
  let [frame, before, fraction, rest] = [0, null, 0, 0]; // `rest`: seconds left at a stop
  const stop = () => {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = "▶";
    button.setAttribute("aria-label", "Play");
    selectedTime.set(selectedTime.hours);
  };
  const advance = (now) => {
    frame = requestAnimationFrame(advance);
    const seconds = (SPEEDS[playSpeed] * (now - (before ?? now))) / 1000;
    before = now;
    rest -= seconds;
    if (rest > 0) return;
    const next = Math.min(1, fraction + seconds / PLAY_SECONDS);
    const reached = STOPS.find((hours) => selectedTime.fractionOf(hours) > fraction && selectedTime.fractionOf(hours) <= next);
    if (reached) rest = STOP_SECONDS;
    fraction = reached ? selectedTime.fractionOf(reached) : next;
    if (reached) selectedTime.set(reached);
    else selectedTime.run(selectedTime.hoursAt(fraction));
    if (fraction >= 1) stop();
  };
  button.addEventListener("click", () => {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return showNextStill();
    if (frame) return stop();
    const here = selectedTime.fractionOf(selectedTime.hours);
    [before, fraction, rest] = [null, here > 0.995 ? 0 : here, 0];
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "Pause");
    frame = requestAnimationFrame(advance);
  });
  return { button, stop };
}

let playSpeed = "1×";

export function playSpeedButton() {
  const names = Object.keys(SPEEDS);
  const button = element("button", { class: "link-button", type: "button", id: "play-speed", title: "Speed of play" });
  const show = () => {
    button.replaceChildren(element("span", { class: "only-roomy", text: "Speed " }), playSpeed);
    button.setAttribute("aria-label", `Speed of play: ${playSpeed}`);
  };
  button.addEventListener("click", () => {
    playSpeed = names[(names.indexOf(playSpeed) + 1) % names.length];
    show();
  });
  show();
  return button;
}
