// Contributions of the pathways to endpoints at the values of the tables, with the rules of attribution.py: Shapley values,
// loss when a pathway is off, effect of one pathway alone. Coalition c contains pathway i when bit i of c is set.

import { InputError } from "./errors.js";
import { dailyTimes, peakTimes, unique } from "./output-times.js";
import { shapley } from "./shapley.js";

const MOOD = "mood.madrs";
const PREFIX = "pathway.";
const SMALLEST = 1e-4; // a smaller effect of the drug is not divided into shares
const DIGITS = 5;
const BATCH = 64; // patients solved together, fewer where they have many values
const BATCH_VALUES = 4e6;

// `answers`: an Answers; `endpoints`: [{ text, output, statistic, hour, unit }]. The response of the server for no draws of parameters; the sentences are those of the server only.
export function attribution(answers, scenario, endpoints) {
  const pathways = pathwaysOn(answers, scenario);
  const read = endpoints.filter(({ hour }) => hour <= scenario.horizon);
  if (!read.length) {
    const expected = "at least 4 h";
    throw new InputError("every endpoint is later than the horizon", { key: "horizon", expected });
  }
  const [starts, options] = [startsOf(scenario), answers.tables.times];
  const shown = dailyTimes(scenario.horizon, starts, options);
  const hours = unique([...peakTimes(scenario.horizon, starts, options), ...shown, ...read.map(({ hour }) => hour)]);
  const courses = new Courses(answers, scenario, pathways, { read, shown, hours });
  const coalitions = courses.solve();
  const [alone, rest] = coalitions.splice(-2);
  return {
    table: read.flatMap((one, j) => rowsOf(one, pathways, coalitions.map((own) => own.worth[j]), alone.worth[j])),
    components: ["expectancy", "no pathway", ...pathways.map(shortName)],
    times: shown,
    contributions: contributions(coalitions.map(({ mood }) => mood), alone.mood, rest.mood),
    sentences: [],
    failed: 0,
    skipped: endpoints.filter((one) => !read.includes(one)).map(({ text }) => text),
  };
}

const shortName = (name) => name.replace(PREFIX, "");
const rounded = (value) => (Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : null);

function pathwaysOn({ tables, reader }, scenario) {
  const names = Object.keys(tables.parameters).filter((name) => name.startsWith(PREFIX));
  const found = names.filter((name) => reader.valueOf(scenario, name) > 0);
  if (found.length) return found;
  throw new InputError("every pathway is off", { key: "pathways", expected: "at least one pathway that is on" });
}

const startsOf = ({ treatments, horizon }) => unique(treatments.flatMap((treatment) => treatment.starts(horizon)));

// What is read of each coalition, of expectancy without the drug, and of rest: { worth [endpoint], mood [shown hour] }.
class Courses {
  constructor(answers, scenario, pathways, { read, shown, hours }) {
    Object.assign(this, { answers, scenario, pathways, read, hours });
    this.outputs = [...new Set([MOOD, ...read.map(({ output }) => output)])];
    this.shownPlaces = shown.map((hour) => hours.indexOf(hour));
  }

  solve() {
    const { answers, scenario, pathways } = this;
    const treated = answers.reader.patient(scenario);
    const patients = Array.from({ length: 2 ** pathways.length }, (_, coalition) => {
      const off = pathways.filter((_, i) => !((coalition >> i) & 1));
      return { ...treated, values: new Map([...treated.values, ...off.map((name) => [name, 0])]) };
    });
    patients.push(answers.reader.patient(scenario, { isControl: true }));
    const found = [];
    const { tolerance } = answers.tables.curves;
    const size = Math.max(2, Math.min(BATCH, Math.floor(BATCH_VALUES / (this.hours.length * this.outputs.length))));
    let last;
    for (let first = 0; first < patients.length; first += size) {
      last = answers.model.solveAll(patients.slice(first, first + size), this.hours, this.outputs, tolerance);
      found.push(...last.map(({ curves }) => this.reading(curves)));
    }
    const resting = last.at(-1).baseline.map((value) => this.hours.map(() => value));
    return [...found, this.reading(resting)];
  }

  reading(curves) {
    const [mood] = curves;
    const worth = this.read.map(({ output, statistic, hour }) => {
      const curve = curves[this.outputs.indexOf(output)];
      if (statistic === "at") return curve[this.hours.indexOf(hour)];
      return curve.reduce((a, b) => (statistic === "peak" ? Math.max(a, b) : Math.min(a, b)));
    });
    return { worth, mood: this.shownPlaces.map((place) => mood[place]) };
  }
}

function rowsOf({ text, output, unit }, pathways, worth, expectancy) {
  const values = shapley(worth, pathways.length);
  const whole = worth.at(-1);
  const drug = whole - expectancy;
  return pathways.map((name, i) => ({
    endpoint: text,
    output,
    unit,
    pathway: shortName(name),
    share: Math.abs(drug) > SMALLEST ? rounded(values[i] / drug) : null,
    shapley: rounded(values[i]),
    shapley_low: null,
    shapley_high: null,
    loss_when_off: rounded(whole - worth[(worth.length - 1) ^ (1 << i)]),
    single_effect: rounded(worth[1 << i] - worth[0]),
  }));
}

// MADRS points of expectancy, no pathway and each pathway over time; they sum to the whole change.
function contributions(moods, alone, rest) {
  const count = Math.log2(moods.length);
  const perHour = rest.map((_, t) => shapley(moods.map((mood) => mood[t]), count));
  return [
    alone.map((value, t) => rounded(value - rest[t])),
    alone.map((value, t) => rounded(moods[0][t] - value)),
    ...Array.from({ length: count }, (_, i) => perHour.map((values) => rounded(values[i]))),
  ];
}
