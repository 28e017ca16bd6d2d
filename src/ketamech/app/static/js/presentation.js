// The story in full screen, for a class: chapters by keys or buttons; the figures link to the workbench.

import { button, element, find, nextFrame } from "./dom.js";
import { sectionAddress, setFigureAddress } from "./figure-share.js";
import { linkTo } from "./share-link.js";

const NEXT = ["ArrowRight", "PageDown"];
const PREVIOUS = ["ArrowLeft", "PageUp"];
const SHORT_KEYS = "Keys: → next, ← previous, Esc leave";
const CONTROLS = "input, select, textarea, [role=tab], [contenteditable]";

// `places`: the start and the chapters in order. Keys move between them in full screen only, where the page is not
// scrolled by hand.
export function setUpPresentation(places) {
  const bar = element(
    "div",
    { class: "presentation-bar", role: "group", "aria-label": "Full screen" },
    button("Previous", () => move(-1)),
    button("Next", () => move(1)),
    button("Leave full screen", () => leave()),
    element("span", { class: "presentation-keys", text: SHORT_KEYS }),
  );
  const enter = find("#full-screen");
  enter.title = find("#full-screen-keys").textContent;
  enter.addEventListener("click", start);
  document.body.append(bar);

  async function start() {
    document.body.classList.add("presentation");
    bar.querySelector("button:nth-child(2)").focus();
    await document.documentElement.requestFullscreen?.().catch(() => {}); // refused: the page fills its window
  }

  async function leave() {
    await keepPlace(async () => {
      document.body.classList.remove("presentation");
      if (document.fullscreenElement) await document.exitFullscreen();
    });
    enter.focus({ preventScroll: true });
  }

  const currentIndex = () => places.findLastIndex((node) => node.getBoundingClientRect().top <= innerHeight / 3);

  function move(step) {
    const target = places[Math.min(places.length - 1, Math.max(0, currentIndex() + step))];
    target.scrollIntoView({ block: "start" });
  }

  // The same part of the same chapter stays in view while the layout changes.
  async function keepPlace(change) {
    const node = places[Math.max(0, currentIndex())];
    const share = node.getBoundingClientRect().top / node.offsetHeight;
    await change();
    await nextFrame();
    scrollBy({ top: node.getBoundingClientRect().top - share * node.offsetHeight, behavior: "instant" });
  }

  addEventListener("keydown", (event) => {
    if (!document.body.classList.contains("presentation") || event.target.closest?.(CONTROLS)) return;
    const step = NEXT.includes(event.key) ? 1 : PREVIOUS.includes(event.key) ? -1 : 0;
    if (event.key === "Escape") leave();
    if (!step) return;
    event.preventDefault();
    move(step);
  });
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement || !document.body.classList.contains("presentation")) return;
    keepPlace(() => document.body.classList.remove("presentation")); // left by the browser's own key
  });
}

// The link of a figure opens the present treatment in the workbench; the link of one without a track, its chapter.
export function linkFiguresToWorkbench(state, trackInfo) {
  setFigureAddress((name, node) => {
    const track = trackInfo.get(node.dataset.track);
    if (!track) return sectionAddress(name, node);
    const view = { "curves.group": track.group };
    const link = linkTo({ cases: [state.scenario], view, tab: "curves" });
    return new URL(`workbench.html${link}&figure=${name}`, location.href).href;
  });
}
