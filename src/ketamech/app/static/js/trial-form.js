// The form of a trial: arms from the cases, written here, or of a shipped trial; its size, visits and analysis.

import { getJson } from "./api.js";
import { caseLetter } from "./case-list.js";
import { addSelect, collapsible, element, field, linkButton, options, select, wrappedInput } from "./dom.js";
import { regimenText } from "./treatment-form.js";

const MAX_ARM_NAME = 60;
const MAX_ARMS = 6;
const PATIENTS_PER_ARM = 60;
const MAX_SEED = 2147483647;
const OWN = ":own";
const NOT_IN_TRIAL = {
  pathways: "pathways off",
  perturbations: "perturbations",
  species: "species",
  variant: "model variant",
  parameters: "parameters",
};
const MIN_SEARCH_REPLICATES = 100;
const REPLICATES_HINT = `1 to 500: number of simulated trials, each with other patients and other parameter values; a search for a sample size simulates at least ${MIN_SEARCH_REPLICATES}`;
const CONTROL_HINT = "An arm of placebo is added if no arm is a placebo or midazolam. Double-dummy: every arm has the visits of all arms, with placebo where it has no drug, so that expectancy does not differ. At one arm’s visits: placebo copies the arm with the most visits. Tablets beside the visits are given in the placebo arm too.";
const PRIMARY_HINT = "the visit at which arms are compared; by the doses: the first visit after a single dose, else the last visit within 28 days";
const PRESET_DAY = "by the doses";
const MARGIN_HINT = "points; empty: superiority is tested. With a margin, choose an arm with a drug as the reference arm, not placebo.";
const REFERENCE_HINT = "The other arms are compared with this arm. By the design: with placebo or another control arm; without one, with the last arm.";
const PRESET_REFERENCE = "by the design";
const PLACEBO = "placebo"; // the name of the arm that is added
const TARGET_HINT = "% of trials that succeed; 50 to 99";
const ARM_HINT = "One treatment a line. The dose or the schedule may depend on the ratings of the patient (dose titration).";
const NO_EFFECT_HINT = "without drug effects a run shows the type I error: take 500 replicates, and no margin; for arms of your own";
const EFFECTS = { "": "as in the model", yes: "none: placebo in every arm" };
const ANALYSIS = { margin: "", alpha: 0.05, reference: "", no_effect: "" }; // set anew when another trial is chosen
const CONTROLS = { "double-dummy": "placebo, double-dummy", placebo: "placebo at one arm’s visits", none: "no further arm" };
const BLINDING = { double: "double-blind", open: "open-label" };
const ADAPTIVE_ARMS = [
  "esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8, 11, 15, 18, 22, 25",
  "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks, then weekly or every 2 weeks by remission",
  "esketamine 84 mg nasal twice weekly for 4 weeks\nre-induce on relapse",
];

export class TrialForm {
  constructor(workbench, buttons, onsubmit) {
    this.workbench = workbench;
    this.inputs = trialInputs(workbench.metadata.trial_populations);
    for (const [name, input] of Object.entries(this.inputs)) {
      workbench.bindToLink(`trial.${name.replace(/_/g, "")}`, input);
    }
    this.arms = storedArms(workbench.view["trial.arms"]) ?? armsOf(workbench.cases);
    this.armList = element("div", { class: "arm-list" });
    this.note = element("p", { class: "full-width secondary" });
    this.ownArms = element("div", { class: "full-width" }, this.armList, this.armTools());
    this.isListed = false;
    this.node = this.build(buttons, onsubmit);
    this.inputs.shipped.addEventListener("change", () => {
      const isShipped = this.inputs.shipped.value && this.inputs.shipped.value !== OWN;
      this.inputs.patients_per_arm.value = isShipped ? "" : PATIENTS_PER_ARM;
      if (isShipped || this.wasShipped) this.resetAnalysis();
      this.wasShipped = isShipped;
      this.update();
    });
    this.inputs.days.addEventListener("input", () => this.listDays());
    this.inputs.control.addEventListener("change", () => this.listReferences());
    this.listDays(workbench.view["trial.primaryday"]);
    this.buildArms();
    this.listReferences(workbench.view["trial.reference"]);
  }

  // Settings of the analysis that belong to the former trial.
  resetAnalysis() {
    for (const [name, value] of Object.entries(ANALYSIS)) {
      this.inputs[name].value = value;
      this.inputs[name].dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  get armsOfTrial() {
    return this.inputs.shipped.value === OWN ? this.arms : armsOf(this.workbench.cases);
  }

  // The arms as choices of the reference, with the placebo that may be added.
  listReferences(chosen = this.inputs.reference.value) {
    const { reference: input, control } = this.inputs;
    const names = [...this.armsOfTrial.map(({ name }) => name), ...(control.value === "none" ? [] : [PLACEBO])];
    input.replaceChildren(...options(["", ...new Set(names)], (name) => name || PRESET_REFERENCE));
    input.value = chosen;
    if (input.selectedIndex < 0) input.value = "";
  }

  // The visit days as choices of the primary endpoint.
  listDays(chosen = this.inputs.primary_day.value) {
    const { primary_day: input } = this.inputs;
    input.replaceChildren(...options(["", ...visitDays(this.inputs.days.value)], (day) => (day ? `day ${day}` : PRESET_DAY)));
    input.value = chosen;
    if (input.selectedIndex < 0) input.value = "";
  }

  build(buttons, onsubmit) {
    const { inputs } = this;
    const maxPatients = this.workbench.metadata.limits.trial_patients.toLocaleString("en");
    this.design = [
      field("Control arm", inputs.control, CONTROL_HINT),
      field("Reference arm", inputs.reference, REFERENCE_HINT),
      field("Population", inputs.population, "from which patients are enrolled"),
      field("Visit days", inputs.days, "days with a MADRS rating: up to 12, from 1 to 730"),
      field("Primary endpoint: MADRS at day …", inputs.primary_day, PRIMARY_HINT),
      field("Drop-out", inputs.dropout, "% of patients who leave in a week; 0 to 50"),
      field("Blinding", inputs.blinding),
      field("Drug effects", inputs.no_effect, NO_EFFECT_HINT),
    ];
    const analysis = element(
      "div",
      { class: "panel-fields" },
      field("Alpha", inputs.alpha, "two-sided level of significance"),
      field("Non-inferiority margin", inputs.margin, MARGIN_HINT),
      field("Target power", inputs.target_power, TARGET_HINT),
    );
    return element(
      "form",
      { class: "panel-form", novalidate: true, onsubmit },
      element("div", { class: "full-width" }, field("Trial", inputs.shipped)),
      this.ownArms,
      field("Patients per arm", inputs.patients_per_arm, `2 to 2000; times arms and replicates at most ${maxPatients}. Empty for a published trial: its own number. “Find the sample size” chooses the numbers itself.`),
      field("Replicates", inputs.replicates, REPLICATES_HINT),
      field("Random seed", inputs.seed, `0 to ${MAX_SEED}; the same seed gives the same patients`),
      this.design,
      element("div", { class: "full-width" }, collapsible("Analysis and sample size", analysis, { open: true })),
      this.note,
      element("div", { class: "full-width buttons" }, buttons),
    );
  }

  armTools() {
    const add = (name, treatment) => {
      if (this.arms.length >= MAX_ARMS) return;
      this.arms.push({ name: freeName(name, this.arms), treatment });
      this.buildArms();
      this.storeArms();
    };
    const examples = options([...ADAPTIVE_ARMS.keys()], (i) => ADAPTIVE_ARMS[i].replace("\n", "; "));
    return element(
      "div",
      { class: "buttons" },
      linkButton("Add an arm", () => add("Arm", "")),
      linkButton("Take the arms from the cases", () => {
        this.arms = armsOf(this.workbench.cases);
        this.buildArms();
        this.storeArms();
      }),
      addSelect("Add an arm with dose titration", "Add an arm with dose titration …", examples, (i) => add("Titrated", ADAPTIVE_ARMS[i])),
    );
  }

  buildArms() {
    this.armList.replaceChildren(...this.arms.map((arm, i) => this.armFields(arm, i)));
  }

  armFields(arm, i) {
    const set = (key) => (event) => {
      const isReference = key === "name" && this.inputs.reference.value === arm.name;
      arm[key] = event.target.value;
      this.storeArms(isReference ? arm.name : undefined);
    };
    const name = wrappedInput({ maxlength: MAX_ARM_NAME, oninput: set("name") });
    const treatment = element("textarea", {
      rows: 2,
      maxlength: 500,
      spellcheck: "false",
      "data-key": `arms.${arm.name}`,
      oninput: set("treatment"),
    });
    name.value = arm.name;
    treatment.value = arm.treatment;
    const remove = () => {
      this.arms.splice(i, 1);
      this.buildArms();
      this.storeArms();
    };
    const removeButton = linkButton("Remove", remove, { "aria-label": `Remove arm ${i + 1}` });
    return element(
      "div",
      { class: "arm" },
      field(`Name of arm ${i + 1}`, name),
      field(`Treatment of arm ${i + 1}`, treatment, i ? null : ARM_HINT),
      this.arms.length > 1 && removeButton,
    );
  }

  storeArms(reference) {
    this.listReferences(reference);
    this.workbench.view["trial.arms"] = JSON.stringify(this.arms);
    this.workbench.rememberSoon();
  }

  update() {
    const { value } = this.inputs.shipped;
    const isShipped = Boolean(value) && value !== OWN;
    for (const node of this.design) node.hidden = isShipped;
    this.inputs.patients_per_arm.placeholder = isShipped ? "as in the trial" : "";
    this.ownArms.hidden = value !== OWN;
    this.listReferences();
    const ignored = value ? [] : ignoredSettings(this.workbench.cases);
    this.note.textContent = `Not part of the trial, which takes only the treatments: ${ignored.join("; ")}.`;
    this.note.hidden = !ignored.length;
    this.listed();
  }

  // Ends when the trials of the program are among the choices, or cannot be read.
  listed() {
    if (!this.isListed) this.listing = this.listShippedTrials();
    return this.listing;
  }

  async listShippedTrials() {
    this.isListed = true;
    const { shipped } = this.inputs;
    try {
      const trials = await getJson("/api/trials");
      const nodes = trials.map(({ name, title }) => element("option", { value: name, text: title }));
      shipped.append(element("optgroup", { label: "Trials of the program" }, nodes));
      shipped.value = this.workbench.view["trial.shipped"] ?? "";
      this.update();
    } catch {
      this.isListed = false; // tried again at the next update
    }
  }

  // Inputs by the key of the request, and the treatments of the arms, for errors of the server.
  get fields() {
    const [treatment] = this.armList.querySelectorAll("[data-key]");
    return { ...this.inputs, ...(this.ownArms.hidden ? {} : { arms: treatment }) };
  }

  // Sets the fields to those of a former request, whose arms are then written here.
  fill({ shipped, arms, days, dropout, target_power: target, ...plain }) {
    const values = { ...plain, shipped: shipped || OWN, days: days.join(", "), dropout: Number.parseFloat(dropout) };
    values.no_effect = plain.no_effect ? "yes" : "";
    if (target) values.target_power = Number((100 * target).toPrecision(12));
    if (!shipped) this.arms = Object.entries(arms).map(([name, treatment]) => ({ name, treatment }));
    this.buildArms();
    this.storeArms();
    this.listDays();
    this.inputs.control.value = values.control;
    this.inputs.shipped.value = values.shipped;
    this.listReferences(values.reference ?? "");
    for (const [name, input] of Object.entries(this.inputs).filter(([key]) => key in values)) {
      input.value = values[name] ?? "";
      for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }

  request({ withTarget }) {
    const { inputs } = this;
    const { value } = inputs.shipped;
    const isShipped = Boolean(value) && value !== OWN;
    const arms = this.armsOfTrial;
    const replicates = Number(inputs.replicates.value);
    return {
      shipped: isShipped ? value : "",
      arms: isShipped ? {} : Object.fromEntries(arms.map(({ name, treatment }) => [name, treatment])),
      control: inputs.control.value,
      reference: isShipped ? "" : inputs.reference.value,
      population: inputs.population.value,
      patients_per_arm: inputs.patients_per_arm.value === "" ? null : Number(inputs.patients_per_arm.value),
      replicates: withTarget ? Math.max(MIN_SEARCH_REPLICATES, replicates) : replicates,
      days: visitDays(inputs.days.value),
      primary_day: inputs.primary_day.value === "" ? null : Number(inputs.primary_day.value),
      dropout: `${Number(inputs.dropout.value)} %`,
      blinding: inputs.blinding.value,
      alpha: Number(inputs.alpha.value),
      margin: inputs.margin.value === "" ? null : Number(inputs.margin.value),
      seed: Number(inputs.seed.value),
      no_effect: !isShipped && inputs.no_effect.value !== "",
      ...(withTarget ? { target_power: fraction(inputs.target_power) } : {}),
    };
  }
}

// By the key of the request.
function trialInputs(populations) {
  const number = (min, max, value, step = 1) => element("input", { type: "number", min, max, step, value });
  const labels = new Map(populations.map(({ id, label }) => [id, label]));
  return {
    shipped: select(["", OWN], (value) => (value ? "Arms written here" : "Cases as arms")),
    patients_per_arm: number(2, 2000, PATIENTS_PER_ARM),
    replicates: number(1, 500, 20),
    control: select(Object.keys(CONTROLS), (name) => CONTROLS[name]),
    reference: select([""], () => PRESET_REFERENCE),
    population: select([...labels.keys()], (id) => labels.get(id)),
    days: element("input", { type: "text", value: "1, 3, 7, 14, 28", maxlength: 80 }),
    primary_day: select([""], () => PRESET_DAY),
    dropout: number(0, 50, 2, 0.5),
    blinding: select(Object.keys(BLINDING), (name) => BLINDING[name]),
    no_effect: select(Object.keys(EFFECTS), (name) => EFFECTS[name]),
    alpha: number(0.001, 0.5, 0.05, 0.005),
    margin: number(0.1, 60, "", 0.1),
    target_power: number(50, 99, 80),
    seed: number(0, MAX_SEED, 1),
  };
}

// Of a field in percent, without the rounding error of a division of decimals.
const fraction = (input) => Number((Number(input.value) / 100).toPrecision(12));

const visitDays = (text) => (text.match(/[^\s,]+/g) ?? []).map(Number);

function storedArms(text) {
  try {
    const arms = JSON.parse(text ?? "");
    const isArm = (arm) => typeof arm?.name === "string" && typeof arm?.treatment === "string";
    return Array.isArray(arms) && arms.length && arms.length <= MAX_ARMS && arms.every(isArm) ? arms : null;
  } catch {
    return null;
  }
}

// Treatments of the cases by their titles; a title that is used twice gets a mark.
function armsOf(cases) {
  const arms = [];
  cases.forEach(({ title, treatments }, i) => {
    const name = freeName((title || `Case ${i + 1}`).slice(0, MAX_ARM_NAME - 4), arms);
    arms.push({ name, treatment: treatments.map(regimenText).join("\n") });
  });
  return arms;
}

function freeName(name, arms) {
  let free = name;
  while (arms.some((arm) => arm.name === free)) free += "’";
  return free;
}

function ignoredSettings(cases) {
  return cases.flatMap((scenario, i) => {
    const set = Object.entries(NOT_IN_TRIAL).filter(([key]) => Object.values(scenario[key] ?? {}).length);
    return set.map(([, label]) => `${caseLetter(i)}: ${label}`);
  });
}
