// Pathways that are switched off, and perturbations: compounds, knock-outs and stresses of experiments.

import { element, field, uniqueId } from "./dom.js";
import { parameterFields } from "./person-form.js";

export function pathwaySwitches(scenario, pathways, changed) {
  const count = element("span", { class: "set-count" });
  const showCount = () => {
    const off = Object.values(scenario.pathways ?? {}).filter((on) => on === false).length;
    count.textContent = off ? ` ${off} off` : "";
  };
  showCount();
  const boxes = pathways.map(({ name, label, one_line: oneLine }) => {
    const id = uniqueId("pathway");
    const input = element("input", { type: "checkbox", id, "data-key": `pathways.${name}` });
    input.checked = scenario.pathways?.[name] !== false;
    input.addEventListener("change", () => {
      scenario.pathways ??= {};
      if (input.checked) delete scenario.pathways[name];
      else scenario.pathways[name] = false;
      showCount();
      changed();
    });
    const text = element("span", {}, `${label} `, element("small", { text: oneLine }));
    return element("label", { class: "checkbox", for: id }, input, text);
  });
  return element("details", {}, element("summary", {}, "Pathways", count), element("div", {}, boxes));
}

// A scenario holds either a list of phrases or constant fractions by name; the other kind of field is then disabled.
export function perturbationFields(scenario, about, changed) {
  const count = element("span", { class: "set-count" });
  const isList = () => Array.isArray(scenario.perturbations);
  const phrases = () => (isList() ? scenario.perturbations : []);
  const fractionCount = () => (isList() ? 0 : Object.keys(scenario.perturbations ?? {}).length);
  const input = element("textarea", {
    rows: 2,
    maxlength: about.limits.text_characters,
    spellcheck: "false",
    placeholder: "NBQX 10 mg/kg IP at -30 min",
    "data-key": "perturbations",
    oninput: () => setPhrases(),
  });
  input.value = phrases().join("\n");
  const fractions = element("div", { class: "fraction-fields" });
  const list = phraseList(about.perturbations, (phrase) => {
    input.value = [input.value.trim(), phrase].filter(Boolean).join("\n");
    setPhrases();
  });
  const show = () => {
    const number = phrases().length + fractionCount();
    count.textContent = number ? ` ${number} set` : "";
    for (const one of fractions.querySelectorAll("input")) one.disabled = phrases().length > 0;
    input.disabled = list.disabled = fractionCount() > 0;
  };
  const setPhrases = () => {
    const lines = input.value.split("\n").map((line) => line.trim());
    const given = lines.filter(Boolean);
    if (given.length) scenario.perturbations = given;
    else delete scenario.perturbations;
    show();
    changed();
  };
  const fractionChanged = () => {
    show();
    changed();
  };
  fractions.append(...parameterFields(scenario, "perturbations", about.perturbation_fractions, fractionChanged));
  show();
  const hint =
    "Name, dose, route or “into the brain”, and time; only the name is required. Or set constant fractions below.";
  const phraseField = field("Perturbations, one per line", input, hint);
  input.after(list);
  return element(
    "details",
    {},
    element("summary", {}, "Perturbations", count),
    element(
      "div",
      {},
      phraseField,
      element("details", { open: fractionCount() > 0 }, element("summary", { text: "Constant fractions" }), fractions),
    ),
  );
}

function phraseList(perturbations, add) {
  const groups = [...Map.groupBy(perturbations, ({ kind }) => kind)].map(([kind, rows]) => {
    const option = ({ phrase, target }) => element("option", { value: phrase, text: `${phrase} (${target})` });
    return element("optgroup", { label: kind }, rows.map(option));
  });
  const select = element("select", { "aria-label": "Add a perturbation" });
  select.append(element("option", { value: "", text: "Add …" }), ...groups);
  select.addEventListener("change", () => {
    if (select.value) add(select.value);
    select.value = "";
  });
  return select;
}
