// Treatments as sentences: a slider that turns the number in one, and a form that writes one.

import { fresh, make } from "./dom.js";

const DOSE = /(\d+(?:\.\d+)?)(\s*(?:mg\/kg\/h|ug\/kg\/min|mg\/kg|ug\/kg|mg\/h|mg|ug|g)(?![a-z/]))/i;

// A treatment as a sentence, also one that a file spells out.
export function inWords(given) {
  if (typeof given !== "object" || given === null) return String(given);
  const part = (word, key) => (given[key] ? `${word} ${given[key]}` : "");
  return [given.drug, given.dose, given.salt && given.salt !== "base" ? `as ${given.salt}` : "", given.route, part("over", "over"), part("at", "at"), given.schedule, part("lag", "lag"), part("missing", "missing"), given.steady_state ? "at steady state" : ""].filter(Boolean).join(" ");
}

// A slider from nothing to four times the dose that was last typed.
export function doseSlider(area, changed) {
  const id = fresh("dose");
  const input = make("input", { type: "range", id, min: 1, max: 100, step: 1, "data-dose": true });
  const shown = make("output", { for: id }), bound = make("span", { class: "bound" });
  const node = make("div", { class: "slide" }, make("label", { for: id, text: "Dose" }), shown, input, bound);
  let base = 0;
  const rounded = (value) => Number(value.toPrecision(3));
  const say = (dose, unit) => { shown.textContent = `${dose}${unit}`; input.setAttribute("aria-valuetext", `${dose}${unit}`); };
  const now = () => area.value.match(DOSE);
  const refresh = () => {
    const match = now();
    node.hidden = !match;
    if (!match) return;
    base = Number(match[1]);
    input.value = "25";
    say(match[1], match[2]);
    bound.textContent = `${rounded(base / 25)} to ${rounded(4 * base)}${match[2]}; type another to move beyond`;
  };
  input.addEventListener("input", () => {
    performance.mark("pushed");
    const match = now();
    if (!match || !base) return;
    const dose = rounded((base * Number(input.value)) / 25);
    area.value = area.value.replace(DOSE, `${dose}${match[2]}`);
    say(dose, match[2]);
    changed();
  });
  refresh();
  return { node, refresh };
}

const RHYTHMS = ["once", "daily for 4 weeks", "twice weekly for 4 weeks", "3 times a week for 2 weeks", "weekly for 4 weeks", "twice weekly for 4 weeks, then weekly for 4 weeks", "every 12 h for 7 days"];

export function composer(about, add) {
  const choice = (words, values, chosen) => {
    const id = fresh("compose");
    const select = make("select", { id }, values.map((value) => make("option", { value, text: value })));
    if (chosen) select.value = chosen;
    return { select, node: make("div", { class: "field" }, make("label", { for: id, text: words }), select) };
  };
  const drug = choice("Drug", about.drugs.map((d) => d.name));
  const route = choice("Route", []);
  const unit = choice("Unit", ["mg/kg", "mg", "mg/h", "ug/kg/min"]);
  const rhythm = choice("How often", RHYTHMS);
  const number = (words, value, hint) => {
    const id = fresh("compose");
    const input = make("input", { type: "number", id, min: 0, step: "any", value });
    return { input, node: make("div", { class: "field" }, make("label", { for: id, text: words }), input, make("small", { text: hint })) };
  };
  const dose = number("Dose", 0.5, "above 0"), over = number("Over, min", 40, "IV and SC; 0: at once"), start = number("On day", 1, "1: at once");
  const fit = () => {
    const known = about.drugs.find((d) => d.name === drug.select.value);
    route.select.replaceChildren(...known.routes.map((name) => make("option", { value: name, text: name })));
    route.node.hidden = !known.routes.length;
    for (const part of [dose.node, unit.node, over.node]) part.hidden = known.sessions;
  };
  drug.select.addEventListener("change", fit);
  fit();
  const write = () => {
    const known = about.drugs.find((d) => d.name === drug.select.value);
    const parts = [known.name];
    if (!known.sessions) parts.push(`${dose.input.value || 0} ${unit.select.value}`);
    if (known.routes.length) parts.push(route.select.value);
    if (!known.sessions && ["IV", "SC"].includes(route.select.value) && Number(over.input.value) > 0) parts.push(`over ${over.input.value} min`);
    if (Number(start.input.value) > 1) parts.push(`at day ${start.input.value}`);
    if (rhythm.select.value !== "once") parts.push(rhythm.select.value);
    add(parts.join(" "));
  };
  return make("details", {}, make("summary", { text: "Add a treatment" }), make("div", {},
    drug.node, make("div", { class: "two" }, dose.node, unit.node), make("div", { class: "two" }, route.node, over.node), make("div", { class: "two" }, rhythm.node, start.node),
    make("button", { type: "button", onclick: write, text: "Add it as a sentence" })));
}
