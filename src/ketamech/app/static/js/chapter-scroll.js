// Scrolling selects the level of the drawing and the time of the chapter; never while the reader moves the clock, and not
// for the first chapter of an address that holds a time. The clock says that it was moved, and goes back on request.

import { debounce, element, find, findAll, linkButton, setAttribute } from "./dom.js";
import { formatTimeLong } from "./format.js";
import { selectedTime } from "./time-slider.js";

const MOVE = 700; // ms
const SETTLE = 120; // ms: a chapter that is only passed changes nothing
const JUST_CHOSEN = 1000; // ms: a time chosen so shortly before a chapter comes into view is kept

const GROWING = 12_000; // ms after everything is computed during which figures above a chapter may still grow
const MOVED = 2; // px
const MOVES = ["wheel", "touchstart", "pointerdown", "keydown"];
let endLanding = () => {};
export const landing = { node: null, top: 0, endedAt: -Infinity }; // the last one: its chapter, its place (px), when it ended

// Keeps a chapter that a link or an address leads to at its place while the page grows, until the reader moves: the chapters
// above keep the height that they have now (story.css), and get their own in one step. `computed` resolves when the
// figures of the page are computed, which takes a slow machine long. `lead`: how the page goes there.
export function landOn(node, computed, lead = () => node.scrollIntoView({ behavior: "instant" })) {
  endLanding();
  lead();
  const top = () => node.getBoundingClientRect().top;
  const landed = top();
  Object.assign(landing, { node, top: landed, endedAt: -Infinity });
  for (const chapter of document.querySelectorAll(".chapter")) chapter.style.setProperty("--landed-height", `${chapter.offsetHeight}px`);
  node.classList.add("landed");
  const end = new AbortController();
  const stop = () => {
    if (end.signal.aborted) return;
    end.abort();
    landing.endedAt = performance.now();
    const before = top();
    node.classList.remove("landed");
    scrollBy({ top: top() - before, behavior: "instant" }); // the browser's own anchoring gives way to a wheel
  };
  endLanding = stop;
  for (const name of MOVES) addEventListener(name, stop, { passive: true, signal: end.signal });
  addEventListener("scroll", () => Math.abs(top() - landed) > MOVED && stop(), { passive: true, signal: end.signal });
  computed.then(() => {
    const timer = setTimeout(stop, GROWING);
    end.signal.addEventListener("abort", () => clearTimeout(timer));
  });
}

// After every link to a chapter that opens here. It lands after the browser, which is kept from a movement of its own, and
// which leaves the entry of the link with the place that the reader had.
export function followChapterLinks(computed) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    const node = link && document.getElementById(link.getAttribute("href").slice(1));
    const isElsewhere = event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!node?.matches(".chapter") || isElsewhere) return;
    document.documentElement.style.scrollBehavior = "auto";
    setTimeout(() => {
      landOn(node, computed);
      document.documentElement.style.scrollBehavior = "";
    });
  });
}

// Where the reader is: a chapter, and the share of its height at the middle of the window, or `y` (px) before them. It is
// kept when the width of the window changes, and by the address for a reload and for Back.
export class ReadingPlace {
  constructor(chapters, address) {
    this.chapters = chapters;
    this.address = address;
    this.width = innerWidth;
    addEventListener("scroll", debounce(SETTLE, () => address.keepPlace(this.now())), { passive: true });
    addEventListener("resize", () => {
      if (innerWidth === this.width) return;
      this.width = innerWidth;
      endLanding();
      this.goTo(address.place);
    });
    address.onReturn((place) => {
      endLanding();
      this.goTo(place);
    });
  }

  now() {
    const middle = innerHeight / 2;
    const node = this.chapters.findLast((one) => one.getBoundingClientRect().top <= middle);
    if (!node) return { y: scrollY };
    const { top, height } = node.getBoundingClientRect();
    return { id: node.id, share: (middle - top) / height };
  }

  goTo(place) {
    const { id, share, y = 0 } = place ?? {};
    if (!id) return scrollTo({ top: y, behavior: "instant" });
    const { top, height } = document.getElementById(id).getBoundingClientRect();
    scrollBy({ top: top + share * height - innerHeight / 2, behavior: "instant" });
  }

  // The chapter where the reader was, and how to go there; null at a first visit and before the chapters.
  get former() {
    const { place } = this.address;
    return place?.id ? { node: document.getElementById(place.id), lead: () => this.goTo(place) } : null;
  }
}

export class ChapterScroll {
  // `isTimeGiven`: the address holds a time.
  constructor(chapters, scene, isTimeGiven) {
    this.own = selectedTime.hours; // what the reader chose last
    Object.assign(this, { scene, current: "start", isHeld: false, isTimeGiven, isChosen: false, isMoving: false, chosenAt: -Infinity });
    this.rows = new Map(chapters.map((chapter) => [chapter.id, chapter]));
    const observer = new IntersectionObserver((entries) => this.see(entries), { rootMargin: "-42% 0px -50% 0px" });
    for (const { node } of chapters) observer.observe(node);
    this.first = chapters[0].node;
    this.inBand = new Set();
    const clock = find("#time-bar");
    clock.addEventListener("pointerdown", () => (this.isHeld = true));
    addEventListener("pointerup", () => (this.isHeld = false));
    this.notice = new ClockNotice(clock, () => selectedTime.set(this.own));
    selectedTime.onFrame((hours) => {
      if (this.isMoving) return;
      this.own = hours;
      this.notice.hide();
      this.isChosen = true;
      this.chosenAt = performance.now();
    });
    this.enterSoon = debounce(SETTLE, () => this.enter());
  }

  see(entries) {
    for (const { target, isIntersecting } of entries) this.inBand[isIntersecting ? "add" : "delete"](target.id);
    const isAbove = this.first.getBoundingClientRect().top > innerHeight / 2;
    const shown = [...this.rows.keys()].findLast((one) => this.inBand.has(one));
    const id = shown ?? (isAbove ? "start" : this.current); // the start has no box of its own on a phone
    if (id === this.current) return;
    this.current = id;
    this.isChosen = this.isTimeGiven || performance.now() - this.chosenAt < JUST_CHOSEN;
    this.isTimeGiven = false;
    this.enterSoon();
  }

  enter() {
    const row = this.rows.get(this.current);
    if (!row) return this.scene.setLevel("synapse");
    this.scene.setLevel(row.level, row.view || null);
    if (!this.isHeld && !this.isChosen) this.moveTo(row.hours);
  }

  // `change`: of the clock, "set" or "run".
  move(change, hours) {
    this.isMoving = true;
    selectedTime[change](hours);
    this.isMoving = false;
  }

  moveTo(hours) {
    if (formatTimeLong(hours) !== formatTimeLong(selectedTime.hours)) this.notice.show(hours, this.own);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.move("set", hours);
    const [from, to] = [selectedTime.fractionOf(selectedTime.hours), selectedTime.fractionOf(hours)];
    const began = performance.now();
    const chapter = this.current;
    const step = (now) => {
      const share = Math.min(1, Math.max(0, (now - began) / MOVE));
      if (this.isHeld || this.isChosen || chapter !== this.current) return this.move("set", selectedTime.hours);
      if (share === 1) return this.move("set", hours);
      this.move("run", selectedTime.hoursAt(from + (to - from) * share));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

// The button of the clock that opens the list of chapters.
export function chapterListButton() {
  const parts = ["☰", "Chapters"].map((text) => element("span", { text }));
  return element("button", { type: "button", id: "open-chapters", popovertarget: "chapter-nav", "aria-label": "Chapters" }, parts);
}

// The list closes when a chapter is chosen, and marks the one in view while it is open.
export function setUpChapterList(chapters) {
  const list = find("#chapter-nav");
  find("#to-top").addEventListener("click", () => {
    list.hidePopover();
    endLanding();
    scrollTo({ top: 0, behavior: "instant" });
  });
  list.addEventListener("click", ({ target }) => target.closest("a") && list.hidePopover());
  list.addEventListener("beforetoggle", () => {
    const current = chapters.findLast((node) => node.getBoundingClientRect().top <= innerHeight / 2);
    for (const link of findAll("a", list)) setAttribute(link, "aria-current", String(link.hash === `#${current?.id}`));
  });
}

// A line on the clock: to which time a chapter has moved it, and a way back to the reader's own time, where it is another.
class ClockNotice {
  constructor(clock, back) {
    this.text = element("span", {});
    this.button = linkButton("", back, { id: "clock-back" });
    this.node = element("p", { class: "clock-notice", role: "status", hidden: true }, this.text, this.button);
    clock.append(this.node);
  }

  show(hours, own) {
    const [now, before] = [hours, own].map(formatTimeLong);
    this.text.replaceChildren(`The clock moved to ${now}`, element("span", { class: "only-roomy", text: " for this chapter" }), ".");
    this.button.textContent = `Back to ${before}`;
    this.node.hidden = now === before;
  }

  hide() {
    this.node.hidden = true;
  }
}
