// Perturbations from phrases such as "NBQX 10 mg/kg IP at -30 min", with the rules of perturbations.py.

import { general, InputError } from "./errors.js";
import { Phase } from "./treatment.js";
import { DAY } from "./units.js";

const SAME_KINDS = { before: "start", after: "start" };
const refuse = (what, extras = {}) => {
  throw new InputError(what, { key: "with", ...extras });
};

export function unknownPerturbationError(text, tables) {
  const name = text.trim();
  const known = Object.entries(tables.perturbations);
  const namesOf = (isChosen) => known.filter(([, one]) => isChosen(one)).map(([word]) => word);
  if (/knock|\bko\b|-\/-|delet/.test(name.toLowerCase())) {
    const expected = namesOf(({ kind }) => kind === "knock-out" || kind === "genotype").sort();
    const what = `'${name}' is a deletion of a gene that is not in the model`;
    return new InputError(what, { key: "with", expected: expected.join(", ") });
  }
  if (/block|antagonist|inhibitor/.test(name.toLowerCase())) {
    const targets = new Set(known.filter(([, one]) => one.dosable).map(([, { target }]) => target));
    const expected = `a drug that acts on: ${[...targets].sort().join(", ")}`;
    const typeThis = 'with "NBQX 10 mg/kg IP at -30 min"';
    return new InputError(`'${name}' is a blocker without a known target`, { key: "with", expected, typeThis });
  }
  const drugs = namesOf((one) => one.for_people).join(", ");
  const expected = `a drug in a dose for people (${drugs}), or an intervention of an experiment (data/perturbations)`;
  return new InputError(`no perturbation is called '${name}'`, { key: "with", expected });
}

// The perturbations of [text, phrase]: { text, name, time, values, targetStates, events }; `values` { parameter: canonical
// value }; `events(number)`: dose events into the states `targetStates`, where `number(name)` is the value of a parameter.
// `parameters`: those of scenario.json. Throws InputError, also for two that set the same parameter.
export function applyPhrases(phrases, tables, parameters) {
  const applied = phrases.map(([text, phrase]) => appliedPhrase(text, phrase, tables, parameters));
  const textOf = new Map();
  for (const { text, values } of applied) {
    for (const parameter of Object.keys(values)) {
      if (textOf.has(parameter)) {
        refuse(`'${text}' and '${textOf.get(parameter)}' both set ${parameter}`, { expected: "one of the two" });
      }
      textOf.set(parameter, text);
    }
  }
  return applied;
}

function appliedPhrase(text, phrase, tables, parameters) {
  const items = itemsByKind(phrase, text);
  if (!("name" in items)) throw unknownPerturbationError(text, tables);
  const { name } = items;
  const perturbation = tables.perturbations[name];
  const isHeld = "held" in items;
  const schedule = "repeated" in items ? scheduleOf(name, perturbation, items, text, tables) : null;
  const days = schedule ? Math.min(1, schedule.meanInterval / DAY) : Math.max(1, (items.lasting?.hours ?? 0) / DAY);
  const fraction = targetFraction(name, perturbation, { ...items, days }, text, tables);
  const time = items.start?.hours ?? perturbation.at;
  check({ name, perturbation, items, isHeld, time, text }, tables, parameters);
  const targetStates = isHeld ? [] : perturbation.target_states;
  const times = schedule?.starts(time, Infinity, tables.limits.doses) ?? [time];
  const duration = schedule ? 0 : (items.lasting?.hours ?? 0);
  const given = { ...perturbation, target_states: targetStates };
  const events = (number) => times.flatMap((at) => eventsOf(given, fraction, at, duration, number));
  const held = isHeld ? { [heldParameter(perturbation.target_states[0])]: Math.min(1, fraction) } : {};
  return { text, name, time, values: { ...perturbation.parameter_values, ...held }, targetStates, events };
}

// When a repeated dose is given; an error without a length, and for what is not a dose.
function scheduleOf(name, { dosable }, { held, lasting, repeated }, text, tables) {
  if (!dosable || held !== undefined) {
    refuse(`${name} is not given in doses in '${text}'`, { expected: "no frequency", typeThis: name });
  }
  if (!lasting) {
    const typeThis = `${text} for 2 weeks`;
    refuse(`'${text}' does not say for how long`, { expected: "'for' how long doses are repeated", typeThis });
  }
  const schedule = phaseOf(repeated, lasting);
  if (lasting.hours / schedule.meanInterval > tables.limits.doses) {
    refuse(`more than ${tables.limits.doses} doses in '${text}'`, { expected: "a shorter or sparser schedule" });
  }
  return schedule;
}

function phaseOf({ every, timesAWeek }, { hours }) {
  try {
    return new Phase(every, timesAWeek, hours);
  } catch (problem) {
    return refuse(problem.what, { expected: problem.expected });
  }
}

const heldParameter = (state) => `perturbation.${state.replace(/^tool_compounds\./, "")}`;

// The value of each kind of item; a time before the treatment is negative.
function itemsByKind({ items }, text) {
  const found = {};
  for (const { kind: own, value: given } of items) {
    const kind = SAME_KINDS[own] ?? own;
    const value = own === "before" ? { ...given, hours: -given.hours, compound: false } : given;
    if (kind in found && JSON.stringify(found[kind]) !== JSON.stringify(value)) {
      refuse(`'${text}' has two values of ${kind}`, { expected: "one of the two" });
    }
    found[kind] = value;
  }
  return found;
}

// Fraction of the usual level that a dose by a route gives; the usual dose if none is named. The limit is that of a
// day: a dose over several `days`, or one of several in a day, may be as many times as large.
function targetFraction(name, { dosable, doses }, { amount, days, route = "" }, text, tables) {
  if (!dosable) return 1;
  const form = doses.find((one) => !route || one.route === route);
  if (!form) {
    refuse(`${name} is not given by ${route} in '${text}'`, { expected: doses.map((one) => one.route).join(", ") });
  }
  if (!amount) return form.level;
  const [[usual, kind], [factor, own]] = [tables.dose_units[form.unit], tables.dose_units[amount.unit]];
  if (kind !== own) {
    const expected = `a dose like ${general(form.amount)} ${form.unit}`;
    refuse(`a dose in ${amount.unit} of ${name}`, { expected });
  }
  if (!(amount.number >= 0)) {
    const what = `a dose of ${general(amount.number)} ${amount.unit} in '${text}'`;
    refuse(what, { expected: "a positive number" });
  }
  const ownUsual = (form.amount * usual) / factor;
  const most = tables.limits.daily_doses;
  if (amount.number > most * ownUsual * days) {
    const what = `${general(amount.number)} ${amount.unit} of ${name} is above the limit in '${text}'`;
    refuse(what, { expected: `at most ${general(most)} usual doses of ${general(form.amount)} ${form.unit} a day` });
  }
  return (form.level * amount.number) / ownUsual;
}

function check({ name, perturbation, items, isHeld, time, text }, { limits }, parameters) {
  const { kind, dosable, target_states: targetStates } = perturbation;
  if (!dosable && (items.amount || isHeld)) refuse(`${name} has no dose: it is a ${kind}`, { typeThis: name });
  if (isHeld && (targetStates.length !== 1 || !(heldParameter(targetStates[0]) in parameters))) {
    refuse(`${name} cannot be held constant`, { expected: "a dose at a time", typeThis: name });
  }
  if (time < -limits.lead) {
    refuse(`'${text}' is given too early`, { expected: `at most ${general(limits.lead)} h before the start` });
  }
}

// With a rate of loss, the level is maintained for the duration of the perturbation.
function eventsOf({ target_states: targetStates, level, loss_rate: rate }, fraction, time, duration, number) {
  const amount = fraction * level;
  const each = (size, lasting) => targetStates.map((compartment) => ({ time, compartment, amount: size, duration: lasting }));
  if (!rate || !duration) return each(amount, duration);
  return [...each(amount, 0), ...each(number(rate) * amount * duration, duration)];
}
