// The teacher's sheet: exercises, links that open them in the workbench, and answers that the model computes.

import { errorMessage, getJson } from "./api.js";
import { element, errorBox, find, findAll, loading, paragraph } from "./dom.js";
import { setUpPage } from "./page-setup.js";
import { linkTo } from "./share-link.js";

function exerciseNode({ title, question, explanation, scenarios, group, text }, i) {
  const view = { "curves.group": group };
  const address = `workbench.html${linkTo({ cases: scenarios.map(shortScenario), view, tab: "curves" })}`;
  const link = element("a", { href: address, text: "Simulate it in the workbench" });
  const answer = [paragraph(text, "answer"), paragraph(explanation)];
  return element(
    "li",
    {},
    element("h2", { text: `${i + 1}. ${title}` }),
    paragraph(question),
    element("p", { class: "open-case" }, link),
    element("textarea", { class: "write-here", rows: 2, "aria-label": `Your answer to exercise ${i + 1}`, placeholder: "Your answer" }),
    element("details", {}, element("summary", { text: "Answer" }), answer),
  );
}

// Only what is set, so that the link stays short.
function shortScenario(scenario) {
  const isSet = ([, value]) => value !== null && (typeof value !== "object" || Object.values(value).length > 0);
  return Object.fromEntries(Object.entries(scenario).filter(isSet));
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
find("#exercises").replaceChildren(element("li", {}, loading("Simulating the exercises …")));
getJson("/api/exercises").then(
  (exercises) => find("#exercises").replaceChildren(...exercises.map(exerciseNode)),
  (error) => find("#exercises").replaceChildren(element("li", {}, errorBox(errorMessage(error)))),
);
