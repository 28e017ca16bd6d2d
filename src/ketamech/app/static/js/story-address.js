// The story in the address, behind the #: chapter, treatment, clock and what is shown. Every change of the treatment is a
// step of the browser's history, so that Back and Undo take it back.

import { debounce } from "./dom.js";
import { selectedTime } from "./time-slider.js";

const PHONE = matchMedia("(max-width: 52rem)"); // as in the stylesheet
const OPENED = "dialog[open], :popover-open";
const ONE_DRAG = 2000; // ms: changes of the dose that follow each other within this time are one step
const list = (text) => (text ?? "").split(" ").filter(Boolean);

export class StoryAddress {
  // `view`: further settings, { name: { get() -> text or null, set(text or null) } }.
  constructor(state, view) {
    this.hasTime = /[#&]hours=/.test(location.hash);
    const place = history.state?.place ?? null;
    Object.assign(this, { state, view, steps: 0, place, opened: null, isLeaving: false, draggedAt: -Infinity, isRestoring: false, listeners: [] });
    history.scrollRestoration = "manual"; // the page is too short for the browser while it is built
    this.read(location.hash, { withTime: true });
    this.replace();
    this.replaceSoon = debounce(300, () => this.replace());
    state.onChange(() => this.step());
    selectedTime.onChange(() => this.replaceSoon());
    addEventListener("popstate", (event) => this.restore(event.state));
    document.addEventListener("toggle", () => setTimeout(() => this.followOpened()), true); // one may give way to another
  }

  // `listener` gets the number of changes that can be taken back.
  onSteps(listener) {
    this.listeners.push(listener);
    listener(this.steps);
  }

  // `listener` gets the place of the entry that Back or Forward leads to, where the treatment does not change.
  onReturn(listener) {
    this.returned = listener;
  }

  // Where the reader is, for this entry.
  keepPlace(place) {
    this.place = place;
    this.replace();
  }

  // On a phone, what is opened over the page is an entry of the history of its own, so that Back closes it.
  followOpened() {
    const opened = document.querySelector(OPENED);
    if (opened && !this.opened && PHONE.matches) history.pushState({ steps: this.steps, place: this.place, isOpen: true }, "", this.hash());
    const isClosed = !opened && this.opened;
    this.opened = PHONE.matches ? opened : null;
    if (!isClosed || !history.state?.isOpen) return; // a link in it has led on
    this.isLeaving = true;
    history.back();
  }

  undo() {
    history.back();
  }

  // A view setting has changed: no step of the history.
  replace() {
    const isOpen = this.opened ? true : undefined;
    history.replaceState({ steps: this.steps, place: this.place, isOpen }, "", this.hash());
  }

  step() {
    if (this.isRestoring) return;
    const now = performance.now();
    const isDose = this.withoutDose() === this.others;
    if (isDose && now - this.draggedAt < ONE_DRAG) {
      this.replace();
    } else if (this.hash() !== location.hash) {
      this.setSteps(this.steps + 1);
      history.pushState({ steps: this.steps, place: this.place }, "", this.hash());
    }
    this.others = this.withoutDose();
    this.draggedAt = isDose ? now : -Infinity;
  }

  // Everything of the treatment but its dose.
  withoutDose() {
    const { route, drug, schedule, pathwaysOff, perturbations } = this.state;
    return [route, drug, schedule, ...pathwaysOff, ...perturbations].join(" ");
  }

  setSteps(steps) {
    this.steps = steps;
    for (const listener of this.listeners) listener(steps);
  }

  // `listener` is called after another address of the story was opened in this page.
  onAddress(listener) {
    this.followed = listener;
  }

  // Back and Forward bring a stored state. Without one, an address was opened: that of a chapter alone keeps what is shown,
  // another is followed as a step of its own.
  restore(stored) {
    this.draggedAt = -Infinity;
    const { opened, isLeaving } = this;
    Object.assign(this, { opened: null, isLeaving: false });
    if (stored && (opened || isLeaving)) {
      if (opened?.matches("dialog")) opened.close();
      else opened?.hidePopover();
      return this.replace(); // the page stays where it is
    }
    if (stored) {
      if (stored.steps === this.steps) this.returned?.(stored.place);
      this.setSteps(stored.steps);
      return this.read(location.hash, { withTime: false });
    }
    const isWhole = location.hash.includes("=");
    if (isWhole) {
      this.place = null;
      this.setSteps(this.steps + 1);
      this.read(location.hash, { withTime: true });
    }
    this.replace();
    if (isWhole) this.followed?.();
  }

  get chapter() {
    const [first] = location.hash.slice(1).split("&");
    return /^[a-z]+$/.test(first) ? first : "";
  }

  // `chapter`: that of a link, or the present one.
  hash(chapter = this.chapter) {
    const { state, view } = this;
    const parts = new URLSearchParams();
    const { route, chosenDrug: drug, schedule, roundedDose: dose } = state;
    for (const [name, value] of Object.entries({ route, drug, schedule, dose })) {
      if (value !== state.defaults[name]) parts.set(name, value);
    }
    if (state.pathwaysOff.size) parts.set("off", [...state.pathwaysOff].join(" "));
    if (state.perturbations.size) parts.set("block", [...state.perturbations].join(" "));
    parts.set("hours", Number(selectedTime.hours.toPrecision(3)));
    for (const [name, { get }] of Object.entries(view)) if (get() !== null) parts.set(name, get());
    return `#${chapter}&${parts}`;
  }

  read(hash, { withTime }) {
    const parts = new URLSearchParams(hash.replace(/^#([^&=]*(&|$))?/, "")); // also without a chapter: #read=student
    this.isRestoring = true;
    this.state.restore({
      route: parts.get("route"),
      drug: parts.get("drug"),
      schedule: parts.get("schedule"),
      dose: Number(parts.get("dose") ?? NaN),
      pathwaysOff: list(parts.get("off")),
      perturbations: list(parts.get("block")),
    });
    this.isRestoring = false;
    this.others = this.withoutDose();
    for (const [name, { set }] of Object.entries(this.view)) set(parts.get(name));
    const hours = Number(parts.get("hours"));
    if (withTime && hours > 0) selectedTime.set(hours);
  }
}
