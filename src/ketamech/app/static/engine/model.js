// Patients of the compiled model: from parameter values and dose events to outputs.

import { InputError } from "./errors.js";
import { carriedOver, inOrder, periodicState } from "./steady-state.js";

const OK = "ok";
const NO_BASELINE = "no rest state";
const NO_STEADY_STATE = "no periodic steady state";
const AMOUNT = 0;
const INPUT = 1;

class SolverError extends Error {}

// `kernel`: a Kernel; `parameters`: those of scenario.json.
export class Model {
  constructor(kernel, parameters) {
    Object.assign(this, { kernel, parameters });
    this.defaults = kernel.tables.inputs.map((name) => parameters[name].value);
    this.place = new Map(kernel.tables.inputs.map((name, i) => [name, i]));
  }

  // Outputs of patients { values, events, cycle } at `times` (h), from their drug-free steady states, or from the
  // periodic steady state of `cycle.events`, repeated every `cycle.length` h (0: none; the same for all).
  // Returns for each { status, curves, baseline }: curves [output] over time, drug-free values [output].
  solve(patients, times, outputs, tolerance) {
    for (const name of outputs) {
      if (!(name in this.kernel.tables.outputs)) {
        throw new InputError(`there is no output '${name}'`, { key: "outputs" });
      }
    }
    const kernel = this.kernel.within(outputs);
    const rest = kernel.settle(this.inputs(patients), patients.length);
    const length = patients[0].cycle?.length ?? 0;
    const cycles = length ? patients.map(({ cycle }) => this.rows(cycle.events)) : [];
    const start = length ? periodicState(kernel, rest, cycles, length, tolerance) : rest;
    const events = patients.map((patient, i) => {
      return length
        ? inOrder([...carriedOver(cycles[i], length, kernel.tables.periodic.same_time), ...this.rows(patient.events)])
        : this.rows(patient.events);
    });
    const { inputs } = rest;
    const found = kernel.follow({ inputs, state: start.state, events, times, outputs, tolerance });
    const none = { events: patients.map(() => []), times: [0] };
    const isEarly = events.some((own) => own.some(({ time }) => time < 0));
    const follow = length || isEarly;
    const baseline = follow ? kernel.follow({ inputs, state: rest.state, ...none, outputs, tolerance }).values : null;
    const failure = (i) => (!rest.settled[i] ? NO_BASELINE : start.isSteady?.[i] === false ? NO_STEADY_STATE : null);
    return patients.map((_, i) => {
      const curve = (k) => times.map((_, t) => found.values[(i * times.length + t) * outputs.length + k]);
      const curves = outputs.map((_, k) => (failure(i) ? times.map(() => NaN) : curve(k)));
      const own = curves.map((y, k) => (baseline ? baseline[i * outputs.length + k] : y[0]));
      return { status: failure(i) ?? found.status[i], curves, baseline: own };
    });
  }

  // The same, for patients that must all be solved. Throws SolverError.
  solveAll(patients, times, outputs, tolerance) {
    const found = this.solve(patients, times, outputs, tolerance);
    const failed = found.find(({ status }) => status !== OK);
    if (failed) throw new SolverError(`the scenario could not be solved: ${failed.status}`);
    return found;
  }

  // Inputs of the kernel [patient, input]; baseline values are not set yet.
  inputs(patients) {
    const width = this.kernel.inputCount;
    const found = new Float64Array(patients.length * width);
    patients.forEach(({ values }, i) => {
      found.set(this.defaults, i * width);
      for (const [name, value] of values) {
        if (this.place.has(name)) found[i * width + this.place.get(name)] = value;
      }
    });
    return found;
  }

  // Dose events as events of the kernel, in order of time: an infusion starts and ends a constant input.
  rows(events) {
    const { compartments } = this.kernel.tables;
    const rows = events.flatMap(({ time, compartment, amount, duration }) => {
      const state = compartments[compartment];
      if (state === undefined) throw new InputError(`there is no state '${compartment}' for doses`);
      if (!(duration > 0)) return [{ time, kind: AMOUNT, state, size: amount }];
      const rate = amount / duration;
      return [
        { time, kind: INPUT, state, size: rate },
        { time: time + duration, kind: INPUT, state, size: -rate },
      ];
    });
    return inOrder(rows.filter(({ size }) => size !== 0));
  }
}
