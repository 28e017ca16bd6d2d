// Answers to the requests of the page, with the responses of the server (schemas.py): curves, outputs, population.

import { attribution } from "./attribution.js";
import { general, InputError } from "./errors.js";
import { PublishedValues } from "./evidence-points.js";
import { Kernel } from "./kernel.js";
import { Model } from "./model.js";
import { infusionEnds, outputTimes, treatmentTimes } from "./output-times.js";
import { VirtualPatients } from "./virtual-patients.js";
import { RegimenReader } from "./regimen.js";
import { treatmentSentences } from "./regimen-text.js";
import { ScenarioReader } from "./scenario.js";
import { atEvenQuantiles, percentiles, rounded, trackValues } from "./tracks.js";

const SCENARIO_FILE = "scenario.yaml";
const PATIENTS = ["treated", "control"];

export class Answers {
  // `wasm`: a compiled module; `tables`: { kernel, scenario, dosing }; `later` loads what is not needed at first:
  // { people() -> { people, draws }, published() -> published.json, outputs() -> outputs.json,
  // endpoints() -> endpoints.json, files() -> { readScenario, inFile, DoseTableReader, tables } of opened files }.
  static async load(wasm, tables, later) {
    return new Answers(await Kernel.load(wasm, tables.kernel), tables, later);
  }

  constructor(kernel, { scenario, dosing }, later) {
    Object.assign(this, { tables: scenario, dosing, later });
    this.model = new Model(kernel, scenario.parameters);
    this.reader = new ScenarioReader(new RegimenReader(dosing), scenario, dosing);
  }

  // The treated patient and, unless switched off, its control.
  subjects(scenario) {
    const treated = this.reader.patient(scenario);
    return scenario.control ? [treated, this.reader.patient(scenario, { isControl: true })] : [treated];
  }

  async curves({ scenario: keys, tracks: names = [], outputs: single = [], until = null }) {
    const began = performance.now();
    const scenario = this.reader.read(keys);
    const tracks = (await this.requested(names, single)).filter(this.existsIn(scenario.group));
    const { first, starts, times } = this.times(scenario, until, this.tables.times);
    const outputs = outputsOf(tracks);
    const found = this.model.solveAll(this.subjects(scenario), times, outputs, this.tables.curves.tolerance);
    const curve = (track, one) => {
      const [treated, control] = found.map((own) => rounded(trackValues(track, one, outputs, own)));
      return { key: one.key, label: one.label, treated, control: control ?? null };
    };
    return {
      time: fromFirst(times, first),
      tracks: tracks.map((track) => ({ ...headOf(track), curves: track.curves.map((one) => curve(track, one)) })),
      treatment_times: fromFirst(starts, first),
      horizon: scenario.horizon - first,
      treatments: treatmentSentences(scenario.treatments),
      milliseconds: performance.now() - began,
    };
  }

  outputs({ scenario: keys, outputs, times }) {
    const scenario = this.reader.read(keys);
    this.requireOutputs(scenario.group, outputs);
    if (!times.length || times.some((time, i) => !Number.isFinite(time) || time < times[i - 1])) {
      throw new InputError("output times must be in ascending order", { key: "times", expected: "hours, e.g. 0, 0.5, 24" });
    }
    if (scenario.cycle.length && times[0] < 0) {
      const what = "output times before 0 h of patients at steady state";
      throw new InputError(what, { key: "times", expected: "times of 0 h or later" });
    }
    const names = [...new Set(outputs)];
    const found = this.model.solveAll(this.subjects(scenario), times, names, this.tables.curves.tolerance);
    const [treated, control] = found.map(({ curves }) => byName(names, curves));
    return { times, values: treated, control: control ?? null };
  }

  async attribution({ scenario: keys, draws = 0 }) {
    const scenario = this.reader.read(keys);
    if (draws) throw unsupported("draws of parameters", "draws", "none");
    this.requireOutputs(scenario.group, ["mood.madrs"]);
    this.endpoints ??= await this.later.endpoints();
    return attribution(this, scenario, this.endpoints);
  }

  // A scenario as the text of a file, a command and Python that can be run as they stand. JSON values are valid YAML.
  check({ scenario: keys }) {
    const { horizon, treatments } = this.reader.read(keys);
    const given = Object.entries(keys).filter(([, value]) => value !== null);
    const yaml = given.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join("");
    const command = `ketamech simulate ${SCENARIO_FILE}`;
    const shell = `cat > ${SCENARIO_FILE} <<'END_OF_SCENARIO'\n${yaml}END_OF_SCENARIO\n${command}\n`;
    const python =
      `from pathlib import Path\n\nimport ketamech\n\nscenario = Path("${SCENARIO_FILE}")\n` +
      `scenario.write_text(${JSON.stringify(yaml)}, encoding="utf-8")\ncurves = ketamech.simulate(scenario)\nprint(curves)\n`;
    return { title: keys.title ?? "", treatments: treatmentSentences(treatments), horizon, yaml, command, shell, python };
  }

  // The keys of a scenario file; throws an error with its line.
  async scenarioOfFile({ name, text }) {
    const { readScenario, inFile, tables } = await this.later.files();
    const keys = readScenario(text, name, tables.limits);
    try {
      this.reader.read(keys);
    } catch (error) {
      if (error.name !== "InputError") throw error;
      const i = keys.treatments.findIndex((one) => !this.isReadable(one));
      const key = i < 0 ? error.key : ["treatments", `[${i}]`, error.key && `.${error.key}`].join("");
      throw inFile({ ...error, key }, { text, name });
    }
    return keys;
  }

  // Whether a sentence can be read by itself.
  isReadable(sentence) {
    try {
      this.reader.reader.read([sentence]);
      return true;
    } catch {
      return false;
    }
  }

  // The subjects of a dose table as scenarios; `drug` and `route` where it has no such columns.
  async doseTable({ name, text, drug, route }) {
    const { DoseTableReader, tables } = await this.later.files();
    return new DoseTableReader(this, tables).read(text, name, { drug, route });
  }

  // Every output at every time as CSV, treated and control, in the units of the model.
  async csv({ scenario: keys }) {
    const scenario = this.reader.read(keys);
    this.singleOutputs ??= await this.later.outputs();
    const isShown = (name) => scenario.group === "human" || !this.tables.human_only.includes(name);
    const names = Object.keys(this.singleOutputs).filter(isShown);
    const { times } = this.times(scenario, null, this.tables.times);
    const found = this.model.solveAll(this.subjects(scenario), times, names, this.tables.curves.tolerance);
    const lines = ["patient,time_h,variable,value,unit"];
    found.forEach(({ curves }, i) => {
      names.forEach((name, k) => {
        const { model_unit: unit } = this.singleOutputs[name];
        times.forEach((time, t) => {
          lines.push([PATIENTS[i], general(time), name, general(curves[k][t]), unit].join(","));
        });
      });
    });
    return { text: `${lines.join("\n")}\n` };
  }

  // Percentiles of one track, and `individuals` of the patients at even quantiles of their change at `ranked_at` h.
  async population({
    scenario: keys,
    track: name = "mood",
    until = null,
    individuals = 0,
    ranked_at: at = 24,
    reference = null,
    ...rest
  }) {
    const began = performance.now();
    const scenario = this.reader.read(keys);
    const { tolerance, percentiles: percents, times: count, most_times: most } = this.tables.population;
    this.checkPopulation(scenario, rest);
    const isTrack = this.tables.tracks.some((one) => one.key === name);
    const [track] = await this.requested(isTrack ? [name] : [], isTrack ? [] : [name]);
    this.requireOutputs(scenario.group, outputsOf([track]));
    const { first, times } = this.times(scenario, until, { ...this.tables.times, count, most });
    this.people ??= new VirtualPatients(await this.later.people(), this.tables.parameters);
    const patients = this.patients(scenario, rest);
    const outputs = outputsOf([track]);
    const solve = () => this.model.solve(patients, times, outputs, tolerance);
    const found = rest.control
      ? this.stored([patients.map(withoutValues), scenario.values, times, outputs], solve)
      : solve();
    const others = reference && this.solvedReference(reference, rest, times.map((time) => time - first), outputs);
    const failed = [...found, ...(others ?? [])].map(({ status }) => status).filter((status) => status !== "ok");
    const sinceFirst = times.map((time) => time - first);
    const curve = (one) => {
      const curvesOf = (patients) => patients.map((own) => trackValues(track, one, outputs, own));
      const base = others && curvesOf(others);
      const curves = curvesOf(found).map((curve, i) => (base ? curve.map((value, t) => value - base[i][t]) : curve));
      const chosen = atEvenQuantiles(curves, sinceFirst, at, individuals);
      return { key: one.key, label: one.label, percentiles: percentiles(curves, percents), individuals: chosen };
    };
    return {
      time: fromFirst(times, first),
      track: track.key,
      unit: track.unit,
      curves: track.curves.map(curve),
      patients: patients.length,
      failed: failed.length,
      failure_reasons: Object.fromEntries(failed.map((one) => [one, failed.filter((other) => other === one).length])),
      milliseconds: performance.now() - began,
    };
  }

  // The same virtual patients on another scenario, at hours since its first treatment.
  solvedReference(keys, rest, hours, outputs) {
    const reference = this.reader.read(keys);
    this.checkPopulation(reference, rest);
    this.requireOutputs(reference.group, outputs);
    const { first } = this.times(reference, null, this.tables.times);
    const times = hours.map((hour) => hour + first);
    return this.model.solve(this.patients(reference, rest), times, outputs, this.tables.population.tolerance);
  }

  // Refuses what only the server simulates.
  checkPopulation({ treatments }, { patients = 0, seed = null }) {
    const { patients: most, seed: own } = this.tables.population;
    if (patients > most) throw unsupported(`${patients} virtual patients`, "patients", `at most ${most}`);
    if (seed !== null && seed !== own) throw unsupported(`the seed ${seed}`, "seed", String(own));
    if (!treatments.some(({ missProbability }) => missProbability > 0)) return;
    throw unsupported("virtual patients who miss doses by chance", "missing", "dose numbers, e.g. missing doses 2 and 3");
  }

  // Virtual patients on the treatments of a scenario, or with `control` on the same visits without the drugs.
  patients(scenario, { patients: count = Infinity, control = false }) {
    const own = this.people.values(scenario.values).slice(0, count);
    return own.map((values) => this.reader.patient({ ...scenario, values }, { isControl: control, limits: false }));
  }

  // The last result of `make` if it was made for the same `key`: patients without the drug are the same at every dose.
  stored([patients, values, ...rest], make) {
    const key = JSON.stringify([patients, [...values], ...rest]);
    if (this.last?.key !== key) this.last = { key, found: make() };
    return this.last.found;
  }

  async publishedValues({ scenario: keys }) {
    const scenario = this.reader.read(keys);
    this.published ??= new PublishedValues(await this.later.published(), this.tables.parameters);
    const { times } = this.times(scenario, null, this.tables.times);
    const outputs = this.published.outputs;
    const [patient, ...control] = this.subjects(scenario);
    const found = this.model.solveAll([patient, ...control], times, outputs, this.tables.curves.tolerance);
    const [treated, untreated] = found.map(({ curves }) => byName(outputs, curves));
    const factorOf = ({ track: key, curve }) => {
      const track = this.tables.tracks.find((one) => one.key === key);
      return { ...track.curves.find((one) => one.key === curve), relative: track.relative };
    };
    const curves = { time: times, treated, control: untreated, baseline: byName(outputs, found[0].baseline) };
    return { published_values: this.published.of(scenario, patient.events, curves, factorOf) };
  }

  // Tracks by key, then outputs as tracks (default: all tracks).
  async requested(keys, outputs) {
    const { tracks } = this.tables;
    if (outputs.length) this.singleOutputs ??= await this.later.outputs();
    const requested = [
      ...chosen(keys, new Map(tracks.map((track) => [track.key, track])), "track"),
      ...chosen(outputs, new Map(Object.entries(this.singleOutputs ?? {})), "output"),
    ];
    return keys.length || outputs.length ? requested : tracks;
  }

  // Whether a track exists in a species or in a child: ratings exist for humans of the ages that were rated only.
  existsIn(group) {
    const isRating = (name) => this.tables.human_only.includes(name);
    return (track) => group === "human" || !outputsOf([track]).some(isRating);
  }

  requireOutputs(group, outputs) {
    const missing = outputs.find((name) => group !== "human" && this.tables.human_only.includes(name));
    if (!missing) return;
    if (group === "child") {
      const what = `${missing} has no data in patients below ${this.tables.youngest_rated.years} years`;
      throw new InputError(what, { key: "outputs", expected: "kinetics or mechanism", typeThis: "venous.ketamine" });
    }
    const expected = "an output that is measured in animals";
    const what = `${missing} exists for humans only: a ${group} has no rating`;
    throw new InputError(what, { key: "outputs", expected, typeThis: "forced_swim.immobility" });
  }

  times(scenario, until, options) {
    const starts = treatmentTimes(scenario);
    const first = Math.min(...starts, Infinity) === Infinity ? 0 : Math.min(...starts);
    const end = until === null ? scenario.horizon : Math.min(scenario.horizon, first + until);
    return { starts, first, times: outputTimes(end, starts, infusionEnds(scenario), options) };
  }
}

function chosen(names, known, kind) {
  return [...new Set(names)].map((name) => {
    if (!known.has(name)) throw new InputError(`there is no ${kind} '${name}'`, { key: `${kind}s` });
    return known.get(name);
  });
}

function unsupported(what, key, expected) {
  return new InputError(`${what} in the browser`, { key, expected: `${expected}; more with ketamech serve` });
}

const withoutValues = ({ events, cycle }) => ({ events, cycle });
const byName = (names, values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
const headOf = ({ key, group, label, unit }) => ({ key, group, label, unit });
const outputsOf = (tracks) => [...new Set(tracks.flatMap(({ curves }) => curves.flatMap(({ outputs }) => outputs)))];
const fromFirst = (times, first) => times.map((time) => Number((time - first).toFixed(5)));
