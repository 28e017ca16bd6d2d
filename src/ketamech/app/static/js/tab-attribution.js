// Pathway contributions to the outcomes of a case: Shapley values.

import { runJob } from "./api.js";
import { caseSelect } from "./case-list.js";
import { button, element, emptyState, field, paragraph, select, tabContent, table, toolbar } from "./dom.js";
import { stackedContributions } from "./figure-data.js";
import { formatNumber, formatRange, formatSigned } from "./format.js";
import { TimeFigure } from "./time-figure.js";

const DRAWS = [0, 20, 100, 200];
const SOLVER_NOISE = 5e-4;
const INTRODUCTION =
  "Every combination of the pathways that are on is simulated. Shapley values divide joint effects evenly, so that the " +
  "contributions add up. Most of the parameters that set the size of a pathway are assumed; the text of the result says which.";
const NOT_YET = "No result yet. The attribution takes seconds without draws and about a minute with many.";

export function attributionTab(workbench) {
  const { input, refill, scenario } = caseSelect(workbench);
  const draws = select(DRAWS, (number) => (number ? `${number}, with intervals` : "none: table values only"));
  workbench.keepInLink("attribution.draws", draws);
  const submit = button("Attribute", null, { type: "submit", class: "primary" });
  const place = element("div", {});
  const results = element("div", {}, emptyState(NOT_YET));
  const show = (found) => results.replaceChildren(...resultNodes(found, workbench.metadata.components));
  const onsubmit = (event) => {
    event.preventDefault();
    results.replaceChildren();
    const request = { scenario: scenario(), draws: Number(draws.value) };
    runJob("/api/jobs/attribution", request, { place, show, submit });
  };
  const fields = [field("Case", input), field("Parameter draws", draws)];
  const submitRow = element("div", { class: "full-width" }, submit);
  const form = element("form", { class: "panel-form", onsubmit }, fields, submitRow);
  return { node: tabContent("Pathway contributions", INTRODUCTION, form, place, results), update: () => refill() };
}

function resultNodes(found, components) {
  const figure = new TimeFigure({ title: "Contributions to MADRS over time", unit: "points", height: 380 });
  figure.show(stackedContributions(found, components));
  const outcomes = Map.groupBy(found.table, ({ outcome }) => outcome);
  const place = element("div", {});
  const showOutcome = () => place.replaceChildren(outcomeTable(outcome.value, outcomes.get(outcome.value), components));
  const outcome = select([...outcomes.keys()], undefined, { onchange: showOutcome });
  showOutcome();
  const sentences = found.sentences.map((text) => paragraph(text));
  return [element("div", {}, sentences), figure.node, toolbar(field("Outcome", outcome)), place];
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
    shown(one.loss_when_off),
    shown(one.single_effect),
  ];
  return table(caption, head, rows.map(row));
}
