// Equations with a reason for every term, and parameters with their sources.

import { get, Problem, unanswered } from "./api.js";
import { fresh, make, table } from "./dom.js";
import { openRows } from "./evidence.js";

export function modelTab(bench) {
  const select = make("select", { id: fresh("stage"), onchange: () => open() });
  const place = make("div", {});
  let begun = false;
  const node = make("div", {}, make("h2", { text: "Equations and parameters" }), make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: select.id, text: "Stage" }), select)), place);

  async function open() {
    place.replaceChildren(make("p", { class: "loading", text: "Reading the equations; the first time takes some seconds …" }));
    try {
      const name = select.value, found = await get(`/api/stages/${encodeURIComponent(name)}`);
      if (select.value === name) place.replaceChildren(...page(found));
    } catch (error) { begun = error instanceof Problem; place.replaceChildren(make("p", { class: "trouble", text: unanswered(error) })); }
  }

  const refill = bench.keep("model.stage", select);

  async function update() {
    if (begun) return;
    begun = true;
    place.replaceChildren(make("p", { class: "loading", text: "Reading the stages …" }));
    try {
      const stages = await get("/api/stages");
      select.replaceChildren(...stages.map((stage) => make("option", { value: stage.name, text: stage.name.replace(/_/g, " ") })));
      select.value = stages.some((stage) => stage.name === "nmda") ? "nmda" : stages[0].name;
      refill();
      open();
    } catch (error) {
      begun = false; // asked again when the connection is back
      place.replaceChildren(make("p", { class: "trouble", text: unanswered(error) }));
    }
  }

  return { node, update };
}

function page(found) {
  return [
    make("p", {}, make("strong", { text: found.title })), make("p", { class: "quiet", text: found.about }),
    found.needs.length ? make("p", { class: "quiet", text: `Needs from other stages: ${found.needs.map(([name]) => name).join(", ")}.` }) : "",
    ...found.equations.map((equation) => make("div", { class: "equation", tabindex: "0", role: "group", "aria-label": equation.left }, make("code", { class: "left", text: `${equation.left} =` }), make("ul", {}, equation.terms.map(([term, why]) => make("li", {}, make("code", { text: term }), make("small", { text: why })))))),
    ...(found.offers.length ? [make("h3", { class: "part", text: "Read from it" }), table("Offers", ["name", "unit", "what it is", "how"], found.offers)] : []),
    make("h3", { class: "part", text: "Parameters" }),
    table("Parameters", ["name", "value", "unit", "spread", "status", "sources", "why"], found.parameters.map((row) => row.map((cell, i) => (i === 5 && cell !== "none" ? make("button", { class: "plain", type: "button", text: cell.split(" (")[0], onclick: () => openRows(cell.split(" (")[0].split("; "), row[0]) }) : cell)))),
  ];
}
