// All published values: a table in pages with filters, and a figure of the values that can be compared.

import { publishedValue } from "./format.js";
import { errorMessage, getJson, ServerError } from "./api.js";
import {
  button,
  debounce,
  element,
  emptyState,
  errorBox,
  field,
  options,
  select,
  tabContent,
  table,
  toolbar,
} from "./dom.js";
import { citation, openEvidence } from "./evidence.js";
import { ValueFigure } from "./value-figure.js";

const MAX_QUERY = 80;
const PAGE = 50; // rows
const MOST_IN_FIGURE = 400; // rows of one request
const NOTHING = "No match. Search for a drug, an author, a year or a substance.";
const FIGURE_HINT = "values of one quantity in one unit, among the rows that are found";
// By the name of the filter in a request.
const FILTERS = { species: "Species", drug: "Drug or treatment", use: "Used for", reading_source: "Read from" };
const USES = { calibrate: "setting values", compare: "comparison only" };

export function evidenceTab(workbench) {
  const tab = new EvidenceTab(workbench);
  return { node: tab.node, update: () => tab.update() };
}

class EvidenceTab {
  constructor(workbench) {
    this.view = workbench.view;
    const restart = () => this.showFrom(0);
    const search = { type: "search", maxlength: MAX_QUERY, placeholder: "e.g. norketamine, Murrough, IL-6" };
    this.text = element("input", { ...search, oninput: debounce(250, restart) });
    this.stage = select(["", ...workbench.metadata.evidence_stages], (name) => name.replace(/_/g, " ") || "all stages", {
      onchange: restart,
    });
    this.filters = Object.fromEntries(
      Object.keys(FILTERS).map((name) => {
        const key = `evidence.${name.replace("_", "")}`;
        const known = ["", this.view[key]].filter((value) => value !== undefined); // the others come with the rows
        const input = select(known, (value) => value || "all", { onchange: restart });
        workbench.bindToLink(key, input);
        return [name, input];
      }),
    );
    this.first = Number(this.view["evidence.first"]) || 0;
    this.rememberSoon = workbench.rememberSoon;
    this.requests = 0;
    this.isStarted = false; // false again after a lost connection, so that the next update repeats the request
    this.place = element("div", {});
    this.figurePlace = element("div", {});
    this.quantity = element("select", { onchange: () => this.showFigure() });
    workbench.bindToLink("evidence.text", this.text);
    workbench.bindToLink("evidence.stage", this.stage);
    const fields = Object.entries(FILTERS).map(([name, label]) => field(label, this.filters[name]));
    const tools = toolbar(field("Text", this.text), field("Stage", this.stage), ...fields);
    const figure = element("details", {}, element("summary", { text: "Figure" }));
    figure.append(toolbar(field("Quantity", this.quantity, FIGURE_HINT)), this.figurePlace);
    figure.addEventListener("toggle", () => {
      this.isFigureOpen = figure.open;
      if (figure.open) this.fillFigure();
    });
    this.node = tabContent("Evidence", null, tools, figure, this.place);
  }

  get query() {
    const chosen = Object.entries(this.filters).map(([name, input]) => [name, input.value]);
    const text = this.text.value.trim().slice(0, MAX_QUERY);
    return { text, stage: this.stage.value, ...Object.fromEntries(chosen) };
  }

  update() {
    if (!this.isStarted) this.list();
    this.isStarted = true;
  }

  showFrom(first) {
    this.first = this.view["evidence.first"] = first;
    this.rememberSoon();
    this.list();
  }

  async list() {
    const request = ++this.requests;
    const query = new URLSearchParams({ ...this.query, first: this.first, limit: PAGE });
    try {
      const found = await getJson(`/api/evidence?${query}`);
      if (request !== this.requests) return;
      this.showCounts(found.counts);
      this.place.replaceChildren(...this.pageNodes(found));
      if (this.isFigureOpen) this.fillFigure();
    } catch (error) {
      if (request !== this.requests) return;
      this.isStarted = error instanceof ServerError;
      this.place.replaceChildren(errorBox(errorMessage(error)));
    }
  }

  // The values of each filter with their numbers of rows.
  showCounts(counts) {
    for (const [name, input] of Object.entries(this.filters)) {
      const chosen = input.value;
      const values = Object.keys(counts[name] ?? {});
      if (chosen && !values.includes(chosen)) values.push(chosen);
      const label = (value) => `${USES[value] ?? (value || "not stated")} (${counts[name][value] ?? 0})`;
      const nodes = values.filter(Boolean).map((value) => element("option", { value, text: label(value) }));
      input.replaceChildren(element("option", { value: "", text: "all" }), ...nodes);
      input.value = chosen;
    }
  }

  pageNodes({ total, rows, first }) {
    if (!total) return [emptyState(NOTHING)];
    const last = first + rows.length;
    const caption = `${total} published ${total === 1 ? "value" : "values"}, ${first + 1} to ${last} shown`;
    const head = ["quantity", "value", "spread", "subjects", "treatment", "source", "read from"];
    const move = (to) => () => {
      this.showFrom(to);
      this.node.scrollIntoView({ block: "start" });
    };
    const pages = element(
      "nav",
      { class: "pages", "aria-label": "Pages of the table" },
      button("Previous page", move(Math.max(0, first - PAGE)), { disabled: !first }),
      element("span", { text: `Page ${Math.floor(first / PAGE) + 1} of ${Math.ceil(total / PAGE)}` }),
      button("Next page", move(first + PAGE), { disabled: last >= total }),
    );
    return [table(caption, head, rows.map(cells)), pages];
  }

  // Quantities with a unit that at least two of the found rows have.
  async fillFigure() {
    const query = new URLSearchParams({ ...this.query, limit: MOST_IN_FIGURE });
    try {
      const { rows } = await getJson(`/api/evidence?${query}`);
      const groups = Map.groupBy(rows, ({ quantity, unit }) => `${quantity}, ${unit}`);
      this.groups = new Map([...groups].filter(([, list]) => list.length > 1).sort((a, b) => b[1].length - a[1].length));
      const chosen = this.quantity.value;
      this.quantity.replaceChildren(
        ...options([...this.groups.keys()], (name) => `${name} (${this.groups.get(name).length})`),
      );
      if (this.groups.has(chosen)) this.quantity.value = chosen;
      this.showFigure();
    } catch (error) {
      this.figurePlace.replaceChildren(errorBox(errorMessage(error)));
    }
  }

  showFigure() {
    const rows = this.groups.get(this.quantity.value);
    if (!rows) return this.figurePlace.replaceChildren(emptyState("No two rows have the same quantity and unit."));
    const figure = new ValueFigure({ title: rows[0].quantity, unit: rows[0].unit, openEvidence });
    this.figurePlace.replaceChildren(figure.node);
    figure.show(rows);
  }
}

function cells(row) {
  const list = (...values) => values.filter(Boolean).join(", ");
  return [
    row.quantity,
    publishedValue(row),
    row.spread,
    list(row.species, row.population, row.n && `n ${row.n}`),
    list(row.drug, row.dose, row.route, row.time),
    citation(row),
    row.reading_source,
  ];
}
