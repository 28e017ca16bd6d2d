// The settings of a case: species, model variant, patient, pathways, perturbations, horizon; and what a file set without a
// field here.

import { addSelect, checkbox, collapsible, element, field, paragraph, select } from "./dom.js";

const MAX_NUMBER_LENGTH = 20;
const MAX_PARAMETERS_SHOWN = 12;

// `rebuild` draws the case again, since bounds and names depend on the species.
export function speciesAndVariant(scenario, metadata, rebuild) {
  const chooseSpecies = () => {
    setSpecies(scenario, species.value);
    rebuild();
  };
  const species = select(metadata.species, undefined, { "data-key": "species", onchange: chooseSpecies });
  species.value = scenario.species || "human";
  const variants = new Map(metadata.model_variants.map((row) => [row.name, row]));
  const variantLabel = (name) => (name ? `${variants.get(name).question}: ${name.replace(/-/g, " ")}` : "default");
  const chooseVariant = () => {
    if (variant.value) scenario.variant = variant.value;
    else delete scenario.variant;
    rebuild();
  };
  const attributes = { "data-key": "variant", onchange: chooseVariant };
  const variant = select(["", ...variants.keys()], variantLabel, attributes);
  variant.value = scenario.variant || "";
  const meaning = variants.get(scenario.variant)?.description ?? "all pathways, as in the parameter tables";
  const variantHint = `${meaning}. Model variants are structural hypotheses fitted to the same evidence.`;
  const nonDefault = [scenario.species !== "human" && scenario.species, scenario.variant?.replace(/-/g, " ")];
  const set = nonDefault.filter(Boolean).join(", ");
  const fields = [
    field("Species", species, "rats and mice: doses as in experiments, e.g. racemic 10 mg/kg IP"),
    field("Model variant", variant, variantHint),
  ];
  const count = element("span", { class: "set-count", text: set && ` ${set}` });
  return collapsible("Species and model variant", fields, { count, open: Boolean(set) });
}

function setSpecies(scenario, name) {
  if (name === "human") {
    delete scenario.species;
    scenario.person = { ...scenario.person, weight: "70 kg" };
  } else {
    scenario.species = name;
    if (scenario.person) delete scenario.person.weight;
  }
}

// A text that says how many settings differ from the default; `show` updates it.
function settingCount(number, word) {
  const node = element("span", { class: "set-count" });
  const show = () => {
    node.textContent = number() ? ` ${number()} ${word}` : "";
  };
  show();
  return { node, show };
}

export function patientFields(scenario, metadata, changed) {
  const count = settingCount(() => Object.keys(scenario.person ?? {}).length, "set");
  const fields = parameterFields(scenario, "person", metadata.person, () => {
    count.show();
    changed();
  });
  return collapsible("Patient", fields, { count: count.node });
}

// A field for each parameter of a section of a scenario (person or perturbations).
function parameterFields(scenario, section, rows, changed) {
  return rows.map((row) => {
    const input = element("input", {
      type: "text",
      inputmode: "decimal",
      maxlength: MAX_NUMBER_LENGTH,
      placeholder: String(row.value),
      "data-key": `${section}.${row.name}`,
      oninput: () => {
        setParameter(scenario, section, row, input.value.trim().replace(",", "."));
        changed();
      },
    });
    const value = scenario[section]?.[row.name];
    if (value !== undefined) input.value = String(value).replace(` ${row.unit}`, "");
    const node = field(row.name.replace(/_/g, " "), input, parameterHint(scenario, row));
    const box = element("div", { class: "with-unit" });
    input.replaceWith(box);
    box.append(input, row.unit && element("span", { class: "secondary", text: row.unit }));
    return node;
  });
}

function setParameter(scenario, section, row, text) {
  if (!scenario[section] || Array.isArray(scenario[section])) scenario[section] = {};
  if (!text) delete scenario[section][row.name];
  else if (section !== "person") scenario[section][row.name] = Number(text);
  else scenario[section][row.name] = row.unit && /^[\d.eE+-]+$/.test(text) ? `${text} ${row.unit}` : text;
}

function parameterHint(scenario, row) {
  const ofAnimal = (scenario.species ?? "human") !== "human" && row.animal_bounds;
  const [low, high] = ofAnimal || [row.low, row.high];
  const shown = (value) => String(Number(value.toPrecision(3)));
  const isBounded = low !== null && high !== null;
  const bounds = isBounded ? `${shown(low)} to ${shown(high)}` : low === 0 ? "0 or more" : "any number";
  return `${bounds}; default ${ofAnimal ? "of the species" : row.value}. ${row.description}`;
}

export function pathwaySwitches(scenario, pathways, changed) {
  const count = settingCount(() => Object.values(scenario.pathways ?? {}).filter((on) => on === false).length, "off");
  const boxes = pathways.map(({ name, label, one_line: oneLine }) => {
    const set = (on) => {
      scenario.pathways ??= {};
      if (on) delete scenario.pathways[name];
      else scenario.pathways[name] = false;
      count.show();
      changed();
    };
    const content = [`${label} `, element("small", { text: oneLine })];
    return checkbox(content, scenario.pathways?.[name] !== false, set, { "data-key": `pathways.${name}` });
  });
  return collapsible("Pathways", boxes, { count: count.node });
}

const PERTURBATION_HINT =
  "Name, dose, route or “into the brain”, and time; only the name is required. Or set constant fractions below.";

// A scenario holds either a list of phrases or constant fractions by name; the other kind of field is then disabled.
export function perturbationFields(scenario, metadata, changed) {
  const phrases = () => (Array.isArray(scenario.perturbations) ? scenario.perturbations : []);
  const fractionCount = () =>
    Array.isArray(scenario.perturbations) ? 0 : Object.keys(scenario.perturbations ?? {}).length;
  const count = settingCount(() => phrases().length + fractionCount(), "set");
  const input = element("textarea", {
    rows: 2,
    maxlength: metadata.limits.text_characters,
    spellcheck: "false",
    placeholder: "NBQX 10 mg/kg IP at -30 min",
    "data-key": "perturbations",
    oninput: () => setPhrases(),
  });
  input.value = phrases().join("\n");
  const list = addSelect("Add a perturbation", "Add …", phraseGroups(metadata.perturbations), (phrase) => {
    input.value = [input.value.trim(), phrase].filter(Boolean).join("\n");
    setPhrases();
  });
  const show = () => {
    count.show();
    for (const one of fractions.querySelectorAll("input")) one.disabled = phrases().length > 0;
    input.disabled = list.disabled = fractionCount() > 0;
  };
  const showAndSimulate = () => {
    show();
    changed();
  };
  const setPhrases = () => {
    const lines = input.value.split("\n").map((line) => line.trim());
    scenario.perturbations = lines.filter(Boolean);
    if (!scenario.perturbations.length) delete scenario.perturbations;
    showAndSimulate();
  };
  const fractionFields = parameterFields(scenario, "perturbations", metadata.perturbation_fractions, showAndSimulate);
  const fractions = collapsible("Constant fractions", fractionFields, { open: fractionCount() > 0 });
  fractions.lastChild.className = "fraction-fields";
  show();
  const phraseField = field("Perturbations, one per line", input, PERTURBATION_HINT);
  input.after(list);
  return collapsible("Perturbations", [phraseField, fractions], { count: count.node });
}

function phraseGroups(perturbations) {
  const option = ({ phrase, target }) => element("option", { value: phrase, text: `${phrase} (${target})` });
  const groups = [...Map.groupBy(perturbations, ({ kind }) => kind)];
  return groups.map(([kind, rows]) => element("optgroup", { label: kind }, rows.map(option)));
}

const HORIZON_HINT =
  "1 h to 2 years, e.g. 84 days; empty: 28 days, or four weeks after the last dose. The time slider shows a part of it.";

export function horizonAndControl(scenario, changed) {
  const horizon = element("input", {
    type: "text",
    maxlength: MAX_NUMBER_LENGTH,
    placeholder: "28 days",
    "data-key": "horizon",
    oninput: () => {
      if (horizon.value.trim()) scenario.horizon = horizon.value.trim();
      else delete scenario.horizon;
      changed();
    },
  });
  horizon.value = scenario.horizon ?? "";
  const setControl = (on) => {
    scenario.control = on;
    changed();
  };
  const text = "Simulate the control: same patient, same visits, no drug";
  const control = checkbox(text, scenario.control !== false, setControl);
  return collapsible("Horizon and control", [field("Horizon", horizon, HORIZON_HINT), control]);
}

// Settings of a file that have no field on the page; they are simulated and downloaded with the case.
export function settingsFromFile(scenario) {
  const parameters = Object.entries(scenario.parameters ?? {});
  const shown = parameters.slice(0, MAX_PARAMETERS_SHOWN).map(([name, value]) => `${name} = ${value}`);
  const left = parameters.length - shown.length;
  const more = left ? `; and ${left} more` : "";
  const lines = [shown.length && `Parameters from the file: ${shown.join("; ")}${more}.`, scenario.description];
  const paragraphs = lines.filter(Boolean).map((text) => paragraph(text));
  return paragraphs.length ? element("div", { class: "from-file secondary" }, paragraphs) : null;
}
