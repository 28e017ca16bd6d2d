// The parser of regimens and times: the LALR(1) tables of grammar.lark (dosing.json), and the values of a parse tree as
// in parse.py. Times in hours.

import { general, InputError, quoted } from "./errors.js";
import { tooLongError, unexpectedWordError } from "./parse-errors.js";
import { DAY, HOUR, MONTH, WEEK } from "./units.js";
import { tokenize } from "./words.js";

const PER_UNIT = new Map([
  [HOUR, "an hour"],
  [DAY, "a day"],
  [WEEK, "a week"],
  [MONTH, "a month"],
]);
const PLURAL = new Map([
  [DAY, "days"],
  [WEEK, "weeks"],
  [MONTH, "months"],
]);

// The values of `text` for the start rule `start` of the grammar. Throws InputError with the word and its position.
export function parse(start, text, lexicon, tables) {
  const length = [...text].length;
  if (length > tables.limits.text) throw tooLongError(start, length, tables);
  const words = tokenize(text, lexicon, tables);
  const { tree, unexpected } = parseTree(start, words, tables.grammar);
  if (!tree) throw unexpectedWordError(start, text, words, unexpected, lexicon, tables);
  return new TreeReader(text, tables.limits).value(tree);
}

// { tree }, or { unexpected }: the start of the word that is out of place, null for the end of the text.
function parseTree(start, words, { states, starts, ends, rules }) {
  const path = [starts[start]];
  const nodes = [];
  for (const word of [...words, { kind: "$END", start: null }]) {
    for (;;) {
      const action = states[path.at(-1)][word.kind];
      if (action === undefined) return { unexpected: word.start };
      if (action >= 0) {
        path.push(action);
        nodes.push(word);
        break;
      }
      const [name, length, label] = rules[-action - 1];
      const children = length ? nodes.splice(-length) : [];
      if (length) path.length -= length;
      nodes.push(node(name, label, children));
      path.push(states[path.at(-1)][name]);
      if (word.kind === "$END" && path.at(-1) === ends[start]) return { tree: nodes[0] };
    }
  }
  return { unexpected: null };
}

// Rules whose names begin with "_" are replaced by their children.
function node(name, label, children) {
  const placed = children.filter((child) => child.end !== null);
  return {
    rule: label,
    isInline: name.startsWith("_"),
    children: children.flatMap((child) => (child.isInline ? child.children : [child])),
    start: placed[0]?.start ?? null,
    end: placed.at(-1)?.end ?? null,
  };
}

export const span = (hours, unit, compound = false) => ({ type: "Span", hours, unit, compound });
const frequency = (every, timesAWeek) => ({ type: "Frequency", every, timesAWeek });
const isToken = (child) => child?.type === undefined && child?.kind !== undefined;
const valueOf = (child) => (isToken(child) ? child.value : child);
const last = (children) => valueOf(children.at(-1));
const ofType = (type, children) => children.filter((child) => child?.type === type);
const numbersOf = (children) => children.filter((child) => typeof child === "number");
const share = (percent) => Number((percent / 100).toPrecision(15));

// Rules that become an item of a treatment or a perturbation, with the value of each.
const ITEMS = {
  name: last,
  amount: last,
  route: last,
  salt: last,
  nothing: () => null,
  over: last,
  lasting: last,
  length: last,
  count: (children) => numbersOf(children)[0],
  once: () => null,
  start: last,
  starts: (children) => numbersOf(children).map((number) => number * children.at(-1).value),
  days: (children) => ({ type: "Days", unit: children.at(-2).value, numbers: children.at(-1) }),
  steady: () => null,
  lag: last,
  missing: (children) => share(children[1]),
  missed: last,
  before: (children) => children[0],
  after: (children) => children[0],
  held: () => null,
  repeated: last,
  choice: (children) => ({ type: "Choice", usual: children[0], reduced: children[2], criterion: last(children) }),
};

// Rules whose values are parts of others.
const VALUES = {
  number: ([number]) => number.value,
  negative: ([, number]) => -number.value,
  titrated_amount: () => ({ type: "Titrated" }),
  element: ([first]) => (Array.isArray(first) ? first : [first]),
  numbers: (children) => children.filter(Array.isArray).flat(),
  by: (children) => children.at(-1),
  quantity: ([first, unit]) => (first.type === "Span" ? first : span(first * unit.value, unit.value)),
  compound: ([hours, long, minutes, short]) => {
    return span(hours * long.value + minutes.value * short.value, long.value, true);
  },
  half: (children) => span(last(children) / 2, last(children)),
  one: (children) => span(last(children), last(children)),
  span: last,
  ly: ([unit]) => timesIn(1, unit.value),
  every_other: (children) => frequency(2 * last(children), null),
  every_nth: (children) => frequency(valueOf(children[1]) * last(children), null),
  hyphen_ly: (children) => frequency(children[0] * last(children), null),
  segment: (children) => children.filter((item) => item.kind !== "nothing"),
  sentence: (children) => ofType("Part", children),
  duration: (children) =>
    span(
      children.reduce((total, one) => total + one.hours, 0),
      children.at(-1).unit,
    ),
  label: ([unit, number]) => ({ type: "Days", unit: unit.value, numbers: [number] }),
  condition: () => null,
  reached: () => null,
  not_reached: () => null,
  compared: () => null,
  falls: () => null,
};

// A number of doses in a unit of time; doses of a week have their own pattern of days.
const timesIn = (times, size) => (size === WEEK ? frequency(null, Math.trunc(times)) : frequency(size / times, null));

class TreeReader {
  constructor(text, limits) {
    Object.assign(this, { text, limits });
  }

  value(tree) {
    if (isToken(tree)) return tree;
    const children = tree.children.map((child) => this.value(child));
    const { rule, start, end } = tree;
    if (Object.hasOwn(ITEMS, rule)) return { type: "Item", kind: rule, value: ITEMS[rule](children), start, end };
    return Object.hasOwn(VALUES, rule) ? VALUES[rule](children) : this[rule](children, tree);
  }

  refuse({ start, end }, why, key, expected, typeThis = null) {
    throw new InputError(`${quoted(this.text, start, end)} ${why}`, { key, expected, typeThis });
  }

  range(_, place) {
    this.refuse(place, "is a range", "dose", "one number");
  }

  range_of_time(_, place) {
    this.refuse(place, "is a range", "schedule", "one number");
  }

  from_to(children, place) {
    const [first, final] = numbersOf(children);
    const isWhole = Number.isInteger(first) && Number.isInteger(final);
    if (!isWhole || first > final || final > first + this.limits.numbers) {
      this.refuse(place, "is no range of whole numbers", "schedule", "such as 2 to 5");
    }
    return Array.from({ length: final - first + 1 }, (_, i) => first + i);
  }

  // A mass, optionally per kg or m2 and per time; a rate per minute is converted to a rate per hour.
  amount_of([number, mass, ...by], place) {
    const times = by.filter(({ kind }) => kind === "UNIT").map(({ value }) => value);
    const bodies = by.filter(({ kind }) => kind === "KG").map(({ value }) => `/${value}`);
    if (times.length > 1 || bodies.length > 1 || times.some((size) => size > HOUR)) {
      const expected = "a mass, perhaps per kg or m2 and per h or min; the frequency in words";
      this.refuse(place, "is no dose", "dose", expected, "50 mg daily");
    }
    const rate = times.length ? HOUR / times[0] : 1;
    const unit = mass.value + bodies.join("") + "/h".repeat(times.length);
    return { type: "Amount", number: number * rate, unit };
  }

  every(children, place) {
    const what = children.at(-1);
    if (isToken(what)) return frequency(what.value, null);
    if (what.compound) {
      const expected = `'every ${general(what.hours)} h', or 'over' how long`;
      this.refuse(place, "can be read in two ways", "schedule", expected);
    }
    return frequency(what.hours, null);
  }

  // Doses a time apart, such as one week.
  apart(children, place) {
    return this.every([children.at(-2)], place);
  }

  // "8 hourly" is every 8 hours; "4 weekly" is 4 times a week to some and every 4 weeks to others.
  number_ly([number, unit], place) {
    if (unit.value !== HOUR) {
      const times = `${general(number)} times ${PER_UNIT.get(unit.value) ?? "a year"}`;
      const expected = `'${times}' or 'every ${general(number)} ${PLURAL.get(unit.value) ?? "years"}'`;
      this.refuse(place, "can be read in two ways", "schedule", expected);
    }
    return frequency(number * unit.value, null);
  }

  days_per_week([number, days, ...others], place) {
    const weeks = others.at(-1);
    if (days.value !== DAY || weeks.value !== WEEK) {
      this.refuse(place, "is not a dosing frequency", "schedule", "such as 5 days a week");
    }
    return this.times([number, weeks], place);
  }

  times(children, place) {
    const once = isToken(children[0]) && children[0].kind === "ONCE";
    const number = once ? 1 : valueOf(children[0]);
    const size = last(children);
    const most = this.limits.a_week;
    if (!Number.isInteger(number) || number < 1 || (size === WEEK && number > most)) {
      const least = size === WEEK ? `1 to ${most} times a week` : "at least once";
      this.refuse(place, "is not a dosing frequency", "schedule", `${least}, a whole number`, "3 times a week");
    }
    return timesIn(number, size);
  }

  // A frequency, the one item whose rule has several forms.
  item([value], { start, end }) {
    return { type: "Item", kind: "frequency", value, start, end };
  }

  part(children, { start, end }) {
    const segments = children.filter(Array.isArray);
    return { type: "Part", segments, perturbations: ofType("Phrase", children), isReinduction: false, start, end };
  }

  again_on_relapse(_, { start, end }) {
    return { type: "Part", segments: [], perturbations: [], isReinduction: true, start, end };
  }

  again_when(_, place) {
    return this.again_on_relapse(_, place);
  }

  phrase(items, { start, end }) {
    return { type: "Phrase", items, start: start ?? 0, end: end ?? 0 };
  }
}
