// Search in all published values.

import { errorMessage, getJson, ServerError } from "./api.js";
import { debounce, element, field, options, table } from "./dom.js";

const MAX_QUERY = 80;
const MAX_ROWS = 120;
const NOTHING = "No match. Search for a drug, an author, a year or a substance.";

export function evidenceTab(workbench) {
  const search = { type: "search", maxlength: MAX_QUERY, placeholder: "e.g. norketamine, Murrough, IL-6" };
  const text = element("input", { ...search, oninput: debounce(250, () => find()) });
  const stage = element("select", { onchange: () => find() });
  stage.append(...options(["", ...workbench.about.evidence_stages], (name) => name || "all stages"));
  const place = element("div", {});
  const toolbar = element("div", { class: "toolbar" }, field("Text", text), field("Stage", stage));
  const node = element("div", {}, element("h2", { text: "Evidence" }), toolbar, place);
  let requests = 0;
  let isStarted = false; // false again after a lost connection, so that the next update repeats the request
  workbench.keepInLink("evidence.text", text);
  workbench.keepInLink("evidence.stage", stage);

  async function find() {
    const request = ++requests;
    const query = new URLSearchParams({ text: text.value.trim().slice(0, MAX_QUERY), stage: stage.value });
    let content;
    try {
      content = evidenceNode(await getJson(`/api/evidence?${query}`));
    } catch (error) {
      isStarted = error instanceof ServerError;
      content = element("p", { class: "error-box", text: errorMessage(error) });
    }
    if (request === requests) place.replaceChildren(content);
  }

  const update = () => {
    if (!isStarted) find();
    isStarted = true;
  };
  return { node, update };
}

function evidenceNode({ total, rows }) {
  if (!total) return element("div", { class: "empty-state" }, element("p", { text: NOTHING }));
  const shown = rows.slice(0, MAX_ROWS);
  const caption = `${total} published values${total > shown.length ? `, the first ${shown.length} shown` : ""}`;
  const head = ["quantity", "value", "spread", "subjects", "treatment", "source", "read from"];
  return table(caption, head, shown.map(cells));
}

function cells(row) {
  const list = (...values) => values.filter(Boolean).join(", ");
  const link = { href: row.url, target: "_blank", rel: "noreferrer noopener", text: row.citation };
  return [
    row.quantity,
    `${row.value} ${row.unit}`,
    row.spread,
    list(row.species, row.population, row.n && `n ${row.n}`),
    list(row.drug, row.dose, row.route, row.time),
    row.url ? element("a", link) : row.citation,
    row.reading_source,
  ];
}
