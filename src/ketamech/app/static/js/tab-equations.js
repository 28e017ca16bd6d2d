// The chain of stages as a drawing; equations with the reason of every term, parameters and papers of a chosen stage.

import { errorMessage, getJson, ServerError } from "./api.js";
import {
  collapsible,
  element,
  errorBox,
  field,
  linkButton,
  loading,
  paragraph,
  sectionTitle,
  select,
  tabContent,
  table,
  toolbar,
} from "./dom.js";
import { citation, openEvidence } from "./evidence.js";
import { StageDiagram } from "./stage-diagram.js";
import { equationNode } from "./stage-excerpt.js";

const FIRST_STAGE = "nmda";
const INTRODUCTION =
  "The model as a chain of stages. Choose a stage to see its equations with the reason of every term, its parameters, " +
  "and the papers behind them.";
const SOURCES = 5; // column of a parameter row

export function equationsTab(workbench) {
  const nameOf = (stage) => stage.replace(/_/g, " ");
  const stage = select(workbench.metadata.stages, nameOf, { onchange: () => showStage() });
  stage.value = FIRST_STAGE;
  workbench.bindToLink("equations.stage", stage);
  const place = element("div", {});
  const chainPlace = element("div", {});
  let chain = null;
  let isStarted = false; // false again after a lost connection, so that the next update repeats the request

  async function showChain() {
    const open = (name) => {
      stage.value = name;
      stage.dispatchEvent(new Event("change"));
      place.scrollIntoView({ block: "start" });
    };
    try {
      const found = await getJson("/api/chain");
      const labels = new Map(found.nodes.map(({ name, label }) => [name, label]));
      for (const option of stage.options) option.textContent = labels.get(option.value) ?? option.textContent;
      chain = new StageDiagram(found, open);
      chain.choose(stage.value);
      chainPlace.replaceChildren(chain.node);
    } catch (error) {
      if (error instanceof ServerError) chainPlace.replaceChildren(errorBox(errorMessage(error)));
    }
  }

  async function showStage() {
    isStarted = true;
    chain?.choose(stage.value);
    place.replaceChildren(loading("Loading the equations; the first time takes some seconds …"));
    try {
      const name = stage.value;
      const found = await getJson(`/api/stages/${encodeURIComponent(name)}`);
      if (stage.value === name) place.replaceChildren(...stageNodes(found));
    } catch (error) {
      isStarted = error instanceof ServerError;
      place.replaceChildren(errorBox(errorMessage(error)));
    }
  }

  const update = () => {
    if (!chain) showChain();
    if (!isStarted) showStage();
  };
  const tools = toolbar(field("Stage", stage));
  return { node: tabContent("Equations and parameters", INTRODUCTION, chainPlace, tools, place), update };
}

function stageNodes({ title, description, inputs, equations, outputs, parameters, papers }) {
  const inputNames = `Inputs from other stages: ${inputs.map(([name]) => name).join(", ")}.`;
  const outputTable = table("Outputs", ["name", "unit", "meaning", "definition"], outputs);
  const head = ["name", "value", "unit", "spread", "status", "sources", "reason"];
  return [
    element("p", {}, element("strong", { text: title })),
    paragraph(description, "secondary"),
    inputs.length ? paragraph(inputNames, "secondary") : "",
    ...equations.map(equationNode),
    sectionTitle("Parameters"),
    paragraph(STATUSES, "secondary"),
    table(`Parameters, ${parameters.length}`, head, parameters.map(parameterCells)),
    sectionTitle("Papers"),
    papers.length ? table(`Papers, ${papers.length}`, PAPERS, papers.map(paperCells)) : paragraph(NO_PAPER, "secondary"),
    outputs.length ? collapsible(`Outputs, ${outputs.length}, with their definitions`, outputTable) : "",
  ];
}

const STATUSES =
  "Status: measured, a number from a source that was read; derived, computed from such numbers; calibrated, adjusted until " +
  "the model agreed with the values listed; assumed, set by no such number. Sources listed for an assumed value only guided " +
  "the choice: recalled from memory, read in a copy, or measured in another system.";
const PAPERS = ["paper", "parameters", "published values"];
const NO_PAPER = "No parameter of this stage comes from a paper: all are assumed or calibrated.";

function paperCells({ citation: text, url, evidence, parameters }) {
  const count = `${evidence.length} ${evidence.length === 1 ? "value" : "values"}`;
  const open = () => openEvidence(evidence, text);
  return [citation({ citation: text, url }), parameters.join(", "), linkButton(count, open)];
}

function parameterCells(row) {
  const [name] = row;
  const sources = row[SOURCES];
  if (sources === "none") return row;
  const [ids] = sources.split(" (");
  return row.with(
    SOURCES,
    linkButton(ids, () => openEvidence(ids.split("; "), name)),
  );
}
