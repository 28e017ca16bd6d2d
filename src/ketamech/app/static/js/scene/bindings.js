// What the drawing shows: every row of data/scene/bindings.csv with its value, and how much of it is drawn.

import { formatNumber, interpolateAt, placeIn } from "../format.js";
import { readingLevel } from "../reading-level.js";

const AT_REST = 0.005; // a change below half a per cent is "at rest"
const AS_HEALTHY = 0.015;
const PARTS = 100;
const CONCENTRATION_DIGITS = 2;

// Without an infusion, what the model still releases of a single dose lies where the dose was put: the first of these.
const PLACES_OF_RELEASE = ["nose", "injection", "gut"];
const RELEASED = 4; // h

// From the value `v` (before the dose `v0`) of a row to the amount drawn; data/scene/README.md explains the mappings.
const limited = (amount, { limit }) => (limit ? Math.min(amount, limit) : amount);
const MAPPINGS = {
  count: (row, v) => limited(Math.max(0, row.factor * v), row),
  whole: (row, v) => limited(Math.max(0, Math.round(row.factor * v)), row),
  marks: (row, v, v0) => limited(row.base * (v / v0 - 1), row),
  filled: (row, v, v0) => limited(Math.max(0, Math.round(row.factor * (v / v0 - 1))), row),
  annulus: (row, v, v0) => limited(Math.max(0, row.factor * (v / v0 - 1)), row),
  band: (row, v, v0) => Math.max(0, row.factor * (v / v0 - 1)),
  growth: (row, v, v0) => limited(Math.max(0, row.factor * (v - v0)), row),
  opacity: (row, v) => row.factor * Math.min(1, Math.max(0, v / row.limit)),
  area: (row, v) => limited(Math.max(0, 1 + row.factor * (v - 1)), row),
  width: (row, v) => Math.max(0.5, row.base * (1 + row.factor * (v - 1))),
  bar: (row, v) => Math.min(1, Math.max(0, v / row.limit)),
  curve: (row, v) => v,
};
const amountOf = (row, v, v0) => MAPPINGS[row.mapping](row, v, v0);

// Parts of 100 by largest remainder: they always add up to 100.
export function partsOf(values) {
  const total = values.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return values.map(() => 0);
  const exact = values.map((value) => (PARTS * Math.max(0, value)) / total);
  const parts = exact.map(Math.floor);
  const missing = PARTS - parts.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact.map((value, i) => [value - parts[i], i]).sort((a, b) => b[0] - a[0]);
  for (const [, i] of byRemainder.slice(0, missing)) parts[i] += 1;
  return parts;
}

// The value of a row as text: short in the legend, in words for a screen reader.
const signed = (value, unit) => `${value > 0 ? "+" : "−"}${Math.abs(value)}${unit}`;
function change(v, v0, unit) {
  const relative = v / v0 - 1;
  return Math.abs(relative) < AT_REST ? null : signed(Math.round(100 * relative), unit);
}
const healthyChange = (v) => (Math.abs(v - 1) < AS_HEALTHY ? 0 : Math.round(100 * (v - 1)));
const side = (percent) => `${Math.abs(percent)} % ${percent > 0 ? "above" : "below"}`;

const SINGULAR = { are: "is", have: "has", were: "was" };

// In ng/mL, as laboratories report it; for experts also in the unit of the model.
function levelOf({ shown_factor: factor }, v) {
  const text = `${formatNumber(factor * v, CONCENTRATION_DIGITS)} ng/mL`;
  return readingLevel.level === "expert" ? `${text} (${formatNumber(v, CONCENTRATION_DIGITS)} µmol/L)` : text;
}

const added = (v, v0) => Math.max(0, Math.round(100 * (v - v0)));

const DISPLAYS = {
  parts: { short: (row, v) => String(v) },
  change: {
    short: (row, v, v0) => change(v, v0, " %") ?? "at rest",
    words(row, v, v0) {
      const relative = Math.round(100 * (v / v0 - 1));
      if (Math.abs(v / v0 - 1) < AT_REST) return "at rest";
      return `${Math.abs(relative)} percent ${relative > 0 ? "above" : "below"} rest`;
    },
  },
  of_100: { short: (row, v) => `${Math.round(100 * v)} of 100` },
  healthy: {
    short: (row, v) => (healthyChange(v) ? side(healthyChange(v)) : "as healthy"),
    words: (row, v) => (healthyChange(v) ? `${side(healthyChange(v))} healthy` : "as in a healthy brain"),
  },
  fold: { short: (row, v) => `${formatNumber(v)} × healthy` },
  points: { short: (row, v) => `${Math.round(v)} of ${row.limit}` },
  percent: { short: (row, v) => `${Math.round(100 * v)} %` },
  mmhg: { short: (row, v) => (v < 0.5 ? "no rise" : `${signed(Math.round(v), " mmHg")}`) },
  level: { short: (row, v) => (v < 0.005 ? "almost none" : levelOf(row, v)) },
  spines: { short: (row, v) => `${Math.round(100 * v)} of 100`, words: (row, v) => String(Math.round(100 * v)) },
  new_spines: {
    short: (row, v, v0) => `${added(v, v0)} of 100`,
    words: (row, v, v0) => String(added(v, v0)),
  },
  madrs: { short: (row, v) => String(Math.round(v)) },
};

export class Bindings {
  // `rows`: the table of the server.
  constructor(rows) {
    this.rows = new Map(rows.map((row) => [row.id, { ...row, names: namesIn(row.outputs) }]));
    this.outputs = [...new Set([...this.rows.values()].flatMap(({ names }) => names))];
    this.shares = [...this.rows.values()].filter(({ mapping }) => mapping === "share").map(({ id }) => id);
    this.shareIds = new Set(this.shares);
  }

  get isEmpty() {
    return !this.curves;
  }

  level(name) {
    return [...this.rows.values()].filter(({ level }) => level === name);
  }

  // `times` in hours from the first dose, `values` by output in the units of the model.
  setCurves(times, values) {
    const sum = (names) => times.map((_, i) => names.reduce((total, name) => total + values[name][i], 0));
    this.times = times;
    this.curves = new Map([...this.rows.values()].map(({ id, names }) => [id, sum(names)]));
    const given = times.map((_, i) => this.shares.reduce((total, id) => total + this.curves.get(id)[i], 0));
    const all = Math.max(...given);
    const rest = given.map((value) => Math.max(0, all - value));
    this.curves.set("bag", rest);
    const site = PLACES_OF_RELEASE.find((id) => Math.max(...this.curves.get(id)) > 1e-9);
    this.isOneDose = times.every((hours, i) => hours < RELEASED || rest[i] < 0.001 * all);
    if (site && this.isOneDose) {
      this.curves.set(site, this.curves.get(site).map((value, i) => (times[i] < 0 ? value : value + rest[i])));
      this.curves.set("bag", rest.map(() => 0));
    }
    this.peaks = new Map([...this.curves].map(([id, curve]) => [id, Math.max(...curve)]));
  }

  // A frame of the clock: `value(id)`, `rest(id)` and `amount(id)` of every row.
  at(hours) {
    return new Frame(this, hours);
  }

  extreme(id, pick) {
    const curve = this.curves.get(id);
    const best = pick(...curve);
    return { value: best, hours: this.times[curve.indexOf(best)] };
  }
}

const namesIn = (outputs) => (outputs ? outputs.split("+").map((name) => name.trim()) : []);

class Frame {
  constructor(bindings, hours) {
    this.bindings = bindings;
    this.hours = hours;
    this.place = placeIn(bindings.times, hours);
  }

  // Of the curve.
  computed(id) {
    const curve = this.bindings.curves.get(id);
    return interpolateAt(this.place, curve) ?? curve.at(-1);
  }

  // Of 100, where the dose is: all of them add up to it.
  part(id) {
    this.parts ??= partsOf(this.bindings.shares.map((one) => this.computed(one)));
    return this.parts[this.bindings.shares.indexOf(id)];
  }

  value(id) {
    return this.bindings.shareIds.has(id) ? this.part(id) : this.computed(id);
  }

  rest(id) {
    return this.bindings.curves.get(id)[0];
  }

  peak(id) {
    return this.bindings.peaks.get(id);
  }

  // How much of a row is drawn.
  amount(id) {
    if (this.bindings.shareIds.has(id)) return this.part(id);
    return amountOf(this.bindings.rows.get(id), this.computed(id), this.rest(id));
  }

  // Relative to the value before the dose.
  ratio(id) {
    return this.value(id) / this.rest(id);
  }

  short(id) {
    const row = this.bindings.rows.get(id);
    return DISPLAYS[row.display].short(row, this.value(id), this.rest(id));
  }

  // Beside its value at rest where it is shown as a change, e.g. "23 percent more".
  compared(id) {
    const ratio = this.ratio(id);
    if (this.bindings.rows.get(id).display !== "change") return this.short(id);
    return `${Math.abs(Math.round(100 * (ratio - 1)))} percent ${ratio < 1 ? "fewer" : "more"}`;
  }

  before(id) {
    const row = this.bindings.rows.get(id);
    const { words, short } = DISPLAYS[row.display];
    return (words ?? short)(row, this.rest(id), this.rest(id));
  }

  // The text equivalent of a row.
  text(id) {
    const row = this.bindings.rows.get(id);
    const { words, short } = DISPLAYS[row.display];
    const text = row.text.replace("{}", (words ?? short)(row, this.value(id), this.rest(id)));
    return text.replace(/^1 parts( of 100)? (are|have|were)/, (_, of = "", verb) => `1 part${of} ${SINGULAR[verb]}`);
  }
}
