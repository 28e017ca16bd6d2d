// For the expert level: the equation of a chapter with the reason of every term, its parameters, and links to the stage.

import { getJson, ServerError } from "./api.js";
import { openEvidence } from "./evidence.js";
import { element, errorBox, linkButton, loading, table } from "./dom.js";
import { linkTo } from "./share-link.js";


// `rows`: equations of one chapter in the server's table. Each is fetched when it comes into view.
export function stageExcerpts(rows, state) {
  return rows.map((row) => {
    const place = element("div", { class: "stage-excerpt", "data-from": "expert" }, loading("Reading the equation …"));
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      observer.disconnect();
      getJson(`/api/stages/${row.stage}`).then(
        (stage) => place.replaceChildren(...excerpt(stage, row, state)),
        (error) => {
          if (!(error instanceof ServerError)) throw error;
          place.replaceChildren(errorBox(error.message));
        },
      );
    });
    observer.observe(place);
    return place;
  });
}

function excerpt({ name, equations, outputs, parameters }, { quantity, parameters: names }, state) {
  const equation = equations.find(({ left }) => left === quantity);
  const definition = outputs.find(([output]) => output === quantity);
  const terms = equation ? equation.terms : [[definition[3], definition[2]]];
  const known = names.split(";").map((one) => parameters.find(([parameter]) => parameter === one));
  const link = element("a", { text: `All equations of this part of the model (the stage “${name.replace(/_/g, " ")}”) in the workbench` });
  const show = () => {
    link.href = `workbench.html${linkTo({ cases: [state.scenario], view: { "equations.stage": name }, tab: "equations" })}`;
  };
  state.onChange(show);
  show();
  return [
    equationNode({ left: quantity, terms: terms.map(([text, reason]) => [typeset(text), reason]) }),
    table("Parameters", ["name", "value", "unit", "status", "sources"], known.map(parameterCells)),
    element("p", { class: "secondary" }, link),
  ];
}

const typeset = (text) => text.replace(/\^2/g, "²").replace(/\*/g, " · ");
const countOf = ({ length }) => `${length} ${length === 1 ? "value" : "values"}`;

function parameterCells([name, value, unit, , status, sources, meaning]) {
  const [ids] = sources.split(" (");
  const open = () => openEvidence(ids.split("; "), name);
  const button = ids === "none" ? "none" : linkButton(countOf(ids.split("; ")), open);
  const named = element("span", {}, name, element("br"), element("small", { class: "secondary", text: meaning }));
  return [named, value, unit, status, button];
}

// An equation with the reason of every term.
export function equationNode({ left, terms }) {
  const term = ([text, reason]) => element("li", {}, element("code", { text }), element("small", { text: reason }));
  const name = element("code", { class: "left-side", text: `${left} =` });
  const attributes = { class: "equation", tabindex: "0", role: "group", "aria-label": left };
  return element("div", attributes, name, element("ul", {}, terms.map(term)));
}
