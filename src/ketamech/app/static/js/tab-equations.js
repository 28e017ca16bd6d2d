// Equations with the reason of every term, and parameters with their sources.

import { errorMessage, getJson, ServerError } from "./api.js";
import {
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
import { openEvidence } from "./evidence.js";

const FIRST_STAGE = "nmda";
const SOURCES = 5; // column of a parameter row

export function equationsTab(workbench) {
  const nameOf = (stage) => stage.replace(/_/g, " ");
  const stage = select(workbench.metadata.stages, nameOf, { onchange: () => showStage() });
  stage.value = FIRST_STAGE;
  workbench.keepInLink("equations.stage", stage);
  const place = element("div", {});
  let isStarted = false; // false again after a lost connection, so that the next update repeats the request

  async function showStage() {
    isStarted = true;
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
    if (!isStarted) showStage();
  };
  return { node: tabContent("Equations and parameters", null, toolbar(field("Stage", stage)), place), update };
}

function stageNodes({ title, description, inputs, equations, outputs, parameters }) {
  const inputNames = `Inputs from other stages: ${inputs.map(([name]) => name).join(", ")}.`;
  const outputTable = table("Outputs", ["name", "unit", "meaning", "definition"], outputs);
  const head = ["name", "value", "unit", "spread", "status", "sources", "reason"];
  return [
    element("p", {}, element("strong", { text: title })),
    paragraph(description, "secondary"),
    inputs.length ? paragraph(inputNames, "secondary") : "",
    ...equations.map(equationNode),
    ...(outputs.length ? [sectionTitle("Outputs"), outputTable] : []),
    sectionTitle("Parameters"),
    table("Parameters", head, parameters.map(parameterCells)),
  ];
}

function equationNode({ left, terms }) {
  const term = ([text, reason]) => element("li", {}, element("code", { text }), element("small", { text: reason }));
  const name = element("code", { class: "left-side", text: `${left} =` });
  const attributes = { class: "equation", tabindex: "0", role: "group", "aria-label": left };
  return element("div", attributes, name, element("ul", {}, terms.map(term)));
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
