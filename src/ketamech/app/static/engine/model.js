// Patients of the compiled model: from parameter values and dose events to outputs.

import { InputError } from "./errors.js";

const AMOUNT = 0;
const INPUT = 1;

export class SolverError extends Error {}

// `kernel`: a Kernel; `parameters`: those of scenario.json.
export class Model {
  constructor(kernel, parameters) {
    Object.assign(this, { kernel, parameters });
    this.defaults = kernel.tables.inputs.map((name) => parameters[name].value);
    this.place = new Map(kernel.tables.inputs.map((name, i) => [name, i]));
  }

  // Outputs of patients { values, events } at `times` (h), from their drug-free steady states.
  // Returns { values, status }: values [patient][output] are arrays over time.
  solve(patients, times, outputs, tolerance) {
    const { kernel } = this;
    for (const name of outputs) {
      if (!(name in kernel.tables.outputs)) throw new InputError(`there is no output '${name}'`, { key: "outputs" });
    }
    const count = patients.length;
    const { state, inputs, settled } = kernel.settle(this.inputs(patients), count);
    const events = patients.map((patient) => this.rows(patient.events));
    const found = kernel.follow({ inputs, state, events, times, outputs, tolerance });
    const status = found.status.map((one, i) => (settled[i] ? one : "no rest state"));
    const curve = (i, k) =>
      Float64Array.from(times, (_, t) => found.values[(i * times.length + t) * outputs.length + k]);
    const values = patients.map((_, i) => outputs.map((_, k) => (settled[i] ? curve(i, k) : times.map(() => NaN))));
    return { values, status };
  }

  // The same, for patients that must all be solved. Throws SolverError.
  solveAll(patients, times, outputs, tolerance) {
    const { values, status } = this.solve(patients, times, outputs, tolerance);
    const failed = status.find((one) => one !== "ok");
    if (failed) throw new SolverError(`the scenario could not be solved: ${failed}`);
    return values;
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
    return rows.filter(({ size }) => size !== 0).sort((a, b) => a.time - b.time);
  }
}
