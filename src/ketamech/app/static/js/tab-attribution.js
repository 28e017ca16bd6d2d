// Pathway contributions to the outcomes of a case: Shapley values.

import { caseSelect } from "./case-list.js";
import { element, field, options, table } from "./dom.js";
import { formatNumber, formatRange, formatSigned } from "./format.js";
import { stackedContributions } from "./pathways.js";
import { runJob } from "./run-job.js";
import { TimeFigure } from "./time-figure.js";

const DRAWS = [0, 20, 100, 200];
const SOLVER_NOISE = 5e-4;
const INTRODUCTION =
  "Every combination of the pathways that are on is simulated. Shapley values divide joint effects evenly, so that the " +
  "contributions add up. Most of the parameters that set the size of a pathway are assumed; the text of the result says which.";
const NOT_YET = "No result yet. The attribution takes seconds without draws and about a minute with many.";

export function attributionTab(workbench) {
  const { select, refill, scenario } = caseSelect(workbench);
  const drawsLabel = (number) => (number ? `${number}, with intervals` : "none: table values only");
  const draws = element("select", {}, options(DRAWS, drawsLabel));
  workbench.keepInLink("attribution.draws", draws);
  const button = element("button", { type: "submit", class: "primary", text: "Attribute" });
  const place = element("div", {});
  const results = element("div", {}, element("div", { class: "empty-state" }, element("p", { text: NOT_YET })));
  const show = (found) => results.replaceChildren(...resultNodes(found, workbench.about.components));
  const submit = (event) => {
    event.preventDefault();
    results.replaceChildren();
    const request = { scenario: scenario(), draws: Number(draws.value) };
    runJob("/api/jobs/attribution", request, { place, show, button });
  };
  const fields = [
    field("Case", select),
    field("Parameter draws", draws),
    element("div", { class: "full-width" }, button),
  ];
  const node = element(
    "div",
    {},
    element("h2", { text: "Pathway contributions" }),
    element("p", { class: "secondary", text: INTRODUCTION }),
    element("form", { class: "panel-form", onsubmit: submit }, fields),
    place,
    results,
  );
  return { node, update: () => refill() };
}

function resultNodes(found, components) {
  const figure = new TimeFigure({ title: "Contributions to MADRS over time", unit: "points", height: 380 });
  figure.show(stackedContributions(found, components));
  const outcomes = Map.groupBy(found.table, ({ outcome }) => outcome);
  const outcome = element("select", {}, options([...outcomes.keys()]));
  const place = element("div", {});
  const showOutcome = () => place.replaceChildren(outcomeTable(outcome.value, outcomes.get(outcome.value), components));
  outcome.addEventListener("change", showOutcome);
  showOutcome();
  const sentences = element(
    "div",
    {},
    found.sentences.map((text) => element("p", { text })),
  );
  return [sentences, figure.node, element("div", { class: "toolbar" }, field("Outcome", outcome)), place];
}

function outcomeTable(outcome, rows, components) {
  const label = (id) => components.find((one) => one.id === id)?.label ?? id.replace(/_/g, " ");
  const shown = (value) => (Math.abs(value) < SOLVER_NOISE ? "0" : formatSigned(value));
  const caption = `${outcome}, ${rows[0].unit === "1" ? "relative" : rows[0].unit}`;
  const head = ["pathway", "share of drug effect", "Shapley value", "95 %", "loss when off", "effect alone"];
  const row = (one) => [
    label(one.pathway),
    one.share === null ? "–" : `${formatNumber(Math.round(100 * one.share))} %`,
    shown(one.shapley),
    one.shapley_low === null ? "–" : formatRange(one.shapley_low, one.shapley_high),
    shown(one.lost),
    shown(one.alone),
  ];
  return table(caption, head, rows.map(row));
}
