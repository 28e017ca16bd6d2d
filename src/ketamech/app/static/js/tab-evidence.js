// All published numbers, to search.

import { get, Problem, unanswered } from "./api.js";
import { fresh, later, make, table } from "./dom.js";

export function evidenceTab(bench) {
  const text = make("input", { type: "search", id: fresh("words"), placeholder: "e.g. norketamine, Murrough, IL-6", oninput: later(250, () => look()) });
  const stage = make("select", { id: fresh("stage"), onchange: () => look() }, ["", ...bench.about.evidence_stages].map((name) => make("option", { value: name, text: name || "all stages" })));
  const place = make("div", {});
  const node = make("div", {}, make("h2", { text: "Evidence" }), make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: text.id, text: "Words" }), text), make("div", { class: "field" }, make("label", { for: stage.id, text: "Stage" }), stage)), place);
  let asked = 0, begun = false;
  bench.keep("evidence.text", text);
  bench.keep("evidence.stage", stage);

  async function look() {
    const mine = ++asked;
    let found;
    try {
      found = await get(`/api/evidence?${new URLSearchParams({ text: text.value.trim().slice(0, 80), stage: stage.value })}`);
    } catch (error) {
      begun = error instanceof Problem; // a lost connection: asked again when it is back
      return place.replaceChildren(make("p", { class: "trouble", text: unanswered(error) }));
    }
    if (mine !== asked) return;
    if (!found.total) return place.replaceChildren(make("div", { class: "nothing" }, make("p", { text: "Nothing matches. Try a drug, an author, a year or a substance." })));
    const rows = found.rows.slice(0, 120).map((row) => [row.quantity, `${row.value} ${row.unit}`, row.spread, [row.species, row.population, row.n && `n ${row.n}`].filter(Boolean).join(", "), [row.drug, row.dose, row.route, row.time].filter(Boolean).join(", "),
      row.url ? make("a", { href: row.url, target: "_blank", rel: "noreferrer noopener", text: row.citation }) : row.citation, row.read_as]);
    place.replaceChildren(table(`${found.total} published numbers${found.total > rows.length ? `, the first ${rows.length} shown` : ""}`, ["what", "value", "spread", "in whom", "given", "paper", "read as"], rows));
  }

  return { node, update: () => { if (!begun) { begun = true; look(); } } };
}
