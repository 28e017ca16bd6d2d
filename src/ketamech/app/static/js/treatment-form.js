// Treatments as regimen texts: a field with a slider that changes its dose, and a form that writes a new one.

import { button, collapsible, doseSlider, element, field, linkButton, options, select, uniqueId } from "./dom.js";

export const DOSE = /(\d+(?:[.,]\d+)?)(\s*(?:mg\/kg\/h|ug\/kg\/min|mg\/kg|ug\/kg|mg\/h|mg|ug|g)(?![a-z/]))/i;
export const doseNumber = (text) => Number(text.replace(",", "."));
const MIDDLE = 25; // slider position of the typed dose; 100 is four times as much
const UNITS = ["mg/kg", "mg", "mg/h", "ug/kg/min"];
const INFUSED = ["IV", "SC"];
const SCHEDULES = [
  "once",
  "daily for 4 weeks",
  "twice weekly for 4 weeks",
  "3 times a week for 2 weeks",
  "weekly for 4 weeks",
  "twice weekly for 4 weeks, then weekly for 4 weeks",
  "every 12 h for 7 days",
];

// A treatment as text, also one that a file gives key by key.
export function regimenText(treatment) {
  if (typeof treatment !== "object" || treatment === null) return String(treatment);
  const { drug, dose, salt, route, over, at, schedule, lag, missing, steady_state: steady } = treatment;
  const part = (word, value) => (value ? `${word} ${value}` : "");
  return [
    drug,
    dose,
    salt !== "base" && part("as", salt),
    route,
    part("over", over),
    part("at", at),
    schedule,
    part("lag", lag),
    part("missing", missing),
    steady && "at steady state",
  ]
    .filter(Boolean)
    .join(" ");
}

// The field of treatment `index` of a case. `changed` is called after every change of the case.
export function treatmentField(scenario, index, { changed, remove, maxLength }) {
  const number = scenario.treatments.length > 1 ? ` ${index + 1}` : "";
  const id = uniqueId("treatment");
  const hint = uniqueId("hint");
  const set = () => {
    scenario.treatments[index] = input.value;
    changed();
  };
  const input = element("textarea", {
    id,
    rows: 2,
    maxlength: maxLength,
    spellcheck: "false",
    "data-key": `treatments[${index}]`,
    "aria-describedby": hint,
    "data-hint": hint,
    oninput: () => {
      slider.showDose();
      set();
    },
  });
  input.value = regimenText(scenario.treatments[index]);
  const slider = treatmentDoseSlider(input, set);
  const removeButton = linkButton("Remove", remove, { "aria-label": `Remove treatment${number}` });
  const help = "Drug, dose, route, schedule: “esketamine 84 mg nasal twice weekly for 4 weeks”.";
  const label = element("label", { for: id, text: `Treatment${number}` });
  return element(
    "div",
    { class: "treatment" },
    element("div", { class: "row" }, label, number && removeButton),
    input,
    element("small", { id: hint, class: "secondary", text: help }),
    slider.node,
    element("p", { class: "field-error", id: uniqueId("error"), role: "alert" }),
  );
}

// Changes the first dose of a text, up to four times the dose that was typed.
function treatmentDoseSlider(input, changed) {
  let typedDose = 0;
  const rounded = (value) => Number(value.toPrecision(3));
  const slider = doseSlider({ min: 1, max: 100, step: 1 }, (position) => {
    const match = input.value.match(DOSE);
    if (!match || !typedDose) return;
    const text = `${rounded((typedDose * position) / MIDDLE)}${match[2]}`;
    input.value = input.value.replace(DOSE, text);
    slider.show(text);
    changed();
  });
  const showDose = () => {
    const match = input.value.match(DOSE);
    slider.node.hidden = !match;
    if (!match) return;
    const [, dose, unit] = match;
    typedDose = doseNumber(dose);
    const range = `${rounded(typedDose / MIDDLE)} to ${rounded((100 / MIDDLE) * typedDose)}${unit}`;
    slider.show(`${dose}${unit}`, MIDDLE, `${range}; type another dose for a wider range`);
  };
  showDose();
  return { node: slider.node, showDose };
}

// A form that adds a treatment; `drugs`: the server's list.
export function treatmentForm(drugs, add) {
  const number = (value) => element("input", { type: "number", min: 0, step: "any", value });
  const inputs = {
    drug: select(drugs.map(({ name }) => name)),
    dose: number(0.5),
    unit: select(UNITS),
    route: select([]),
    duration: number(40),
    schedule: select(SCHEDULES),
    day: number(1),
  };
  const fields = {
    drug: field("Drug", inputs.drug),
    dose: field("Dose", inputs.dose, "above 0"),
    unit: field("Unit", inputs.unit),
    route: field("Route", inputs.route),
    duration: field("Infusion time, min", inputs.duration, "IV and SC; 0: bolus"),
    schedule: field("Schedule", inputs.schedule),
    day: field("First day", inputs.day, "1: immediately"),
  };
  const chosenDrug = () => drugs.find(({ name }) => name === inputs.drug.value);
  const showFields = () => {
    const { routes, is_session: isSession } = chosenDrug();
    inputs.route.replaceChildren(...options(routes));
    fields.route.hidden = !routes.length;
    for (const name of ["dose", "unit", "duration"]) fields[name].hidden = isSession;
  };
  inputs.drug.addEventListener("change", showFields);
  showFields();
  const addTreatment = () => add(composedText(chosenDrug(), inputs));
  const pair = (...names) => {
    const both = names.map((name) => fields[name]);
    return element("div", { class: "two-columns" }, both);
  };
  const pairs = [pair("dose", "unit"), pair("route", "duration"), pair("schedule", "day")];
  return collapsible("Add a treatment", [fields.drug, ...pairs, button("Add treatment", addTreatment)]);
}

function composedText({ name, routes, is_session: isSession }, { dose, unit, route, duration, schedule, day }) {
  const parts = [name];
  if (!isSession) parts.push(`${dose.value || 0} ${unit.value}`);
  if (routes.length) parts.push(route.value);
  if (!isSession && INFUSED.includes(route.value) && Number(duration.value) > 0)
    parts.push(`over ${duration.value} min`);
  if (Number(day.value) > 1) parts.push(`at day ${day.value}`);
  if (schedule.value !== "once") parts.push(schedule.value);
  return parts.join(" ");
}
