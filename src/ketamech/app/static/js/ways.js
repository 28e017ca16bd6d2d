// By how many points the score has fallen, divided among expectancy and the ways by which the drug acts (Shapley values of
// all combinations of ways). Whatever states the size of a way reads it here.

import { shapley } from "../engine/shapley.js";
import { at, TIMES } from "./mood-runs.js";

export const NOTHING = "At this dose the drug adds hardly anything to expectancy.";
export const LEAST = 0.5; // points; a smaller effect of the drug is not divided

export class Ways {
  // `rows`: data/story/ways.csv; the one without pathways is what the drug does with every pathway off.
  constructor(rows, { state, runs }) {
    Object.assign(this, { rows, state, runs, found: null, listeners: [] });
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  // Solves every combination of the ways. Ends early where a newer treatment waits.
  async simulate(isNewerWaiting) {
    if (this.state.species) return this.set(null);
    const groups = this.rows.filter(({ pathways }) => pathways);
    const drug = [];
    let expected;
    for (let coalition = 0; coalition < 2 ** groups.length; coalition++) {
      const missing = groups.filter((_, i) => !((coalition >> i) & 1)).flatMap(({ pathways }) => pathways.split(";"));
      const run = await this.runs.of({ pathwaysOff: new Set([...this.state.pathwaysOff, ...missing]) });
      drug.push(Array.from(run.drug));
      expected = run.score.map((score, t) => run.score[0] - score - run.drug[t]);
      if (isNewerWaiting()) return;
    }
    const shares = TIMES.map((_, t) => shapley(drug.map((curve) => curve[t]), groups.length));
    const values = this.rows.map((row) => {
      const i = groups.indexOf(row);
      return i < 0 ? drug[0] : shares.map((ones) => ones[i]);
    });
    this.set({ drug: drug.at(-1), expected: Array.from(expected), values });
  }

  set(found) {
    this.found = found;
    for (const listener of this.listeners) listener();
  }

  get isSmall() {
    return Math.max(...this.found.drug) < LEAST;
  }

  // Points at a time, in tenths that add up: { fall, expected, drug, ways: one for each row }.
  pointsAt(hours) {
    const { drug, expected, values } = this.found;
    const [whole, ...ways] = tenths(at(drug, hours), values.map((curve) => at(curve, hours)));
    const control = Math.round(10 * at(expected, hours));
    return { fall: (control + whole) / 10, expected: control / 10, drug: whole / 10, ways: ways.map((value) => value / 10) };
  }

  indexOf(id) {
    return this.rows.findIndex((row) => row.id === id);
  }

  // Points of one way at a time, 0 before they are computed.
  pointsOf(id, hours) {
    return this.found ? this.pointsAt(hours).ways[this.indexOf(id)] : 0;
  }

  // E.g. "In this model 4.0 of the 7.6 points that the drug adds at this time come from the habenula (a tiny spot deep in the brain)."
  shareSentence(id, hours) {
    if (!this.found || this.isSmall) return "";
    const i = this.indexOf(id);
    const { by, means } = this.rows[i];
    const { drug, ways } = this.pointsAt(hours);
    return `In this model ${points(ways[i])} of the ${points(drug)} points that the drug adds at this time come from ${by} (${means}).`;
  }
}

export const points = (value) => value.toFixed(1).replace(/^-(?=0\.0)/, "").replace("-", "−");

// The sum and its parts in whole tenths; the parts rounded so that they add up to the sum.
export function tenths(sum, parts) {
  const whole = Math.round(10 * sum);
  const rounded = parts.map((value) => Math.floor(10 * value));
  const byRest = parts.map((value, i) => [10 * value - rounded[i], i]).sort((a, b) => b[0] - a[0]);
  const missing = whole - rounded.reduce((total, value) => total + value, 0);
  for (const [, i] of byRest.slice(0, Math.max(0, missing))) rounded[i] += 1;
  return [whole, ...rounded];
}
