// The controls of the chapters. Every one shows and changes the same course.

import { fresh, make } from "./dom.js";
import { BLOCKERS, DRUGS, PATHWAYS, REPEATS, WAYS } from "./course.js";

export function pushPanel(wanted, course, band) {
  const panel = make("fieldset", { class: "push" }, make("legend", { text: "Push" }));
  const given = wanted.split(" ");
  for (const word of given) {
    const [kind, name] = word.split(":");
    panel.append(...[PARTS[kind](course, name, band)].flat());
  }
  panel.append(more(ALWAYS.filter((word) => !given.includes(word)), course));
  return panel;
}

// Everything else that can be pushed, made when it is opened.
const ALWAYS = ["way", "drug", "dose", "repeat", "switches"];
function more(words, course) {
  const inside = make("div", {});
  const box = make("details", { class: "more" }, make("summary", { text: `More: ${words.map((word) => NAMES[word]).join(", ")}` }), inside);
  box.addEventListener("toggle", () => box.open && !inside.children.length && inside.append(...words.flatMap((word) => PARTS[word](course))));
  return box;
}
const NAMES = { way: "route", drug: "drug", dose: "dose", repeat: "how often", switches: "pathways off" };

const PARTS = {
  way: (course) => pick("How it is given", Object.entries(WAYS).map(([key, way]) => [key, way.label]), () => course.way, (key) => course.set({ way: key }), course),
  drug: (course) => pick("Drug", Object.entries(DRUGS), () => course.drug, (key) => course.set(WAYS[course.way].only && key !== WAYS[course.way].only ? { way: "infusion", drug: key } : { drug: key }), course),
  repeat: (course) => pick("How often", Object.entries(REPEATS).map(([key, [label]]) => [key, label]), () => course.repeat, (key) => course.set({ repeat: key }), course),
  dose: (course) => dose(course),
  off: (course, name) => tick(course, "off", name, `${PATHWAYS[name][0]}: switch this pathway off`, PATHWAYS[name][1]),
  block: (course, name) => tick(course, "block", name, BLOCKERS[name][0], ""),
  switches: (course) => Object.keys(PATHWAYS).map((name) => PARTS.off(course, name)),
  beside: () => make("div", { id: "beside-push" }),
  animal: (course) => {
    const id = fresh("animal");
    const box = make("input", { type: "checkbox", id, "data-animal": true, onchange: () => course.set(box.checked ? { way: "rat" } : { way: "infusion" }) });
    const show = () => { box.checked = course.species === "rat"; };
    course.listen(show);
    show();
    return make("label", { class: "tick", for: id }, box, make("span", {}, "Follow a rat instead ", make("small", { text: "10 mg/kg, injected: where this was measured" })));
  },
  band: (course, name, band) => {
    const id = fresh("band");
    const box = make("input", { type: "checkbox", id, onchange: () => band(box.checked) });
    return make("label", { class: "tick", for: id }, box, make("span", {}, "Show 1,000 virtual patients ", make("small", { text: "every value drawn from its spread" })));
  },
};

function pick(title, choices, now, choose, course) {
  const name = fresh("pick");
  const inputs = choices.map(([key]) => make("input", { type: "radio", name, value: key, onchange: () => choose(key) }));
  const show = () => inputs.forEach((input) => { input.checked = input.value === now(); });
  course.listen(show);
  show();
  return make("div", { class: "pick", role: "radiogroup", "aria-label": title }, choices.map(([, label], i) => make("label", {}, inputs[i], make("span", { text: label }))));
}

function dose(course) {
  const id = fresh("dose");
  const input = make("input", { type: "range", id, "data-dose": true });
  const shown = make("output", { for: id });
  const bound = make("span", { class: "bound" });
  input.addEventListener("input", () => { performance.mark("pushed"); course.set({ dose: Number(input.value) }); });
  const show = () => {
    const way = WAYS[course.way];
    Object.assign(input, { min: way.low, max: way.high, step: way.step });
    input.value = String(course.dose);
    const words = `${Number(course.dose.toFixed(3))} ${way.unit}`;
    shown.textContent = words;
    input.setAttribute("aria-valuetext", words);
    bound.textContent = `${way.low} to ${way.high} ${way.unit}; usual ${way.usual}`;
  };
  course.listen(show);
  show();
  return make("div", { class: "slide" }, make("label", { for: id, text: "Dose" }), shown, input, bound);
}

function tick(course, kind, name, label, why) {
  const id = fresh("tick");
  const box = make("input", { type: "checkbox", id, "data-toggle": name, onchange: () => course.toggle(kind, name, box.checked) });
  const show = () => { box.checked = course[kind].has(name); };
  course.listen(show);
  show();
  return make("label", { class: "tick", for: id }, box, make("span", {}, `${label} `, why && make("small", { text: why })));
}
