// Who is simulated, and how: species, model variant, the patient, the horizon; and what a file set without a field here.

import { element, field, options, uniqueId } from "./dom.js";

const MAX_NUMBER_LENGTH = 20;
const MAX_PARAMETERS_SHOWN = 12;

// `rebuild` draws the case again, since bounds and names depend on the species.
export function speciesAndVariant(scenario, about, rebuild) {
  const species = element("select", { "data-key": "species" }, options(about.species));
  species.value = scenario.species || "human";
  species.addEventListener("change", () => {
    setSpecies(scenario, species.value);
    rebuild();
  });
  const variants = new Map(about.model_variants.map((row) => [row.name, row]));
  const variantLabel = (name) => (name ? `${variants.get(name).question}: ${name.replace(/-/g, " ")}` : "default");
  const variant = element("select", { "data-key": "variant" }, options(["", ...variants.keys()], variantLabel));
  variant.value = scenario.variant || "";
  variant.addEventListener("change", () => {
    if (variant.value) scenario.variant = variant.value;
    else delete scenario.variant;
    rebuild();
  });
  const meaning = variants.get(scenario.variant)?.says ?? "all pathways, as in the parameter tables";
  const variantHint = `${meaning}. Model variants are structural hypotheses fitted to the same evidence.`;
  const nonDefault = [scenario.species !== "human" && scenario.species, scenario.variant?.replace(/-/g, " ")];
  const set = nonDefault.filter(Boolean).join(", ");
  return element(
    "details",
    { open: Boolean(set) },
    element(
      "summary",
      {},
      "Species and model variant",
      element("span", { class: "set-count", text: set && ` ${set}` }),
    ),
    element(
      "div",
      {},
      field("Species", species, "rats and mice: doses as in experiments, e.g. racemic 10 mg/kg IP"),
      field("Model variant", variant, variantHint),
    ),
  );
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

export function patientFields(scenario, about, changed) {
  const count = element("span", { class: "set-count" });
  const showCount = () => {
    const number = Object.keys(scenario.person ?? {}).length;
    count.textContent = number ? ` ${number} set` : "";
  };
  showCount();
  const fields = parameterFields(scenario, "person", about.person, () => {
    showCount();
    changed();
  });
  return element("details", {}, element("summary", {}, "Patient", count), element("div", {}, fields));
}

// A field for each parameter of a section of a scenario (person or perturbations).
export function parameterFields(scenario, section, rows, changed) {
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
    const unit = row.unit && element("span", { class: "secondary", text: row.unit });
    input.replaceWith(element("div", { class: "with-unit" }));
    node.querySelector(".with-unit").append(input, unit);
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
  const inAnimal = (scenario.species ?? "human") !== "human" && row.in_animals;
  const [low, high] = inAnimal || [row.low, row.high];
  const shown = (value) => String(Number(value.toPrecision(3)));
  const bounds =
    low !== null && high !== null ? `${shown(low)} to ${shown(high)}` : low === 0 ? "0 or more" : "any number";
  return `${bounds}; default ${inAnimal ? "of the species" : row.value}. ${row.about}`;
}

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
  const hint =
    "1 h to 2 years, e.g. 84 days; empty: 28 days, or four weeks after the last dose. The time slider shows a part of it.";
  const id = uniqueId("control");
  const control = element("input", {
    type: "checkbox",
    id,
    onchange: () => {
      scenario.control = control.checked;
      changed();
    },
  });
  control.checked = scenario.control !== false;
  const label = element("span", {}, "Simulate the control: same patient, same expectancy, no drug");
  return element(
    "details",
    {},
    element("summary", { text: "Horizon and control" }),
    element(
      "div",
      {},
      field("Horizon", horizon, hint),
      element("label", { class: "checkbox", for: id }, control, label),
    ),
  );
}

// Settings of a file that have no field on the page; they are simulated and downloaded with the case.
export function settingsFromFile(scenario) {
  const parameters = Object.entries(scenario.parameters ?? {});
  const shown = parameters.slice(0, MAX_PARAMETERS_SHOWN).map(([name, value]) => `${name} = ${value}`);
  const left = parameters.length - shown.length;
  const more = left ? `; and ${left} more` : "";
  const lines = [shown.length && `Parameters from the file: ${shown.join("; ")}${more}.`, scenario.description].filter(
    Boolean,
  );
  const paragraphs = lines.map((text) => element("p", { text }));
  return lines.length ? element("div", { class: "from-file secondary" }, paragraphs) : null;
}
