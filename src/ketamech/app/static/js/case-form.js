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
  return collapsible("Patient", [...fields, paragraph(NOT_IN_THE_MODEL, "secondary")], { count: count.node });
}

const NOT_IN_THE_MODEL =
  "The model of one patient has no value for sex, diagnosis, high blood pressure, earlier attempts at treatment or psychosis. " +
  "Bipolar depression is a population of the tab Trial, a daily antidepressant is a further treatment, and a benzodiazepine " +
  "is a perturbation.";

// A field for each parameter of a section of a scenario (person or perturbations).
function parameterFields(scenario, section, rows, changed) {
  return rows.map((row) => {
    const set = (text) => {
      setParameter(scenario, section, row, text);
      changed();
    };
    if (row.choices?.length) return choiceField(row, scenario[section]?.[row.name], `${section}.${row.name}`, set);
    const input = element("input", {
      type: "text",
      inputmode: "decimal",
      maxlength: MAX_NUMBER_LENGTH,
      placeholder: String(row.value),
      "data-key": `${section}.${row.name}`,
      oninput: () => set(input.value.trim().replace(",", ".")),
    });
    const value = scenario[section]?.[row.name];
    if (value !== undefined) input.value = String(value).replace(` ${row.unit}`, "");
    const node = field(row.label ?? row.name.replace(/_/g, " "), input, parameterHint(scenario, row));
    const box = element("div", { class: "with-unit" });
    input.replaceWith(box);
    const unit = row.shown_unit ?? row.unit;
    box.append(input, unit && element("span", { class: "secondary", text: unit }));
    return node;
  });
}

// A value that is chosen from a list; a value of a file or a link that is not in the list is added to it.
function choiceField({ label, choices, value: usual, description }, value, key, set) {
  const names = new Map(choices.map((one) => [one.value, one.label]));
  const given = value === undefined ? String(usual) : String(value);
  if (!names.has(given)) names.set(given, given);
  const input = select([...names.keys()], (one) => names.get(one), { "data-key": key, onchange: () => set(input.value) });
  input.value = given;
  return field(label, input, description);
}

function setParameter(scenario, section, row, text) {
  if (!scenario[section] || Array.isArray(scenario[section])) scenario[section] = {};
  if (!text) delete scenario[section][row.name];
  else if (section !== "person") scenario[section][row.name] = Number(text);
  else if (row.choices?.length && Number(text) === row.value) delete scenario[section][row.name];
  else scenario[section][row.name] = row.unit && /^[\d.eE+-]+$/.test(text) ? `${text} ${row.unit}` : text;
}

function parameterHint(scenario, row) {
  const ofAnimal = (scenario.species ?? "human") !== "human" && row.animal_bounds;
  const [low, high] = ofAnimal || [row.low, row.high];
  const shown = (value) => String(Number(value.toPrecision(3)));
  const isBounded = low !== null && high !== null;
  const bounds = isBounded ? `${shown(low)} to ${shown(high)}` : low === 0 ? "0 or more" : "any number";
  const description = row.description && `. ${row.description[0].toUpperCase()}${row.description.slice(1)}`;
  return `${bounds}; default ${ofAnimal ? "of the species" : row.value}${description}`;
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
  "Name, dose, route or “into the brain”, and time; only the name is required. What is taken daily for weeks is one long " +
  "dose over this time. Or set constant fractions below.";

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
    placeholder: "lorazepam 2 mg oral at -120 min",
    "data-key": "perturbations",
    oninput: () => setPhrases(),
  });
  input.value = phrases().join("\n");
  const list = addSelect("Add a perturbation", "Add …", phraseGroups(metadata.perturbations), (phrase) => {
    input.value = [input.value.trim(), phrase].filter(Boolean).join("\n");
    setPhrases();
  });
  const notes = element("div", {});
  const show = () => {
    count.show();
    notes.replaceChildren(...notesOn(phrases(), metadata.perturbations));
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
  return collapsible("Perturbations", [phraseField, notes, fractions], { count: count.node });
}

// What the tables say about the perturbations that are named.
function notesOn(phrases, perturbations) {
  const words = phrases.map((text) => ` ${text.toLowerCase()} `);
  const named = perturbations.filter(({ name }) => words.some((text) => text.includes(` ${name.toLowerCase()} `)));
  return named.map(({ name, description }) => paragraph(`${name}: ${description}.`, "secondary perturbation-note"));
}

function phraseGroups(perturbations) {
  const option = ({ phrase, label }) => element("option", { value: phrase, text: label });
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
