// Who carries what: Shapley values of the pathways for the chosen case.

import { fresh, make, table } from "./dom.js";
import { Figure } from "./figure.js";
import { number, signed } from "./words.js";
import { stacked } from "./ways.js";
import { runJob } from "./work.js";

export function attributionTab(bench) {
  const intro = make("p", { class: "quiet", text: "Every combination of the pathways that are on is simulated. A Shapley value shares what two pathways do only together evenly between them, so that the shares add up. The weights behind them are mostly assumed, and the words below say where." });
  const node = make("div", {}, make("h2", { text: "Who carries what" }), intro);
  if (!bench.about.parts.attribution) {
    node.append(make("div", { class: "nothing" }, make("p", { text: "Attribution is not in this version. On the story’s last chapter, and with the pathway switches of a case, you can take pathways away one at a time." })));
    return { node };
  }
  const which = make("select", { id: fresh("which") }), draws = make("select", { id: fresh("draws") }, [0, 20, 100, 200].map((n) => make("option", { value: n, text: n === 0 ? "none: values of the tables" : `${n}: with intervals` })));
  const run = make("button", { type: "submit", class: "first", text: "Share it out" }), place = make("div", {}), results = make("div", {});
  bench.keep("ways.draws", draws);
  const refill = () => { const now = which.value || "0"; which.replaceChildren(...bench.cases.map((one, i) => make("option", { value: i, text: `${"ABCDEF"[i]} ${one.title ?? ""}` }))); which.value = now; if (!which.value) which.value = "0"; };
  node.append(make("form", { class: "panel-form", onsubmit: (event) => { event.preventDefault(); results.replaceChildren(); runJob("/api/jobs/attribution", { scenario: bench.cases[Number(which.value)], draws: Number(draws.value) }, place, show, run); } },
    make("div", { class: "field" }, make("label", { for: which.id, text: "Case" }), which), make("div", { class: "field" }, make("label", { for: draws.id, text: "Draws" }), draws), make("div", { class: "all" }, run)), place, results);
  results.append(make("div", { class: "nothing" }, make("p", { text: "Nothing shared out yet. It takes seconds without draws, a minute or so with many." })));

  function show(found) {
    const figure = new Figure({ title: "MADRS over time, in parts", unit: "points", height: 380 });
    const outcomes = [...Map.groupBy(found.table, (row) => row.outcome)];
    const pick = make("select", { id: fresh("outcome"), onchange: () => list() }, outcomes.map(([name]) => make("option", { value: name, text: name })));
    const under = make("div", {});
    const small = (value) => (Math.abs(value) < 5e-4 ? "0" : signed(value)); // less is the solver's own noise
    const list = () => {
      const rows = outcomes.find(([name]) => name === pick.value)[1];
      under.replaceChildren(table(`${pick.value}, ${rows[0].unit === "1" ? "relative" : rows[0].unit}`, ["pathway", "share", "Shapley", "95 %", "lost when off", "alone"], rows.map((row) => [
        row.pathway.replace(/_/g, " "), row.share === null ? "–" : `${Math.round(100 * row.share)} %`, small(row.shapley), row.shapley_low === null ? "–" : `${number(row.shapley_low)} to ${number(row.shapley_high)}`, small(row.lost), small(row.alone)])));
    };
    results.replaceChildren(make("div", {}, found.said.map((words) => make("p", { text: words }))), figure.node, make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: pick.id, text: "Outcome" }), pick)), under);
    figure.show(stacked(found));
    list();
  }

  return { node, update: refill };
}
