// The teacher's sheet: a lesson, exercises, links that open them in the workbench, answers that the model computes, and for
// paper the figure that each exercise is read from.

import { errorMessage, getJson } from "./api.js";
import { element, errorBox, find, findAll, loading, paragraph, table } from "./dom.js";
import { controlSeries } from "./figure-data.js";
import { figureName } from "./figure-share.js";
import { setUpPage } from "./page-setup.js";
import { linkTo } from "./share-link.js";
import { TimeFigure } from "./time-figure.js";

const DAY = 24; // h
const HOURS_SHOWN = 12; // h: the axis of a figure that ends later is in days

function exerciseNode(exercise, i) {
  const { title, question, explanation, text, working, mistake } = exercise;
  const link = element("a", { href: workbenchAddress(exercise), text: "Simulate it in the workbench" });
  const sum = working ? [paragraph(working, "working")] : [];
  const answer = [paragraph(text, "answer"), ...sum, paragraph(mistake), paragraph(explanation)];
  return element(
    "li",
    { id: exercise.id },
    element("h2", { text: `${i + 1}. ${title}` }),
    paragraph(question),
    element("p", { class: "open-case" }, link),
    element("div", { class: "task-figure", "aria-hidden": "true" }, taskFigure(exercise).node),
    answerField(i),
    element("details", {}, element("summary", { text: "Answer" }), answer),
  );
}

// The events of the chain, to be put in order; `i`: the place of this task among the exercises.
function orderNode(parts, i) {
  const events = parts.filter(({ part }) => part === "order").map(({ text }) => text);
  const shown = [...events].sort((a, b) => a.localeCompare(b));
  const letters = events.map((text) => String.fromCharCode(65 + shown.indexOf(text)));
  return element(
    "li",
    { id: "order" },
    element("h2", { text: `${i + 1}. Which comes first?` }),
    paragraph("Put these events in their order, from the dose to a month later: write the letters in a row."),
    element("ol", { type: "A" }, shown.map((text) => element("li", { text }))),
    answerField(i),
    element("details", {}, element("summary", { text: "Answer" }), paragraph(letters.join(" "), "answer")),
  );
}

// The cases of the exercise at the time that it asks about, with the figure that it is read from in view.
function workbenchAddress({ id, scenarios, group, hours, label }) {
  const view = { exercise: id, "curves.group": group, ...(hours && { time: Number(hours.toPrecision(3)) }) };
  const link = linkTo({ cases: scenarios.map(shortScenario), view, tab: "curves" });
  return `workbench.html${link}&figure=${figureName(label)}`;
}

// Only what is set, so that the link stays short.
function shortScenario(scenario) {
  const isSet = ([, value]) => value !== null && (typeof value !== "object" || Object.values(value).length > 0);
  return Object.fromEntries(Object.entries(scenario).filter(isSet));
}

// What is typed stays in this tab, so that it is there after a look at the workbench.
function answerField(i) {
  const key = `ketamech.answer.${i + 1}`;
  const oninput = ({ target }) => sessionStorage.setItem(key, target.value);
  const attributes = { class: "write-here", rows: 2, "aria-label": `Your answer to exercise ${i + 1}`, placeholder: "Your answer", oninput };
  return element("textarea", { ...attributes, text: sessionStorage.getItem(key) });
}

// For paper: the curves without their values at the selected time, which may be the answer (exercises.css).
function taskFigure({ label, figure_unit: unit, figures, figure_hours: last, scenarios }) {
  const [step, name] = last > HOURS_SHOWN ? [DAY, "d"] : [1, "h"];
  const ticks = Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => [i * step, i ? `${i} ${name}` : "start"]);
  const figure = new TimeFigure({ title: label, unit, height: 250, clock: { last, ticks, linear: true } });
  const series = figures.flatMap(({ time, treated, control }, i) => [
    { time, y: treated, label: scenarios[i].title, index: i, kind: "main" },
    ...controlSeries({ control }, time, "same visits, no drug"),
  ]);
  figure.show({ series, unit });
  for (const part of [figure.details, figure.caption, find(".save-buttons", figure.node)]) part.remove();
  return figure;
}

// The lesson, with links to its chapters and exercises.
function lessonNodes(parts, exercises) {
  const ofPart = (name) => parts.filter(({ part }) => part === name);
  const list = (name) => element("ul", {}, ofPart(name).map(({ text }) => element("li", { text })));
  const link = (href, text) => element("a", { href, text });
  const numberOf = (id) => exercises.findIndex((one) => one.id === id) + 1;
  const places = ({ chapter, chapter_title: title, exercise }) =>
    element(
      "span",
      {},
      chapter ? link(`./#${chapter}`, title) : null,
      chapter && exercise ? element("br") : null,
      exercise ? link(`#${exercise}`, `Exercise ${numberOf(exercise)}`) : null,
    );
  const steps = ofPart("step").map((row) => [String(row.minutes), places(row), row.text]);
  return [
    element("h3", { text: "Aims" }),
    list("aim"),
    element("h3", { text: "Before" }),
    list("before"),
    table("The lesson", ["minutes", "show", "what for"], steps),
    element("h3", { text: "What to say about the evidence" }),
    list("evidence"),
  ];
}

function setUpButtons() {
  const show = find("#show-answers");
  show.addEventListener("click", () => {
    const open = show.getAttribute("aria-pressed") !== "true";
    for (const details of findAll("#exercises details")) details.open = open;
    show.setAttribute("aria-pressed", String(open));
    show.textContent = open ? "Hide all answers" : "Show all answers";
  });
  find("#print").addEventListener("click", () => print());
}

setUpPage();
setUpButtons();
find("#sheet-address").textContent = location.href.split("#")[0];
find("#exercises").replaceChildren(element("li", {}, loading("Simulating the exercises …")));
getJson("/api/exercises").then(
  async (exercises) => {
    find("#exercises").replaceChildren(...exercises.map(exerciseNode));
    const lesson = await getJson("/api/lesson");
    find("#exercises").append(orderNode(lesson, exercises.length));
    find("#lesson").append(...lessonNodes(lesson, exercises));
    find("#lesson").hidden = false;
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  },
  (error) => find("#exercises").replaceChildren(element("li", {}, errorBox(errorMessage(error)))),
);
