// The treatment that the story simulates, and the controls of a chapter. All panels show and change the same state.

import { checkbox, collapsible, doseSlider, element, uniqueId } from "./dom.js";
import { formatCount } from "./format.js";

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

// `story`: the server's tables of routes, drugs, schedules and perturbations; `pathways`: its list.
export class StoryState {
  constructor({ story, pathways, story_patients: patients }) {
    this.patients = patients;
    this.listeners = [];
    this.tables = Object.fromEntries(Object.entries(story).map(([name, rows]) => [name, byId(rows)]));
    this.pathways = new Map(pathways.map((row) => [row.name, row]));
    const [route, drug, schedule] = [story.routes[0], story.drugs[0], story.schedules[0]];
    this.defaults = { route: route.id, drug: drug.id, schedule: schedule.id, dose: route.usual };
    this.defaultDose = `${route.usual} ${route.unit} ${route.description}`;
    this.setDefaults();
    this.defaultScenario = this.scenario;
  }

  setDefaults() {
    const { drug: chosenDrug } = this.defaults;
    Object.assign(this, { ...this.defaults, chosenDrug, pathwaysOff: new Set(), perturbations: new Set() });
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  notify() {
    for (const listener of this.listeners) listener();
  }

  reset() {
    this.setDefaults();
    this.notify();
  }

  get routeRow() {
    return this.tables.routes.get(this.route);
  }

  // Another route brings its usual dose and, where only one drug is given by it, that drug while the route is chosen.
  set(change) {
    const isOtherRoute = change.route && change.route !== this.route;
    Object.assign(this, change);
    if (isOtherRoute) this.dose = this.routeRow.usual;
    if (change.drug) this.chosenDrug = change.drug;
    this.drug = this.routeRow.only_drug || this.chosenDrug;
    this.notify();
  }

  // Sets everything; what is unknown or out of range gets its default.
  restore({ route, drug, schedule, dose, pathwaysOff, perturbations }) {
    this.setDefaults();
    const known = (table, id, usual) => (this.tables[table].has(id) ? id : usual);
    this.route = known("routes", route, this.route);
    this.schedule = known("schedules", schedule, this.schedule);
    this.chosenDrug = known("drugs", drug, this.chosenDrug);
    this.drug = this.routeRow.only_drug || this.chosenDrug;
    const { min, max, usual } = this.routeRow;
    this.dose = dose >= min && dose <= max ? dose : usual;
    this.pathwaysOff = new Set(pathwaysOff.filter((id) => this.pathways.has(id)));
    this.perturbations = new Set(perturbations.filter((id) => this.tables.perturbations.has(id)));
    this.notify();
  }

  // Another drug than the only one of a route is given by the default route.
  setDrug(drug) {
    const { only_drug: onlyDrug } = this.routeRow;
    this.set(onlyDrug && drug !== onlyDrug ? { route: this.defaults.route, drug } : { drug });
  }

  toggle(set, id, on) {
    if (on) set.add(id);
    else set.delete(id);
    this.notify();
  }

  get roundedDose() {
    return Number(this.dose.toFixed(3));
  }

  get shortDose() {
    return `${this.roundedDose} ${this.routeRow.unit} ${this.routeRow.description}`;
  }

  get species() {
    return this.routeRow.species;
  }

  get isDefault() {
    const unchanged = Object.entries(this.defaults).every(([key, value]) => this[key] === value);
    return unchanged && !this.pathwaysOff.size && !this.perturbations.size;
  }

  get scenario() {
    return this.scenarioWith({});
  }

  // The scenario with other pathways off, or other blocks.
  scenarioWith({ pathwaysOff: off = this.pathwaysOff, perturbations: blocks = this.perturbations }) {
    const { unit, regimen } = this.routeRow;
    const { perturbations, schedules } = this.tables;
    const drug = this.roundedDose > 0 ? `${this.drug} ${this.roundedDose} ${unit}` : "placebo";
    const treatment = `${drug} ${regimen} ${schedules.get(this.schedule).regimen}`;
    return {
      title: "Scenario of the story",
      treatments: [treatment.trim()],
      ...(this.species ? { species: this.species, person: {} } : { person: { weight: "70 kg" } }),
      pathways: Object.fromEntries([...off].map((id) => [id, false])),
      perturbations: [...blocks].map((id) => perturbations.get(id).phrase),
      horizon: "31 days", // beyond the end of the time slider
    };
  }

  get description() {
    const { unit, description } = this.routeRow;
    const schedule = this.tables.schedules.get(this.schedule).description;
    const drug = this.roundedDose > 0 ? this.tables.drugs.get(this.drug).description : "no drug,";
    return `${drug} ${this.roundedDose} ${unit} ${description}${schedule && `, ${schedule}`}`;
  }

  get changes() {
    const off = [...this.pathwaysOff].map((id) => `${this.pathways.get(id)?.label ?? id}: off`);
    return [...off, ...[...this.perturbations].map((id) => this.tables.perturbations.get(id).label)];
  }
}

// Controls that every panel has, in the chapter's own list or below "More".
const ALWAYS = ["route", "drug", "dose", "schedule", "pathways"];

// `wanted`: names of controls, e.g. "dose off:habenula block:nbqx".
export function dosePanel(wanted, context) {
  const names = wanted.split(" ");
  const controls = names.flatMap((name) => control(name, context));
  const legend = element("legend", { text: "Try it" });
  return element("fieldset", { class: "dose-panel" }, legend, controls, moreControls(names, context));
}

// Filled when it is first opened.
function moreControls(shown, context) {
  const names = ALWAYS.filter((name) => !shown.includes(name));
  const details = collapsible(`More: ${names.join(", ")}`, []);
  const content = details.lastChild;
  details.classList.add("more-controls");
  details.addEventListener("toggle", () => {
    if (details.open && !content.children.length) content.append(...names.flatMap((name) => control(name, context)));
  });
  return details;
}

function control(name, context) {
  const [kind, id] = name.split(":");
  return CONTROLS[kind](context, id);
}

const CONTROLS = {
  route: ({ state }) => routeChoice(state),
  drug: ({ state }) => choice(state, "Drug", "drugs", "drug", (drug) => state.setDrug(drug)),
  schedule: ({ state }) => choice(state, "Schedule", "schedules", "schedule", (schedule) => state.set({ schedule })),
  dose: ({ state }) => storyDoseSlider(state),
  off: ({ state }, id) => pathwayCheckbox(state, id),
  block({ state }, id) {
    const set = (on) => state.toggle(state.perturbations, id, on);
    const isOn = () => state.perturbations.has(id);
    const { label, hint } = state.tables.perturbations.get(id);
    return stateCheckbox(state, [...(hint ? withHint(label, hint) : [label]), withAndWithoutPlace(`block:${id}`)], isOn, set, { "data-toggle": id });
  },
  pathways: ({ state }) => [...state.pathways.keys()].map((id) => pathwayCheckbox(state, id)),
  comparison: () => element("div", { id: "comparison-controls" }),
  animal({ state }) {
    const rat = [...state.tables.routes.values()].find(({ species }) => species === "rat");
    const set = (on) => state.set({ route: on ? rat.id : state.defaults.route });
    const hint = `${rat.usual} ${rat.unit} ${rat.description}, the dose of most published measurements`;
    return stateCheckbox(state, withHint("Simulate a rat", hint), () => state.species === "rat", set, {
      "data-rat": true,
    });
  },
  population({ state, population, showPopulation }) {
    const hint = "each with a body and an illness of their own";
    return checkbox(withHint(`Show ${formatCount(state.patients)} simulated people`, hint), population.shown, showPopulation, {
      "data-people": true,
    });
  },
};

const withHint = (text, hint) => [`${text} `, element("small", { text: hint })];

// What a pathway is, in plain words; for students also in those of the field.
export function pathwayWords(state, id) {
  const { one_line: oneLine } = state.pathways.get(id);
  const words = state.tables.pathway_words.get(id)?.words;
  const inField = element("small", { "data-from": words ? "student" : null, text: ` ${oneLine}` });
  return words ? [element("small", { text: words }), inField] : [inField];
}

function pathwayCheckbox(state, id) {
  const set = (on) => state.toggle(state.pathwaysOff, id, on);
  const isOn = () => state.pathwaysOff.has(id);
  const { label, one_line: oneLine } = state.pathways.get(id);
  const text = state.tables.pathway_words.get(id)?.switch ?? `Without: ${label}`;
  const inField = element("small", { "data-from": "student", text: ` ${label}: ${oneLine}` });
  return stateCheckbox(state, [text, inField, withAndWithoutPlace(`off:${id}`)], isOn, set, { "data-toggle": id });
}

// The score with and without what a switch is about; filled when both are simulated.
const withAndWithoutPlace = (what) => element("small", { class: "with-and-without", "data-with": what });

// A checkbox that follows the state.
function stateCheckbox(state, content, isOn, set, attributes) {
  const label = checkbox(content, isOn(), set, attributes);
  state.onChange(() => {
    label.firstChild.checked = isOn();
  });
  return label;
}

function choice(state, title, table, key, choose, { rows = [...state.tables[table].values()], nameOf = ({ label }) => label } = {}) {
  const name = uniqueId("choice");
  const inputs = rows.map(({ id }) => element("input", { type: "radio", name, value: id, onchange: () => choose(id) }));
  const show = () => {
    for (const input of inputs) input.checked = input.value === state[key];
  };
  state.onChange(show);
  show();
  const labels = rows.map((row, i) => element("label", {}, inputs[i], element("span", { text: nameOf(row) })));
  return element("div", { class: "choice", role: "radiogroup", "aria-label": title }, labels);
}

const routeChoice = (state, shown) => choice(state, "Route", "routes", "route", (route) => state.set({ route }), shown);

// The dose slider; hatched where no study of mood gave so much. `withRoutes`: the routes with a short name stand above it, in
// place of the word that names it.
export function storyDoseSlider(state, { withRoutes = false } = {}) {
  const { node, input, show } = doseSlider({}, (dose) => state.set({ dose }));
  if (withRoutes) {
    const rows = [...state.tables.routes.values()].filter(({ short }) => short);
    node.querySelector("label").className = "visually-hidden";
    node.prepend(routeChoice(state, { rows, nameOf: ({ short }) => short }));
  }
  const hatch = element("span", { class: "hatch", "aria-hidden": "true" });
  const marks = element("div", { class: "dose-marks" });
  node.append(hatch, marks);
  node.querySelector(".limits").hidden = true;
  const update = () => {
    const { min, max, step, unit, usual, tested } = state.routeRow;
    Object.assign(input, { min, max, step });
    show(state.shortDose, state.dose);
    const share = (dose) => (dose - min) / (max - min);
    hatch.style.width = `${100 * (1 - share(Math.min(max, Math.max(min, tested))))}%`;
    const mark = (dose, text, edge = null) => {
      const node = element("span", { class: edge, text });
      node.style.left = `${100 * share(dose)}%`;
      return node;
    };
    const most = tested > 0 ? "above all mood trials" : "no mood trial in our tables";
    const beyond = share(usual) > 0.45 ? "no mood trial" : most;
    const isApart = tested > 0 && Math.abs(share(tested) - share(usual)) > 0.2;
    marks.replaceChildren(
      mark(min, min ? String(min) : "0", "at-start"),
      mark(usual, `${usual} usual`),
      isApart ? mark(tested, String(tested)) : "",
      tested < max ? mark(max, beyond, "at-end") : mark(max, `${max} ${unit}`, "at-end"),
    );
  };
  state.onChange(update);
  update();
  return node;
}
