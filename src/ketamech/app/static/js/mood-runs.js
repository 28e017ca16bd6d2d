// MADRS of the typical patient in variants of the treatment of the story (pathways off, blocks); each is solved once.

import { MONTH } from "../engine/units.js";
import { simulate } from "../simulate.js";
import { interpolate } from "./format.js";
import { FIRST_HOUR, STILLS } from "./time-slider.js";

const POINTS = 170; // of a curve, evenly spaced on the logarithmic clock, beside the round times of the clock
const STORED = 80; // variants
export const BEFORE = -1; // h: before anything is given, also a block; the level at rest
const EVEN = Array.from({ length: POINTS }, (_, i) => FIRST_HOUR * (MONTH / FIRST_HOUR) ** (i / (POINTS - 1)));
export const TIMES = [BEFORE, ...new Set([...EVEN, ...STILLS])].sort((a, b) => a - b);
export const MOOD = "mood.madrs";

export const at = (curve, hours) => interpolate(TIMES, curve, hours);

export class MoodRuns {
  constructor(state) {
    Object.assign(this, { state, found: new Map() });
  }

  // { score, drug }: the score at TIMES, and by how many points the drug lowers it. `change`: see `scenarioWith`.
  async of(change = {}) {
    const sorted = Object.fromEntries(Object.entries(change).map(([name, ids]) => [name, [...ids].sort()]));
    const scenario = this.state.scenarioWith(sorted);
    const key = JSON.stringify(scenario);
    if (this.found.size > STORED) this.found.clear();
    if (!this.found.has(key)) {
      const { values, control } = await simulate({ scenario, outputs: [MOOD], times: TIMES });
      this.found.set(key, { score: values[MOOD], drug: control[MOOD].map((value, i) => value - values[MOOD][i]) });
    }
    return this.found.get(key);
  }
}
