// Numbers in the text that the reader drags sideways, or changes with the arrow keys.

import { element, setText } from "./dom.js";
import { formatTimeLong } from "./format.js";
import { selectedTime } from "./time-slider.js";

const PIXELS = 260; // of a drag over the whole range
const STEPS = 100;

// `label` names the number; `fraction()` is its place in its range, `setFraction` moves it, `text()` is what is shown; an
// arrow key moves it by `keyStep()` of its range.
function dragNumber({ label, fraction, setFraction, text, keyStep = () => 1 / STEPS }) {
  const node = element("span", {
    class: "drag-number", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": STEPS,
    title: `Drag sideways: ${label}`,
  }); // prettier-ignore
  const set = (value) => setFraction(Math.min(1, Math.max(0, value)));
  let start = null;
  node.addEventListener("pointerdown", (event) => {
    start = { x: event.clientX, fraction: fraction() };
    node.setPointerCapture(event.pointerId);
    event.preventDefault();
    node.focus();
  });
  node.addEventListener("pointermove", (event) => start && set(start.fraction + (event.clientX - start.x) / PIXELS));
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => (start = null));
  const keys = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
  node.addEventListener("keydown", (event) => {
    const edge = { Home: 0, End: 1 }[event.key];
    if (edge === undefined && !keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    set(edge ?? fraction() + keys[event.key] * keyStep());
  });
  const show = () => {
    const shown = text();
    if (node.writtenText === shown) return;
    setText(node, shown);
    node.setAttribute("aria-valuenow", Math.round(STEPS * fraction()));
    node.setAttribute("aria-valuetext", shown);
  };
  show();
  return { node, show };
}

// `listen` gets the function that shows the time.
export function draggedTime(listen) {
  const { node, show } = dragNumber({
    label: "time after the start",
    fraction: () => selectedTime.fractionOf(selectedTime.hours),
    setFraction: (fraction) => selectedTime.set(selectedTime.hoursAt(fraction)),
    text: () => formatTimeLong(selectedTime.hours),
  });
  listen(show);
  return node;
}

export function draggedDose(state) {
  const { node, show } = dragNumber({
    label: "dose",
    fraction: () => (state.dose - state.routeRow.min) / (state.routeRow.max - state.routeRow.min),
    setFraction(fraction) {
      const { min, max, step } = state.routeRow;
      state.set({ dose: Math.round((min + fraction * (max - min)) / step) * step });
    },
    text: () => `${state.roundedDose} ${state.routeRow.unit}`,
    keyStep() {
      const { min, max, step } = state.routeRow;
      return Math.max(1 / STEPS, step / (max - min)); // a smaller one would be rounded away
    },
  });
  state.onChange(show);
  return node;
}
