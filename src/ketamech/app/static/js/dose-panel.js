// The controls of a chapter. All panels show and change the same story state.

import { element, uniqueId } from "./dom.js";
import { DRUGS, PERTURBATIONS, ROUTES, SCHEDULES } from "./story-state.js";

// Controls that every panel has, in the chapter's own list or below "More".
const ALWAYS = { route: "route", drug: "drug", dose: "dose", schedule: "schedule", pathways: "pathways" };

// `wanted`: names of controls, e.g. "dose off:habenula block:nbqx"; `pathways`: a promise of the server's list.
export function dosePanel(wanted, context) {
  const names = wanted.split(" ");
  const controls = names.flatMap((name) => control(name, context));
  const legend = element("legend", { text: "Dose and controls" });
  return element("fieldset", { class: "dose-panel" }, legend, controls, moreControls(names, context));
}

function moreControls(shown, context) {
  const names = Object.keys(ALWAYS).filter((name) => !shown.includes(name));
  const content = element("div", {});
  const summary = element("summary", { text: `More: ${names.map((name) => ALWAYS[name]).join(", ")}` });
  const details = element("details", { class: "more-controls" }, summary, content);
  details.addEventListener("toggle", () => {
    if (details.open && !content.children.length) content.append(...names.flatMap((name) => control(name, context)));
  });
  return details;
}

function control(name, context) {
  const [kind, id] = name.split(":");
  return CONTROLS[kind](context, id);
}

const labels = (table) => Object.entries(table).map(([key, { label }]) => [key, label]);

const CONTROLS = {
  route: ({ state }) => choice(state, "Route", labels(ROUTES), "route", (route) => state.set({ route })),
  drug: ({ state }) => choice(state, "Drug", Object.entries(DRUGS), "drug", (drug) => state.setDrug(drug)),
  schedule: ({ state }) =>
    choice(state, "Schedule", labels(SCHEDULES), "schedule", (schedule) => state.set({ schedule })),
  dose: ({ state }) => doseSlider(state),
  off: pathwayCheckbox,
  block({ state }, id) {
    const isOn = () => state.perturbations.has(id);
    const set = (on) => state.toggle(state.perturbations, id, on);
    return checkbox({ state, isOn, set, text: PERTURBATIONS[id].label, attributes: { "data-toggle": id } });
  },
  pathways(context) {
    const place = element("div", {});
    const { pathways } = context;
    pathways.then((rows) => place.append(...rows.map((row) => pathwayCheckbox(context, row.name))));
    return place;
  },
  comparison: () => element("div", { id: "comparison-controls" }),
  animal({ state }) {
    const isOn = () => state.species === "rat";
    const set = (on) => state.set({ route: on ? "rat" : "infusion" });
    const hint = "10 mg/kg intraperitoneal, the dose of most published measurements";
    return checkbox({ state, isOn, set, text: "Simulate a rat", hint, attributes: { "data-rat": true } });
  },
  population({ state, showPopulation }) {
    const hint = "each with parameter values drawn from their distributions";
    return checkbox({ state, set: showPopulation, text: "Show 1,000 virtual patients", hint });
  },
};

function pathwayCheckbox({ state, pathways }, id) {
  const isOn = () => state.pathwaysOff.has(id);
  const set = (on) => state.toggle(state.pathwaysOff, id, on);
  const label = checkbox({ state, isOn, set, text: "Pathway off", hint: " ", attributes: { "data-toggle": id } });
  pathways.then((rows) => {
    const row = rows.find((one) => one.name === id);
    if (!row) return;
    label.querySelector("span").firstChild.textContent = `${row.label}: off `;
    label.querySelector("small").textContent = row.one_line;
  });
  return label;
}

function checkbox({ state, isOn, set, text, hint, attributes }) {
  const id = uniqueId("option");
  const input = element("input", { type: "checkbox", id, ...attributes, onchange: () => set(input.checked) });
  const show = () => {
    if (isOn) input.checked = isOn();
  };
  state.onChange(show);
  show();
  const words = element("span", {}, `${text} `, hint && element("small", { text: hint }));
  return element("label", { class: "checkbox", for: id }, input, words);
}

function choice(state, title, choices, key, choose) {
  const name = uniqueId("choice");
  const inputs = choices.map(([value]) =>
    element("input", { type: "radio", name, value, onchange: () => choose(value) }),
  );
  const show = () => {
    for (const input of inputs) input.checked = input.value === state[key];
  };
  state.onChange(show);
  show();
  const options = choices.map(([, label], i) => element("label", {}, inputs[i], element("span", { text: label })));
  return element("div", { class: "choice", role: "radiogroup", "aria-label": title }, options);
}

function doseSlider(state) {
  const id = uniqueId("dose");
  const input = element("input", { type: "range", id, "data-dose": true });
  const output = element("output", { for: id });
  const limits = element("span", { class: "limits" });
  input.addEventListener("input", () => {
    performance.mark("dose changed");
    state.set({ dose: Number(input.value) });
  });
  const show = () => {
    const { min, max, step, unit, usual } = ROUTES[state.route];
    const text = `${state.roundedDose} ${unit}`;
    Object.assign(input, { min, max, step });
    input.value = String(state.dose);
    input.setAttribute("aria-valuetext", text);
    output.textContent = text;
    limits.textContent = `${min} to ${max} ${unit}; usual ${usual}`;
  };
  state.onChange(show);
  show();
  return element("div", { class: "slider" }, element("label", { for: id, text: "Dose" }), output, input, limits);
}
