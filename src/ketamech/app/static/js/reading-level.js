// How much the text of the story says: plain, student or expert. Nodes with `data-from="student"` or `data-from="expert"`
// belong to that level and above, those with `data-until="student"` are replaced at the expert level; the style sheet hides
// others.

import { element, find, findAll, linkButton } from "./dom.js";

export const LEVELS = ["plain", "student", "expert"];
const STORED = "reading level";

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // storage is off
  }
}

class ReadingLevel {
  constructor() {
    this.listeners = [];
    this.set(null);
  }

  // An unknown level or none: the one that this reader chose last, else plain.
  set(level) {
    this.level = [level, stored()].find((one) => LEVELS.includes(one)) ?? LEVELS[0];
    document.documentElement.dataset.reading = this.level;
    for (const listener of this.listeners) listener(this.level);
  }

  // Chosen by the reader: remembered for the next visit.
  choose(level) {
    try {
      localStorage.setItem(STORED, level);
    } catch {
      // storage is off
    }
    this.set(level);
  }
}

export const readingLevel = new ReadingLevel();

// The switch at the top; `changed` is called after a choice.
export function setUpReadingLevel(changed) {
  const inputs = findAll("#reading-level input");
  const show = (level) => {
    for (const input of inputs) input.checked = input.value === level;
  };
  for (const input of inputs) {
    input.addEventListener("change", () => {
      const keepPlace = placeOfReader();
      readingLevel.choose(input.value);
      keepPlace();
      sayWhatIsAdded(input.value);
      changed();
    });
  }
  readingLevel.listeners.push(show);
  show(readingLevel.level);
}

const ADDED = "section.chapter .text > p[data-from]";
const SHOWN = 8000; // ms

// At the top, since the first text that a level adds may be far below: how much it adds, what marks it, and the way to the next.
function sayWhatIsAdded(level) {
  find("#level-note")?.remove();
  const added = findAll(ADDED).filter((node) => node.checkVisibility());
  if (!added.length) return;
  const next = added.find((node) => node.getBoundingClientRect().top > 0) ?? added[0];
  const show = linkButton("Show the next", () => next.scrollIntoView({ block: "center" }));
  const text = `${level === "expert" ? "Expert replaces the plain text and adds equations" : "Student adds terms and paragraphs"}: ${added.length} paragraphs with a line at the left. `;
  const note = element("div", { id: "level-note", role: "status" }, text, show);
  find("#reading-level").append(note);
  setTimeout(() => note.remove(), SHOWN);
}

// The chapter in view stays where it is while text above it appears or goes.
function placeOfReader() {
  const chapter = findAll("section.chapter").findLast((node) => node.getBoundingClientRect().top < innerHeight / 2);
  const node = chapter && find("h2", chapter);
  if (!node) return () => {};
  const before = node.getBoundingClientRect().top;
  return () => scrollBy({ top: node.getBoundingClientRect().top - before, behavior: "instant" });
}
