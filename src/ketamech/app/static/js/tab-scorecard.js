// Simulated beside published, misses first.

import { fresh, make, table } from "./dom.js";
import { openRows } from "./evidence.js";
import { draw } from "./dom.js";
import { number } from "./words.js";
import { runJob } from "./work.js";

const MOST = 150;

export function scorecardTab() {
  const place = make("div", {}), results = make("div", {});
  let begun = false;
  const node = make("div", {}, make("h2", { text: "Scorecard" }), make("p", { class: "quiet", text: "Every published number that the typical patient can reach, simulated anew and compared. Worst first: this is where not to trust the curves." }), place, results);

  function show(found) {
    const counts = Object.entries(Object.groupBy(found.rows, (row) => row.verdict)).map(([word, rows]) => [word, rows.length]);
    const stage = make("select", { id: fresh("stage"), onchange: () => list() }, make("option", { value: "", text: "all stages" }), [...new Set(found.rows.map((row) => row.stage))].map((name) => make("option", { value: name, text: name })));
    const verdict = make("select", { id: fresh("verdict"), onchange: () => list() }, make("option", { value: "", text: "all" }), counts.map(([word]) => make("option", { value: word, text: word })));
    const under = make("div", {});
    const list = () => {
      const rows = found.rows.filter((row) => (!stage.value || row.stage === stage.value) && (!verdict.value || row.verdict === verdict.value));
      under.replaceChildren(table(`${rows.length} rows${rows.length > MOST ? `, the worst ${MOST} shown` : ""}`, ["what", "simulated", "published", "unit", "verdict", "paper"], rows.slice(0, MOST).map((row) => [
        row.quantity, number(row.simulated), row.expected || `${number(row.published)}${row.spread ? ` (${row.spread})` : ""}`, row.unit, make("span", { class: `verdict ${row.verdict}`, text: row.verdict }),
        make("button", { class: "plain", type: "button", text: row.citation, onclick: () => openRows([row.id], row.quantity) })])));
    };
    const labelled = (words, input) => make("div", { class: "field" }, make("label", { for: input.id, text: words }), input);
    results.replaceChildren(strip(counts), make("p", {}, counts.map(([word, n], i) => [i ? ", " : "", make("strong", { text: n }), ` ${word}`]).flat(), `. ${found.uncovered} further rows are not compared; the repository lists why.`),
      make("div", { class: "bar" }, labelled("Stage", stage), labelled("Verdict", verdict)), under);
    list();
  }

  async function compare() {
    if (!(await runJob("/api/jobs/scorecard", {}, place, show))) place.append(make("button", { type: "button", text: "Compare again", onclick: compare }));
  }

  return { node, update: () => { if (!begun) { begun = true; compare(); } } };
}

function strip(counts) {
  const order = ["inside", "near", "miss", "no result"], total = counts.reduce((sum, [, n]) => sum + n, 0);
  const svg = draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "fig", role: "img", "aria-label": counts.map(([word, n]) => `${n} ${word}`).join(", ") });
  let from = 0;
  for (const word of order) {
    const n = counts.find(([name]) => name === word)?.[1] ?? 0;
    svg.append(draw("rect", { class: { inside: "f2", near: "f4", miss: "f1", "no result": "f5" }[word], x: from, y: 0, width: (100 * n) / total, height: 10 }));
    from += (100 * n) / total;
  }
  return make("div", { class: "strip fig" }, svg);
}
