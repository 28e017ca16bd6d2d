// Published values for the curves of a scenario, from the table published.json, as in published_points.py: same drug,
// dose, route and times, same kind of person.

import { withoutExpectancy } from "./dose-events.js";

const DIGITS = 5;
const AT_REST = 1e-9; // canonical unit: a change from a level below it is the value itself
const FROM_REST = ["change", "fall", "rise"]; // measures that count from the level before the dose

export class PublishedValues {
  // `table`: published.json; `parameters`: those of scenario.json.
  constructor(table, parameters) {
    Object.assign(this, { table, parameters });
  }

  // Outputs that a comparison with these values needs.
  get outputs() {
    return [...new Set(this.table.values.flatMap(({ output }) => partsOf(output)))];
  }

  // Values of a scenario with `curves` { time, treated, control, baseline }: outputs { name: array }, and the drug-free
  // values { name: number }.
  of(scenario, events, curves, factorOf) {
    const end = curves.time.at(-1);
    const mine = inOrder(events);
    const first = Math.min(...mine.map(({ time }) => time).filter((time) => time >= 0), Infinity);
    const start = first === Infinity ? 0 : first;
    const shared = new Map();
    const found = new Map();
    for (const value of this.table.values) {
      const { protocol: name, evidence, output } = value;
      const protocol = this.table.protocols[name];
      if (!shared.has(name)) shared.set(name, this.hoursInCommon(protocol, scenario.values, mine));
      const until = Math.min(shared.get(name), end);
      const key = `${evidence} ${output}`;
      const point = until > 0 && !found.has(key) ? pointOf(value, curves, until, start) : null;
      if (point) found.set(key, scaled(value, point, factorOf(value), curves));
    }
    return [...found.values()];
  }

  // Last hour at which scenario and protocol agree: the next dose that the protocol lacks; 0 if they never agree.
  hoursInCommon({ events, values }, own, mine) {
    if (!this.isSamePerson(values, own)) return 0;
    if (!events.length || events.length > mine.length || !events.every((row, i) => isClose(row, mine[i]))) return 0;
    return mine[events.length]?.time ?? Infinity;
  }

  // Same pathways, perturbations and ancestry, about the same age; other covariates may differ.
  isSamePerson(theirs, own) {
    const { same_person: same, age_difference: years } = this.table;
    const usual = (name) => this.parameters[name].value;
    return [...new Set([...Object.keys(theirs), ...own.keys()])].every((name) => {
      const [a, b] = [theirs[name] ?? usual(name), own.get(name) ?? usual(name)];
      if (same.some((prefix) => name.startsWith(prefix)) || !name.startsWith("person."))
        return nearly(a, b, 1e-6, 1e-12);
      return name !== "person.age" || Math.abs(a - b) <= years;
    });
  }
}

const partsOf = (sum) => sum.split("+").map((part) => part.trim());
const nearly = (a, b, relative, absolute = 0) => {
  return Math.abs(a - b) <= Math.max(relative * Math.max(Math.abs(a), Math.abs(b)), absolute);
};

// Dose events without expectancy, in order of time.
function inOrder(events) {
  const place = ({ time }) => Number(time.toFixed(4));
  const byName = (a, b) => (a.compartment < b.compartment ? -1 : a.compartment > b.compartment ? 1 : 0);
  return withoutExpectancy(events).sort((a, b) => place(a) - place(b) || byName(a, b));
}

// The same state at the same time; amounts may differ by a tenth (body weight).
function isClose([time, compartment, amount, duration], mine) {
  const isTimely = Math.abs(time - mine.time) < 0.02 && Math.abs(duration - mine.duration) < 0.02;
  return compartment === mine.compartment && isTimely && nearly(amount, mine.amount, 0.1);
}

const sumOf = (curves, output) => {
  const arrays = partsOf(output).map((name) => curves[name]);
  return Array.from(arrays[0], (_, t) => arrays.reduce((total, array) => total + array[t], 0));
};

// { start, end, value, low, high } on the scale of the curve; null where the scenario does not reach the time.
function pointOf(value, curves, until, first) {
  const when = measuredTimes(value, curves, until);
  if (!when) return null;
  const [start, end] = when.map((time) => time - first);
  const numbers = ["value", "low", "high"].map((name) => plotted(value[name] ?? NaN, value, curves, when[0]));
  if (numbers[0] === null) return null;
  const [middle, a, b] = numbers;
  const isAtZero = value.model_part !== "control" && Math.abs(restOf(value, curves)) < AT_REST;
  return { start, end, value: middle, low: b < a ? b : a, high: b > a ? b : a, isAtZero };
}

function measuredTimes({ times, statistic, output }, { time, treated }, until) {
  const bounds = times.length ? [times[0], times.at(-1)] : [0, until];
  if (bounds[1] > until + 1e-6 && statistic !== "max") return null;
  if (statistic !== "max" && statistic !== "min") return bounds;
  const sign = statistic === "max" ? 1 : -1;
  const y = sumOf(treated, output);
  let best = -1;
  time.forEach((at, i) => {
    const isInside = at >= bounds[0] && at <= Math.min(bounds[1], until);
    if (isInside && (best < 0 || sign * y[i] > sign * y[best])) best = i;
  });
  return best < 0 ? null : [time[best], time[best]];
}

// The published value on the scale of the curve: the inverse of the measure.
function plotted(published, value, curves, at) {
  const { output, factor, contrast, relative_to: kind } = value;
  const { time, control } = curves;
  const given = published / factor;
  const rest = restOf(value, curves);
  let base = 0;
  if (contrast) {
    if (!control) return null;
    base = interpolated(time, sumOf(control, output), at) - (FROM_REST.includes(kind) ? rest : 0);
  }
  const ways = {
    value: given,
    of_rest: given * rest,
    change: rest + given,
    fall: rest - given,
    rise: rest * (1 + given),
  };
  return ways[kind] + base;
}

const restOf = ({ output }, { baseline }) => partsOf(output).reduce((total, name) => total + baseline[name], 0);

function interpolated(time, y, at) {
  const next = time.findIndex((one) => one >= at);
  if (next < 0) return y.at(-1);
  if (next === 0 || time[next] === at) return y[next];
  const share = (at - time[next - 1]) / (time[next] - time[next - 1]);
  return y[next - 1] + share * (y[next] - y[next - 1]);
}

// The point in the unit of its track; `relative`: the track is relative to the drug-free value.
function scaled(
  { evidence, track, curve, shape, translated, fitted, model_part: part, label, how },
  point,
  { factor, relative, outputs },
  { treated },
) {
  const scale = relative ? 1 / outputs.reduce((total, name) => total + treated[name][0], 0) : factor;
  const number = (value) => (Number.isFinite(value) ? Number((value * scale).toPrecision(DIGITS)) : null);
  const [start, end] = [point.start, point.end].map((time) => Number(time.toFixed(DIGITS)));
  const numbers = { value: number(point.value), low: number(point.low), high: number(point.high) };
  const isPartlyModel = Boolean(part) && !point.isAtZero && !(part === "ratio" && relative);
  return { evidence, track, curve, shape, start, end, ...numbers, translated, partly_model: isPartlyModel, fitted, label, how };
}
