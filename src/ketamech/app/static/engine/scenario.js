// Scenarios from the keys of a scenario file, with the checks of load_scenario.py. What only the installed program can
// read is refused by name.

import { controlEvents, doseEvents, withoutExpectancy } from "./dose-events.js";
import { general, InputError, shortenText } from "./errors.js";
import { applyPhrases } from "./perturbations.js";
import { horizonOf } from "./regimen.js";
import { steadyStateCycle } from "./steady-state.js";

const HUMAN = "human";
const SECTIONS = [
  ["person", "person."],
  ["pathways", "pathway."],
  ["perturbations", "perturbation."],
  ["parameters", ""],
];
const KEYS = [
  "title",
  "description",
  "treatments",
  "species",
  "variant",
  "horizon",
  "control",
  "seed",
  ...SECTIONS.map(([key]) => key),
];
const QUANTITY = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(\D[^,\d]*)?$/i;
const VISIT_GAP = "expectancy.visit_gap";
const INSTALLED = { expected: "the installed program: ketamech serve" };

// `reader`: a RegimenReader; `tables`: scenario.json; `dosing`: dosing.json.
export class ScenarioReader {
  constructor(reader, tables, dosing) {
    Object.assign(this, { reader, tables, dosing });
  }

  // { species, group, treatments, perturbations, values, horizon, control, cycle }: `group` is the species, or "child" for
  // a human below the age of any rating; `values` (Map of parameter to canonical value) differ from the tables; `cycle`:
  // see steadyStateCycle.
  read(keys) {
    this.checkKeys(keys);
    const { treatments, phrases } = this.reader.read(keys.treatments);
    const species = this.speciesOf(keys.species ?? HUMAN);
    const tables = [this.tables.species[species].values, this.variant(keys.variant ?? "")];
    const values = new Map([...tables.flatMap(Object.entries), ...this.overrides(keys, species)]);
    const listed = Array.isArray(keys.perturbations) ? keys.perturbations.map((one) => this.reader.phrase(one)) : [];
    const perturbations = applyPhrases([...phrases, ...listed], this.dosing, this.tables.parameters);
    for (const one of perturbations) Object.entries(one.values).forEach(([name, value]) => values.set(name, value));
    if (treatments.some(({ unit }) => ["/kg", "/m^2"].some((per) => unit.includes(per))) && !values.has("person.weight")) {
      const typeThis = "person:\n          weight: 70 kg";
      const expected = "the weight of this patient";
      throw new InputError("a dose per kilogram needs a body weight", { key: "person.weight", expected, typeThis });
    }
    const longest = this.dosing.limits.horizon;
    const horizon = keys.horizon ? this.horizon(keys.horizon) : Math.min(horizonOf(treatments), longest);
    const isChild = species === HUMAN && (values.get("person.age") ?? Infinity) < this.tables.youngest_rated.hours;
    const group = isChild ? "child" : species;
    const scenario = { species, group, treatments, perturbations, values, horizon, control: keys.control ?? true };
    this.validate(scenario);
    return { ...scenario, cycle: steadyStateCycle(treatments, this.valueOf(scenario, VISIT_GAP)) };
  }

  checkKeys(keys) {
    for (const [key, value] of Object.entries(keys)) {
      if (value !== null && !KEYS.includes(key)) throw new InputError(`'${key}' is not read in the browser`, { key, ...INSTALLED });
    }
    if (!Array.isArray(keys.treatments) || !keys.treatments.every((one) => typeof one === "string")) {
      throw new InputError("treatments that are no sentences", { key: "treatments", ...INSTALLED });
    }
  }

  speciesOf(word) {
    const plain = word.trim().toLowerCase();
    const aliases = this.tables.species_aliases;
    const species = Object.hasOwn(aliases, plain) ? aliases[plain] : plain;
    if (Object.hasOwn(this.tables.species, species)) return species;
    const expected = Object.keys(this.tables.species).join(", ");
    throw new InputError(`there are no tables for the species '${word}'`, { key: "species", expected });
  }

  variant(name) {
    if (!name) return {};
    const known = this.tables.variants;
    if (Object.hasOwn(known, name)) return known[name];
    const expected = Object.keys(known).join(", ");
    throw new InputError(`there is no model variant '${name}'`, { key: "variant", expected });
  }

  overrides(keys, species) {
    const values = [];
    for (const [section, prefix] of SECTIONS) {
      if (Array.isArray(keys[section])) continue; // perturbations in words
      for (const [name, given] of Object.entries(keys[section] ?? {})) {
        if (given !== null) values.push([prefix + name, this.number(section, prefix, name, given, species)]);
      }
    }
    return values;
  }

  number(section, prefix, name, given, species) {
    const key = `${section}.${name}`;
    const { parameters } = this.tables;
    const parameter = Object.hasOwn(parameters, prefix + name) ? parameters[prefix + name] : null;
    if (!parameter) throw new InputError(`there is no '${name}' in ${section}`, { key });
    const { unit, factor, names = {} } = parameter; // names: of values, such as a genotype
    const plain = typeof given === "string" ? given.trim() : String(Number(given));
    const text = Object.hasOwn(names, plain.toLowerCase()) ? String(names[plain.toLowerCase()]) : plain;
    const [, number, written] = QUANTITY.exec(text) ?? [];
    if (number === undefined || ![undefined, unit].includes(written?.trim())) {
      const kinds = [unit === "1" ? "a number" : `a number and a unit like ${unit}`];
      if (parameter.names) kinds.push(`one of ${Object.keys(names).join(", ")}`);
      throw new InputError(`'${given}' is not a quantity in ${unit}`, { key, expected: kinds.join(", or ") });
    }
    const value = Number(number) * factor;
    const isAnimalWeight = species !== HUMAN && prefix + name === "person.weight";
    const [low, high] = isAnimalWeight
      ? this.tables.species[species].weight
      : [parameter.low ?? -Infinity, parameter.high ?? Infinity];
    if (!(value >= low && value <= high)) {
      const expected =
        `between ${general(low / factor)} and ${general(high / factor)} ${unit === "1" ? "" : unit}`.trim();
      throw new InputError(`'${given}' is out of range`, { key, expected });
    }
    return value;
  }

  horizon(text) {
    let hours = NaN;
    try {
      hours = this.reader.hours(text);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    if (hours >= 1 && hours <= this.dosing.limits.horizon) return hours;
    const expected = "between 1 h and 2 years, e.g. 28 days, 3 months, 1 year";
    throw new InputError(`'${shortenText(text)}' is not a valid horizon`, { key: "horizon", expected });
  }

  validate(scenario) {
    const { species, treatments, horizon } = scenario;
    for (const treatment of treatments) this.checkSpecies(treatment, species);
    const { length } = steadyStateCycle(treatments, this.tables.parameters[VISIT_GAP].value);
    this.doses(scenario);
    for (const { drug, start } of treatments) {
      if (start < horizon) continue;
      const what = `${drug} would start at ${general(start)} h, after the horizon of ${general(horizon)} h`;
      const typeThis = `horizon: ${general(Math.round(start / 24 + 28))} days`;
      throw new InputError(what, { key: "horizon", expected: "doses that start before the horizon", typeThis });
    }
    const early = scenario.perturbations.find(({ time, targetStates }) => time < 0 && targetStates.length);
    if (length && early) {
      const what = `'${early.text}' comes before the start of a regimen at steady state`;
      throw new InputError(what, { key: "with", expected: "a time of 0 h or later", typeThis: `${early.name} at 0 h` });
    }
    const count = treatments.reduce((total, one) => total + one.starts(horizon).length, 0);
    const most = this.tables.curves.most_doses;
    if (count <= most) return;
    const expected = `at most ${most}; the command line takes ${this.dosing.limits.doses}`;
    throw new InputError(`${count} doses exceed the limit of the page`, { key: "treatments", expected });
  }

  checkSpecies({ drug, route, substance }, species) {
    const { routes, human } = this.tables.species[species];
    if (human) {
      if (!this.dosing.animal_routes.includes(route) || substance.is_session) return;
      const what = `there are no kinetics of ${drug} by route ${route} in humans`;
      throw new InputError(what, { key: "route", typeThis: "species: rat (in a file) or --species rat" });
    }
    if (!(drug in routes)) {
      const expected = `one of: ${Object.keys(routes).join(", ")}`;
      const what = `there are no kinetics of ${drug} in the ${species}`;
      throw new InputError(what, { key: "species", expected, typeThis: "racemic 10 mg/kg IP" });
    }
    if (!routes[drug].includes(route)) {
      const what = `there are no kinetics of ${drug} by route ${route || "none"} in the ${species}`;
      throw new InputError(what, { key: "route", expected: routes[drug].join(", ") });
    }
  }

  valueOf({ values }, name) {
    return values.get(name) ?? this.tables.parameters[name].value;
  }

  // Dose events of the treatments before the horizon.
  doses(scenario, options = {}) {
    const { species, treatments, horizon } = scenario;
    const events = doseEvents(treatments, (name) => this.valueOf(scenario, name), horizon, this.dosing, options);
    return species === HUMAN ? events : withoutExpectancy(events);
  }

  // A patient for the model { values, events, cycle }, or its control: the same perturbations, expectancy and
  // challenges, no drug. `values` of the scenario may be those of one virtual patient.
  patient(scenario, { isControl = false, ...options } = {}) {
    const { values, cycle, perturbations } = scenario;
    const given = (one) =>
      isControl ? controlEvents(this.doses(one, options), this.dosing) : this.doses(one, options);
    const beside = perturbations.flatMap((one) => one.events((name) => this.valueOf(scenario, name)));
    const events = [...given(scenario), ...beside].sort((a, b) => a.time - b.time);
    const repeated = cycle.length ? given({ ...scenario, treatments: cycle.treatments, horizon: cycle.length }) : [];
    return { values, events, cycle: { events: repeated, length: cycle.length } };
  }
}
