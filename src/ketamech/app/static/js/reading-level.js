// How much the text of the story says: plain, student or expert. Nodes with `data-from="student"` or `data-from="expert"`
// belong to that level and above, those with `data-until="student"` are replaced at the expert level; the style sheet hides
// others.

import { find, findAll } from "./dom.js";

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
      changed();
    });
  }
  readingLevel.listeners.push(show);
  show(readingLevel.level);
}

// The chapter in view stays where it is while text above it appears or goes.
function placeOfReader() {
  const chapter = findAll("section.chapter").findLast((node) => node.getBoundingClientRect().top < innerHeight / 2);
  const node = chapter && find("h2", chapter);
  if (!node) return () => {};
  const before = node.getBoundingClientRect().top;
  return () => scrollBy({ top: node.getBoundingClientRect().top - before, behavior: "instant" });
}
