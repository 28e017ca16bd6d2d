// The story in full screen, for a class: chapters by keys or buttons; the figures link to the workbench.

import { landing } from "./chapter-scroll.js";
import { button, debounce, element, find, nextFrame } from "./dom.js";
import { setFigureAddress } from "./figure-share.js";
import { linkTo } from "./share-link.js";
import { selectedTime } from "./time-slider.js";

const STEPS = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
const PAGE_KEYS = ["PageDown", "PageUp"];
const SHORT_KEYS = "Keys: → or Page Down next, ← or Page Up back, Space scrolls, Esc leaves; a slider takes → and ← only after Tab";
const TYPED = "input:not([type=range], [type=checkbox]), select, textarea, [role=tab], [contenteditable]";
const OPENED = "dialog[open], :popover-open"; // has the keys for itself
const SLIDERS = "input[type=range], [role=slider]";
const USUAL_HEIGHTS = { text: 720, drawing: 820 }; // px of a window in which they have their usual size
const LEAST_ZOOM = { text: 1.15, drawing: 1 };
const SETTLE = 100; // ms after the last move of the page
const JUST_LANDED = 1500; // ms
const RESIZING = 800; // ms after full screen is entered or left, in which figures take their new size

// `places`: the start and the chapters in order. Keys move between them in full screen only, where the page is not
// scrolled by hand.
export function setUpPresentation(places) {
  const place = element("strong", { class: "presentation-place", role: "status" });
  const bar = element(
    "div",
    { class: "presentation-bar", role: "group", "aria-label": "Full screen", tabindex: "-1" },
    button("Previous", () => move(-1)),
    button("Next", () => move(1)),
    button("Print", () => print(), { title: "Print this chapter with the drawing" }),
    button("Leave full screen", () => leave()),
    place,
    element("span", { class: "presentation-keys", text: SHORT_KEYS }),
    element("span", { class: "presentation-notice", text: find("#disclaimer").textContent }),
  );
  const enter = find("#full-screen");
  const { body } = document;
  const isOn = () => body.classList.contains("presentation");
  enter.title = find("#full-screen-keys").textContent;
  enter.addEventListener("click", start);
  body.append(bar);

  async function start() {
    await keepPlace(async () => {
      fitZoom();
      body.classList.add("presentation");
      bar.focus({ preventScroll: true }); // Space scrolls
      await document.documentElement.requestFullscreen?.().catch(() => {}); // refused: the page fills its window
    });
  }

  async function leave() {
    await keepPlace(async () => {
      body.classList.remove("presentation");
      if (document.fullscreenElement) await document.exitFullscreen();
    });
    enter.focus({ preventScroll: true });
  }

  // The text grows with the height of the screen: it is read from the back of a room.
  function fitZoom() {
    for (const [name, height] of Object.entries(USUAL_HEIGHTS)) {
      body.style.setProperty(`--${name}-zoom`, Math.max(LEAST_ZOOM[name], innerHeight / height).toFixed(3));
    }
  }
  addEventListener("resize", fitZoom);

  const currentIndex = () => Math.max(0, places.findLastIndex((node) => node.getBoundingClientRect().top <= innerHeight / 3));

  function showPlace(index = currentIndex()) {
    if (matchMedia("print").matches) return; // paper holds one chapter
    const last = places.length - 1;
    places.forEach((node, i) => node.classList.toggle("in-view", i === index)); // alone on paper (story.css)
    place.textContent = index ? `${index} of ${last}${index === last ? ", the last chapter" : ""}` : `Start, ${last} chapters`;
  }
  addEventListener("scroll", debounce(SETTLE, () => isOn() && showPlace()), { passive: true });

  // Where the reader is. A press of a button ends the landing at a chapter, and what stands above it then takes its height.
  function look() {
    const isLanded = performance.now() - landing.endedAt < JUST_LANDED;
    const node = isLanded ? landing.node : places[currentIndex()];
    const { top, height } = node.getBoundingClientRect();
    return { node, top: isLanded ? landing.top : top, height };
  }

  function move(step) {
    const index = Math.min(places.length - 1, Math.max(0, currentIndex() + step));
    places[index].scrollIntoView({ block: "start" });
    hold = () => places[index].scrollIntoView({ block: "start", behavior: "instant" });
    showPlace(index);
  }

  // The heading of the chapter, or the same part below it, stays in view while the layout changes and figures take their
  // new size, unless the reader moves: also before the browser has answered. A chapter led to meanwhile stays instead.
  let hold = null;
  for (const name of ["wheel", "keydown", "pointerdown"]) addEventListener(name, () => (hold = null), { capture: true, passive: true });

  async function keepPlace(change, { node, top, height } = look()) {
    hold = () => {
      const now = node.getBoundingClientRect();
      const away = now.top - (top < 0 ? (top / height) * now.height : top);
      if (Math.abs(away) > 1) scrollBy({ top: away, behavior: "instant" });
    };
    showPlace(places.indexOf(node));
    await change();
    await nextFrame();
    const until = performance.now() + RESIZING;
    do {
      hold?.();
      await nextFrame();
    } while (performance.now() < until);
    showPlace();
  }

  // Page Down and Page Up always lead to another chapter, the arrow keys do where no control needs them. A slider keeps the
  // focus, and with it the arrow keys, only where it was reached by keyboard: after a click into the clock they lead on.
  addEventListener("pointerup", ({ target }) => isOn() && target.closest?.(SLIDERS) && bar.focus({ preventScroll: true }));
  const needs = (target, key) => target.closest?.(TYPED) || (!PAGE_KEYS.includes(key) && target.closest?.(SLIDERS));
  addEventListener(
    "keydown",
    (event) => {
      if (!isOn() || event.altKey || event.ctrlKey || event.metaKey || find(OPENED)) return;
      if (event.key === "Escape") leave();
      const step = STEPS[event.key];
      if (!step || needs(event.target, event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      move(step);
    },
    { capture: true },
  );
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement || !isOn()) return;
    keepPlace(() => body.classList.remove("presentation")); // left by the browser's own key
  });
}

// The link of a figure is the address of its chapter with treatment and time; a second button opens both in the workbench.
export function linkFigures(address, state, trackInfo) {
  const chapterOf = (name, node) => {
    const { id } = node.closest("section[id]") ?? {};
    return new URL(address.hash(id === "start" ? "" : id), location.href).href;
  };
  const workbenchOf = (name, node) => {
    const track = trackInfo.get(node.dataset.track);
    const view = { time: Number(selectedTime.hours.toPrecision(3)), ...(track && { "curves.group": track.group }) };
    return `workbench.html${linkTo({ cases: [state.scenario], view, tab: "curves" })}${track ? `&figure=${name}` : ""}`;
  };
  setFigureAddress(chapterOf, workbenchOf);
}
