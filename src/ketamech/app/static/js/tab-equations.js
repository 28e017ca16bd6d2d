// Equations with the reason of every term, and parameters with their sources.

import { errorMessage, getJson, ServerError } from "./api.js";
import { element, field, options, table } from "./dom.js";
import { openEvidence } from "./evidence-dialog.js";

const FIRST_STAGE = "nmda";
const SOURCES = 5; // column of a parameter row
const loading = (text) => element("p", { class: "loading", text });
const errorBox = (error) => element("p", { class: "error-box", text: errorMessage(error) });

export function equationsTab(workbench) {
  const stage = element("select", {});
  const place = element("div", {});
  const fillFromLink = workbench.keepInLink("equations.stage", stage);
  let isStarted = false; // false again after a lost connection, so that the next update repeats the request

  async function showStage() {
    place.replaceChildren(loading("Loading the equations; the first time takes some seconds …"));
    try {
      const name = stage.value;
      const found = await getJson(`/api/stages/${encodeURIComponent(name)}`);
      if (stage.value === name) place.replaceChildren(...stageNodes(found));
    } catch (error) {
      isStarted = error instanceof ServerError;
      place.replaceChildren(errorBox(error));
    }
  }

  async function update() {
    if (isStarted) return;
    isStarted = true;
    place.replaceChildren(loading("Loading the stages …"));
    try {
      const names = (await getJson("/api/stages")).map(({ name }) => name);
      stage.replaceChildren(...options(names, (name) => name.replace(/_/g, " ")));
      stage.value = names.includes(FIRST_STAGE) ? FIRST_STAGE : names[0];
      fillFromLink();
      showStage();
    } catch (error) {
      isStarted = false;
      place.replaceChildren(errorBox(error));
    }
  }

  stage.addEventListener("change", showStage);
  const toolbar = element("div", { class: "toolbar" }, field("Stage", stage));
  const node = element("div", {}, element("h2", { text: "Equations and parameters" }), toolbar, place);
  return { node, update };
}

function stageNodes({ title, about, needs, equations, offers, parameters }) {
  const heading = (text) => element("h3", { class: "section-title", text });
  const inputs = `Inputs from other stages: ${needs.map(([name]) => name).join(", ")}.`;
  const outputs = table("Outputs", ["name", "unit", "meaning", "definition"], offers);
  const head = ["name", "value", "unit", "spread", "status", "sources", "reason"];
  return [
    element("p", {}, element("strong", { text: title })),
    element("p", { class: "secondary", text: about }),
    needs.length ? element("p", { class: "secondary", text: inputs }) : "",
    ...equations.map(equationNode),
    ...(offers.length ? [heading("Outputs"), outputs] : []),
    heading("Parameters"),
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
  const open = () => openEvidence(ids.split("; "), name);
  const button = element("button", { class: "link-button", type: "button", text: ids, onclick: open });
  return row.with(SOURCES, button);
}
