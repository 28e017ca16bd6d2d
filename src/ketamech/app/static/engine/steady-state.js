// The periodic steady state of repeated doses, as in periodic_steady_state.py: the cycle is repeated until its initial
// state no longer changes. Rows are events of the kernel { time, kind, state, size }.

import { general, InputError } from "./errors.js";
import { Phase, Treatment } from "./treatment.js";

const INPUT = 1; // kind of an event that changes a constant input

// { treatments, length } of the cycle before the start (h; 0: no treatment starts at steady state). `gap` (h): least
// length of a cycle, since at most one visit in that time carries expectancy.
export function steadyStateCycle(treatments, gap) {
  const steady = treatments.filter(({ atSteadyState }) => atSteadyState);
  const periods = [...new Set(steady.map(({ schedule }) => schedule[0].period))];
  if (!periods.length) return { treatments: [], length: 0 };
  if (periods.length > 1) {
    const what = "some treatments start at steady state in one frequency and others in another frequency";
    throw new InputError(what, { key: "schedule", expected: "one frequency for all that start at steady state" });
  }
  const length = Math.max(1, Math.ceil(gap / periods[0] - 1e-9)) * periods[0];
  return { treatments: steady.map((one) => repeatedTreatment(one, periods[0], length)), length };
}

// The first frequency, every dose taken, for `length` h.
function repeatedTreatment({ tables, ...given }, period, length) {
  const { interval, timesAWeek } = given.schedule[0];
  const last = given.schedule[0].starts(given.start, given.start + period, tables.limits.doses).at(-1);
  if (last > period - 1e-9) {
    const place = `a first dose at ${general(given.start)} h, or the last of a period`;
    const expected = "a start within the first round of a steady frequency";
    throw new InputError(`${place}, comes after ${general(period)} h`, { key: "schedule", expected });
  }
  const schedule = [new Phase(interval, timesAWeek, length)];
  return new Treatment({ ...given, schedule, atSteadyState: false, skippedDoses: [], missProbability: 0 }, tables);
}

const isLate = (length, sameTime) => (row) => row.time >= length * (1 - sameTime);
export const inOrder = (rows) => rows.sort((a, b) => a.time - b.time);

// Rows after time 0 of the doses of all cycles before it: infusions in progress, amounts still to enter. `sameTime`:
// fraction of a cycle within which two times are the same.
export function carriedOver(cycle, length, sameTime) {
  const late = cycle.filter(isLate(length, sameTime));
  if (!late.length) return [];
  const found = [];
  const cycles = Math.trunc(Math.max(...late.map(({ time }) => time / length)) + sameTime);
  for (let back = 1; back <= cycles; back++) {
    const moved = cycle.map((row) => {
      const time = row.time - back * length;
      return { ...row, time: Math.abs(time) < sameTime * length ? 0 : time };
    });
    found.push(...running(moved.filter(({ time, kind }) => time < 0 && kind === INPUT), sameTime));
    found.push(...moved.filter(({ time }) => time >= 0));
  }
  return inOrder(found);
}

// Constant inputs that remain after past changes, as changes at time 0; smaller rates are rounding errors.
function running(past, sameTime) {
  const states = [...new Set(past.map(({ state }) => state))];
  return states.flatMap((state) => {
    const sizes = past.filter((row) => row.state === state).map(({ size }) => size);
    const rate = sizes.reduce((total, size) => total + size, 0);
    const most = sizes.reduce((total, size) => total + Math.abs(size), 0);
    return Math.abs(rate) > sameTime * most ? [{ time: 0, kind: INPUT, state, size: rate }] : [];
  });
}

// Rows during one cycle that has been repeated forever: its own and those carried over from earlier cycles.
function repeatedRows(cycle, length, sameTime) {
  const isWithin = (row) => !isLate(length, sameTime)(row);
  return inOrder([...carriedOver(cycle, length, sameTime), ...cycle].filter(isWithin));
}

// State [patient, state] at the start of a cycle of `length` h, from `state` and `inputs`; `cycles` [patient] are the
// rows of one cycle. Returns { state, isSteady [patient] }.
export function periodicState(kernel, { state, inputs }, cycles, length, tolerance) {
  const [n, width, limits] = [kernel.stateCount, kernel.inputCount, kernel.tables.periodic];
  const found = state.slice();
  const within = cycles.map((rows) => repeatedRows(rows, length, limits.same_time));
  const patients = cycles.map((_, i) => ({ i, last: Infinity, isSteady: false, isLost: false }));
  const part = (values, size, chosen) =>
    chosen.flatMap(({ i }) => Array.from(values.subarray(i * size, (i + 1) * size)));
  for (let round = 0; round < limits.cycles; round++) {
    const moving = patients.filter(({ isSteady, isLost }) => !isSteady && !isLost);
    if (!moving.length) break;
    const before = part(found, n, moving);
    const after = kernel.follow({
      inputs: part(inputs, width, moving),
      state: before,
      events: moving.map(({ i }) => within[i]),
      times: [0, length],
      outputs: [],
      tolerance: tolerance / limits.tolerance_divisor,
    });
    moving.forEach((patient, k) => {
      const own = after.state.subarray(k * n, (k + 1) * n);
      const change = largestChange(before.slice(k * n, (k + 1) * n), own, kernel.tables);
      found.set(own, patient.i * n);
      patient.isLost = after.status[k] !== "ok";
      patient.isSteady = !patient.isLost && isPeriodic(change, patient.last, tolerance, limits);
      patient.last = change;
    });
  }
  return { state: found, isSteady: patients.map(({ isSteady }) => isSteady) };
}

// States that only accumulate (eliminated amounts) are left out.
function largestChange(before, after, { scales, sinks }) {
  const changes = before.map((old, s) => (sinks[s] ? 0 : Math.abs(after[s] - old) / (scales[s] + Math.abs(old))));
  return Math.max(...changes);
}

// Whether the last change is small, and so is the sum of all later changes if they shrink at the present rate.
function isPeriodic(change, before, tolerance, limits) {
  const rate = Math.min(change / before, 1);
  const left = (change * rate) / Math.max(1 - rate, tolerance);
  const isSmall = left < limits.remaining_change || change < tolerance / limits.tolerance_divisor;
  return change < limits.relative_tolerance && isSmall;
}
