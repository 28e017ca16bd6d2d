// The chapters of the story, built from the server's tables: question, text, claims, steps, controls, figures.

import { button, collapsible, element, find } from "./dom.js";
import { draggedTime } from "./drag-number.js";
import { formatTimeLong } from "./format.js";
import { Guess } from "./guess.js";
import { readingLevel } from "./reading-level.js";
import { ShareFigure } from "./share-of-people.js";
import { stageExcerpts } from "./stage-excerpt.js";
import { TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";
import { CAPTIONS } from "./story-findings.js";
import { dosePanel } from "./story-scenario.js";

const NEAR = 1.12; // a step is current while the clock lies within this factor of its time
const split = (cell, divider = ";") => cell.split(divider).filter(Boolean);
const CRISIS =
  "If you have thoughts of ending your life, call your local emergency number or a crisis line now. Numbers may change; the emergency number always works. This figure is computed for a typical person of trials and says nothing about you.";

// `context`: { state, population, showPopulation, openEvidence, trackInfo, withTerms, crisisLines }. Returns the chapters with their nodes.
export function buildChapters(tables, context) {
  const chapters = tables.chapters.map((row, i) => {
    return { ...row, ...chapterNode(row, i, tables, context) };
  });
  find("#chapters").append(...chapters.map(({ node }) => node));
  const link = ({ id, title }, i) =>
    element("li", {}, element("a", { href: `#${id}` }, element("span", { text: i + 1 }), title));
  find("#chapter-list").append(...chapters.map(link));
  return chapters;
}

function chapterNode(row, i, tables, context) {
  const ofChapter = (name) => tables[name].filter(({ chapter }) => chapter === row.id);
  const paragraphs = ofChapter("paragraphs");
  const nodes = paragraphs.map((one) => paragraphNodes(one, context.withTerms));
  const [first, ...others] = nodes;
  const end = element("span", { hidden: true }); // of the paragraphs
  const guesses = ofChapter("guesses").map((one) => new Guess(one, context.openEvidence).node);
  const figures = element("div", { class: "figures", id: `${row.id}-figures` });
  const figuresByTrack = split(row.tracks, " ").map((key) => [key, addFigure(key, figures, context)]);
  if (row.id === "mood") figures.prepend(element("div", { id: "ten-people" }), element("div", { id: "score-bar" }));
  figures.prepend(...ofChapter("shares").map((one) => new ShareFigure(one, context.state, context.openEvidence).node));
  if (row.id === "unknown") figures.append(element("div", { class: "claims", id: "open-claims" }));
  const steps = new Steps(row);
  const node = element(
    "section",
    { class: "chapter", id: row.id, "data-chapter": row.short, "aria-labelledby": `${row.id}-title` },
    element(
      "header",
      {},
      element("span", { class: "chapter-number", text: `${i + 1}` }),
      element("h2", { id: `${row.id}-title`, text: row.title }),
    ),
    element(
      "div",
      { class: "text" },
      [first, guesses, others, end, stageExcerpts(ofChapter("equations"), context.state)].flat(2),
      steps.node,
      row.id === "unknown" ? null : currentValues(row),
      row.mechanism ? element("div", { class: "mechanism-share", "data-mechanism": row.mechanism, "data-of": row.way }) : null,
      row.controls ? dosePanel(row.controls, context) : null,
    ),
    figures,
  );
  placeClaims(nodes.filter(([text, claims]) => text.dataset.until && claims), end);
  return { node, steps, figures: figuresByTrack };
}

// What is shown at the clock's time, and what the way of the chapter brings; the time can be dragged.
function currentValues({ id, way }) {
  const caption = element("span", { "data-caption": id, "data-way": way || null });
  if (!(id in CAPTIONS)) return element("p", { class: "current-values" }, caption);
  const time = draggedTime((show) => caption.addEventListener("written", show)); // never another time than the values
  return element("p", { class: "current-values" }, "After ", time, ", ", caption);
}

// A paragraph, with its claims and published values below it, never at the end of a sentence. Those of level "plain" are
// replaced by others for the expert; those of level "every" are shown to all.
function paragraphNodes(row, withTerms) {
  const { level, text } = row;
  const levels = { "data-from": READ_FROM[level] ?? null, "data-until": level === "plain" ? "student" : null };
  const badges = badgesOf(row);
  const place = badges.length ? element("div", { class: "claims", "data-from": levels["data-from"] }, badges) : null;
  return [element("p", levels, withTerms(text)), place].filter(Boolean);
}

const READ_FROM = { student: "student", expert: "expert" };

function badgesOf({ claims, evidence }) {
  const badge = (attributes) => button("evidence", null, attributes);
  const badges = split(claims).map((id) => badge({ "data-claim": id }));
  if (evidence) badges.push(badge({ "data-evidence": split(evidence).join(",") }));
  return badges;
}

// The claims of the plain text stand below it; for the expert, where that text is hidden, before the node `end`.
function placeClaims(paragraphs, end) {
  const place = (level) => paragraphs.forEach(([text, claims]) => (level === "expert" ? end.before(claims) : text.after(claims)));
  readingLevel.listeners.push(place);
  place(readingLevel.level);
}

function addFigure(key, place, { trackInfo, openEvidence, crisisLines }) {
  const track = trackInfo.get(key);
  const figure = new TimeFigure({ title: track.label, unit: track.unit, height: 230, openEvidence });
  figure.node.dataset.track = key;
  place.append(figure.node);
  if (key === "suicidality") place.append(crisisBox(crisisLines));
  return figure;
}

const countryOf = (language) => {
  const { region } = new Intl.Locale(language).maximize();
  return region && new Intl.DisplayNames(["en"], { type: "region" }).of(region);
};

// Numbers to call, with the page that states each number: those of the reader's country, by the language of the browser, and
// in a list that can be opened those of all others. Without a number for that country the list is open.
function crisisBox(rows) {
  const checks = rows.map(({ checked }) => checked).filter(Boolean).sort();
  const line = ({ country, number, name, source, checked }) => {
    const call = number.split(" or ").flatMap((text) => [" or ", element("a", { href: `tel:${text.replace(/[^+\d]/g, "")}`, text })]).slice(1);
    const page = element("a", { href: source, rel: "noreferrer", class: "secondary", text: "source" });
    return element("li", {}, `${country}: `, element("strong", {}, call), ` ${name} (`, page, checked ? ")" : ") *");
  };
  const own = countryOf(navigator.language);
  const [near, others] = [true, false].map((isNear) => rows.filter(({ country }) => (country === own) === isNear));
  const countries = new Set(others.map(({ country }) => country));
  const list = (ones) => element("ul", {}, ones.map(line));
  const rest = collapsible(`Numbers of ${countries.size} ${near.length ? "other " : ""}countries`, list(others), { open: !near.length });
  addEventListener("beforeprint", () => (rest.open = true));
  const note = `Not in the list? Call your local emergency number. Source: the page that states the number, last compared on ${checks.at(-1)}; * not yet compared.`;
  return element("div", { class: "crisis", id: "crisis-lines" }, element("p", { text: CRISIS }), near.length ? list(near) : null, rest, element("p", { class: "secondary", text: note }));
}

// What the drawing shows at certain times; a click moves the clock there.
class Steps {
  constructor({ id, moments, level, view }) {
    Object.assign(this, { id, level, view });
    this.steps = split(moments).map((moment) => this.step(Number(moment)));
    this.node = this.steps.length
      ? element(
          "ol",
          { class: "steps" },
          this.steps.map(({ button }) => element("li", {}, button)),
        )
      : null;
    selectedTime.onChange((hours) => this.mark(hours));
  }

  step(hours) {
    const text = element("span", {});
    const move = () => selectedTime.set(hours);
    const button = element(
      "button",
      { type: "button", onclick: move },
      element("b", { text: formatTimeLong(hours) }),
      text,
    );
    return { hours, text, button };
  }

  mark(hours) {
    for (const step of this.steps) {
      const { hours: own, button } = step;
      const isNear = Math.max(own / hours, hours / own) < NEAR;
      if (isNear === step.isNear) continue;
      step.isNear = isNear;
      if (isNear) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
  }

  // Sentences of the drawing, or of the mood curve, for the present scenario.
  show(scene, hero) {
    const sentenceAt = (hours) =>
      this.id === "mood" ? hero.sentenceAt(hours) : scene.sentenceAt(hours, this.level, this.view);
    for (const { hours, text } of this.steps) text.textContent = sentenceAt(hours);
    this.mark(selectedTime.hours);
  }
}
