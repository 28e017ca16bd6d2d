// The pinned drawing with its four zoom levels, its legend, its sentence and its table. The clock and the curves drive it;
// nothing else moves.

import { button, collapsible, debounce, element, nextFrame, setAttribute, setText, svgElement, table } from "../dom.js";
import { formatTimeLong } from "../format.js";
import { readingLevel } from "../reading-level.js";
import { Bindings } from "./bindings.js";
import { body } from "./body.js";
import { brain } from "./brain.js";
import { glyph, updateGlyph } from "./glyphs.js";
import { spine } from "./spine.js";
import { synapse } from "./synapse.js";

const BY_NAME = { body, brain, synapse, spine };
const LEVELS = Object.keys(BY_NAME); // from the outside to the inside
const NAMES = { body: "Body", brain: "Brain", synapse: "Synapse", spine: "Spine" };
const WIDE = 760; // px
const MEDIUM = 540;
const LOW = 300;
const LATE = 12; // h; on a phone the synapse then shows the new spine
const PHONE = matchMedia("(max-width: 40rem)"); // as in the stylesheet
const TWO_LINES = 96; // letters of a sentence on a phone
const LOW_WINDOW = 560; // px
const FOLDED = "drawing is hidden"; // key of the storage of the visit
const REST = 600; // ms after which the sentence is read out
const PRINTED = [2 / 3, 2, 24, 168]; // h
const STILL_HEIGHT = 208; // px, as in the stylesheet
// What the marks of a level mean: the key, which is always in view, and the rest, where there is room.
const RULE = {
  body: [
    "Each hexagon is one hundredth of the dose: filled is the drug itself, hollow is what the body made of it.",
    "The deeper the tint, the more drug is there now.",
  ],
  brain: [
    "Ring: healthy level, 100. Broken ring: not in the midline. Differences are doubled in discs and tripled in lines.",
    "The pale line is the healthy width.",
  ],
  synapse: [
    "Pale: resting level. Full colour: above rest. Hollow: below rest.",
    "Not to scale: channels and gaps are drawn about four times too large, cell bodies tens of times too small.",
  ],
  spine: [
    "The branch has 40 places, all filled in a healthy brain: one place stands for 2.5 of 100 spines.",
    "Above is the time of the clock, below are six others. Only the net change is drawn.",
  ],
};
// Signs of a level that have a name and no value.
const KEY = { spine: [["spine_empty", "empty place"], ["spine_thin", "new, thin"], ["spine_mature", "new, mature"]] };
const VIEW_RULE = {
  felt: [
    "Bar: share of the largest score, of full anaesthesia, or of a rise by 40 mmHg.",
    "The hexagons show where the dose is.",
  ],
  inflammation: [
    "Ring: healthy level. The area of the disc is the level now, drawn up to 4.8 times healthy.",
    "The hexagons show where the dose is.",
  ],
};
const MOOD_RULE = [
  "Lines are computed. Points are published values: half filled where a part of their place is the model’s, square where they were used to fit it.",
];
// What a saved drawing is called.
const TITLES = {
  body: "Where the drug is in the body",
  brain: "Areas of the brain and the links between them",
  synapse: "Ketamine at a synapse",
  spine: "Spines on a branch of a nerve cell, before the dose to 28 days after it",
  mood: "Depression score, MADRS",
};
const ANIMALS = { synapse: " Measured mostly in rats and mice.", body: "", brain: "", spine: "" };

// What the reader chose in this visit; before that, hidden where the drawing would fill the window.
function storedFold() {
  try {
    const stored = sessionStorage.getItem(FOLDED);
    if (stored) return stored === "yes";
  } catch {
    // storage is off
  }
  return innerHeight < LOW_WINDOW;
}

const root = document.documentElement; // known to the stylesheet before the drawing is made
root.classList.toggle("drawing-hidden", storedFold());

function storeFold(isFolded) {
  try {
    sessionStorage.setItem(FOLDED, isFolded ? "yes" : "no");
  } catch {
    // storage is off
  }
}

export class Scene {
  // `place`: the element that holds the drawing; `rows`: the table of bindings.
  constructor(place, rows) {
    this.bindings = new Bindings(rows);
    this.updates = new Map(); // by level that is built: draws a frame
    this.drawings = Object.fromEntries(LEVELS.map((name) => [name, this.drawing(name)]));
    this.stage = element("div", {
      class: "stage",
      role: "img",
      "aria-describedby": "scene-sentence",
      "aria-label": "Drawing",
    });
    this.stage.append(...LEVELS.map((name) => this.drawings[name]));
    this.sentenceNode = element("p", { class: "scene-sentence", id: "scene-sentence" });
    this.legend = element("ul", {});
    this.note = element("p", { class: "scene-note" });
    this.live = element("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
    this.tabs = element(
      "div",
      { class: "levels", role: "group", "aria-label": "Zoom level" },
      LEVELS.map((name) => button(NAMES[name], () => this.setLevel(name), { "data-level": name, "aria-pressed": "false" })),
    );
    this.moodPlace = element("div", { class: "stage-mood", hidden: true });
    this.stage.append(this.moodPlace);
    this.place = place;
    place.append(this.head(), this.stage, this.sentenceNode, this.legend, this.note, this.values(), this.live);
    this.readOutLater = debounce(REST, (sentence) => this.readOut(sentence));
    this.level = "synapse";
    this.view = "dose";
    this.fold(root.classList.contains("drawing-hidden"));
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.setLevel("synapse");
    readingLevel.listeners.push(() => this.update());
    addEventListener("beforeprint", () => this.addStills());
    addEventListener("afterprint", () => this.stills?.remove());
  }

  head() {
    const claim = element("span", { class: "scene-claim", text: "drawn from computed curves, not to scale" });
    this.foldButton = button("", () => this.foldInPlace(), { class: "link-button fold-drawing" });
    return element("div", { class: "scene-head" }, this.tabs, claim, this.foldButton);
  }

  // On a phone the drawing can be hidden: its sentence is left, in the words of which it shows.
  fold(isFolded) {
    root.classList.toggle("drawing-hidden", isFolded);
    this.foldButton.textContent = `${isFolded ? "Show" : "Hide"} the drawing`;
    this.foldButton.setAttribute("aria-expanded", String(!isFolded));
  }

  // The text below keeps its place on the screen where the drawing is pinned.
  foldInPlace() {
    const isFolded = !root.classList.contains("drawing-hidden");
    const top = () => this.place.nextElementSibling.getBoundingClientRect().top;
    const [isPinned, before] = [this.place.getBoundingClientRect().top < 1, top()];
    this.fold(isFolded);
    if (isPinned) scrollBy({ top: top() - before, behavior: "instant" });
    storeFold(isFolded);
  }

  drawing(name) {
    return svgElement("svg", {
      class: "drawing",
      "data-level": name,
      preserveAspectRatio: "xMidYMid slice",
      "aria-hidden": "true",
    });
  }

  // From here on the drawing is made: the mood curve is on the screen before it.
  start() {
    this.isStarted = true;
    this.update();
  }

  // Makes the marks of a level, once.
  build(level) {
    if (this.updates.has(level)) return;
    const { node, update } = BY_NAME[level].build();
    this.drawings[level].append(node);
    this.updates.set(level, update);
  }

  // Makes the marks of the other levels, each in a frame of its own.
  async buildOthers() {
    for (const level of LEVELS) {
      await nextFrame();
      this.build(level);
    }
  }

  // Draws a level at a time.
  draw(level, frame, view) {
    this.build(level);
    this.updates.get(level)(frame, view);
  }

  values() {
    this.tablePlace = element("div", {});
    this.details = collapsible("All values", this.tablePlace, { count: element("span", { class: "values-kind", text: " as a table" }) });
    this.details.classList.add("scene-values");
    this.details.addEventListener("toggle", () => this.fillTable());
    return this.details;
  }

  // The width class, the camera and the size of the letters, which stay the same on the screen.
  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width) return;
    const isLow = height < LOW; // letters keep their size, and names would lie over each other
    this.size = isLow || width < MEDIUM ? "narrow" : width >= WIDE ? "wide" : "medium";
    this.isLate = this.hours > LATE;
    for (const name of LEVELS) {
      const { cameras, wideHeight = 0 } = BY_NAME[name];
      const size = this.size === "wide" && height < wideHeight ? "medium" : this.size;
      const isLate = this.size === "narrow" && cameras.narrowLate && this.isLate;
      const [x, y, w, h] = isLate ? cameras.narrowLate : cameras[size];
      const scale = Math.max(h / height, w / width); // the camera always fits
      const [across, down] = [scale * width, scale * height];
      const svg = this.drawings[name];
      setAttribute(svg, "viewBox", [x + (w - across) / 2, y + (h - down) / 2, across, down].map((value) => value.toFixed(1)).join(" "));
      setAttribute(svg, "data-size", isLate ? "narrow-late" : size);
      svg.style.setProperty("--unit", `${scale.toFixed(3)}px`);
    }
  }

  // `level` "mood": the mood curve in place of the drawing, where the hero has put one.
  setLevel(level, view = null) {
    this.moodPlace.hidden = level !== "mood";
    this.stage.setAttribute("role", level === "mood" ? "group" : "img");
    const from = LEVELS.indexOf(this.level);
    const to = LEVELS.indexOf(level);
    this.level = level;
    this.view = view ?? (level === "body" ? "dose" : "");
    for (const name of LEVELS) {
      const index = LEVELS.indexOf(name);
      const state = to < 0 ? "nearer" : index === to ? "shown" : index < to || (index === from && to > from) ? "nearer" : "farther";
      setAttribute(this.drawings[name], "data-state", state);
    }
    for (const button of this.tabs.children)
      setAttribute(button, "aria-pressed", String(button.dataset.level === level));
    this.showNote();
    this.fillLegend();
    this.update();
    this.onLevel?.(level);
  }

  showNote() {
    const [key, more = ""] = this.level === "mood" ? MOOD_RULE : (VIEW_RULE[this.view] ?? RULE[this.level]);
    const rest = ` ${more}${ANIMALS[this.level] ?? ""}${this.remark ?? ""}`;
    this.note.replaceChildren(key, element("span", { class: "only-tall", text: rest }));
  }

  fillLegend() {
    const rows = this.bindings
      .level(this.level)
      .filter((row) => row.legend !== "no" && (!row.view || row.view === this.view));
    this.entries = rows.map((row) => {
      const sign = glyph(row.glyph);
      const value = element("b", {});
      const name = element("span", { text: row.label });
      const attributes = { "data-row": row.id, class: row.legend === "wide" ? "only-wide" : null };
      const node = element("li", attributes, sign, name, value);
      return { row, sign, value, node };
    });
    const key = (KEY[this.level] ?? []).map(([sign, text]) => element("li", { class: "key" }, glyph(sign), element("span", { text })));
    const own = { class: "scene-legend", "data-level": this.level, "data-view": this.view };
    const legend = element("ul", own, this.entries.map(({ node }) => node), key);
    this.legend.replaceWith(legend);
    this.legend = legend;
  }

  get title() {
    return TITLES[this.level];
  }

  // Curves of another scenario; `remark` is added to the note.
  setCurves(times, values, remark = "") {
    this.bindings.setCurves(times, values);
    this.remark = remark;
    this.showNote();
    this.update();
  }

  show(hours) {
    this.hours = hours;
    this.update();
  }

  update() {
    this.move(this.hours);
    this.write();
  }

  // The drawing at a time. What is written follows with `write`.
  move(hours) {
    this.hours = hours;
    if (this.bindings.isEmpty || hours === undefined || this.level === "mood") return;
    this.frame = this.bindings.at(hours);
    if (this.isStarted) this.draw(this.level, this.frame, this.view);
    if (this.size === "narrow" && this.isLate !== hours > LATE) this.fit();
  }

  // The legend and the sentence at the time of the drawing.
  write() {
    if (this.bindings.isEmpty || this.hours === undefined) return;
    if (this.level === "mood") return this.writeSentence(this.moodSentence?.(this.hours) ?? "");
    const { frame } = this;
    for (const { row, sign, value, node } of this.entries) {
      setText(value, frame.short(row.id));
      updateGlyph(sign, frame, row);
      if (row.mapping === "share")
        setAttribute(node, "data-never", this.bindings.peaks.get(row.id) > 1e-9 ? "no" : "yes");
    }
    const sentence = BY_NAME[this.level].sentence(frame, this.view);
    this.writeSentence(sentence);
    if (this.details.open) this.fillTable();
    this.readOutLater(sentence);
  }

  // On a phone as many whole sentences as two lines hold, at least one.
  writeSentence(text) {
    const sentences = PHONE.matches ? text.split(/(?<=\.) (?=[A-Z])/) : [text];
    const isTooLong = (_, i) => i > 0 && sentences.slice(0, i + 1).join(" ").length > TWO_LINES;
    const count = sentences.findIndex(isTooLong);
    setText(this.sentenceNode, sentences.slice(0, count < 0 ? undefined : count).join(" "));
  }

  readOut(sentence) {
    setText(this.live, `${formatTimeLong(this.hours)} after the start. ${sentence}`);
  }

  // The sentence of a level at a time, for the steps of a chapter.
  sentenceAt(hours, level, view) {
    return this.bindings.isEmpty ? "" : BY_NAME[level].sentence(this.bindings.at(hours), view);
  }

  fillTable() {
    if (!this.details.open || this.bindings.isEmpty) return;
    const frame = this.bindings.at(this.hours);
    const rows = [...this.bindings.rows.values()].map((row) => [
      NAMES[row.level] ?? "All levels",
      row.label,
      frame.text(row.id),
      row.measured_in,
    ]);
    const caption = `Everything that changes in the drawing, ${formatTimeLong(this.hours)} after the start`;
    this.tablePlace.replaceChildren(table(caption, ["level", "what", "now", "mostly measured in"], rows));
  }

  // Four pictures of the synapse, for paper, whatever level is shown.
  addStills() {
    if (this.bindings.isEmpty) return;
    const [level, view] = ["synapse", ""];
    const picture = (hours) => {
      const frame = this.bindings.at(hours);
      this.draw(level, frame, view);
      const copy = this.drawings[level].cloneNode(true);
      copy.setAttribute("data-size", "narrow"); // few labels, in letters that fit the small picture
      copy.style.setProperty("--unit", `${copy.viewBox.baseVal.height / STILL_HEIGHT}px`);
      const text = `${formatTimeLong(hours)}: ${BY_NAME[level].sentence(frame, view)}`;
      return element("figure", {}, copy, element("figcaption", { text }));
    };
    this.stills = element("div", { class: "print-stills" }, PRINTED.map(picture));
    this.stage.after(this.stills);
    this.update();
  }
}
