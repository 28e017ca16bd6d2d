// Dose events of treatments: amounts (umol), times (h) and the states that they enter; the rules of dose_events.py.

import { general, InputError } from "./errors.js";

const BELIEF = "expectancy.belief"; // the state that every visit raises in humans
const ANTICIPATION = "expectancy.anticipation"; // the state that a visit for a procedure raises too
const ROUNDING = 1e-9; // 30 mg/kg of 70 kg, divided by 70 kg, is a little more than 30 mg/kg
const MILLIGRAM = 1e-6; // kg
const event = (time, compartment, amount, duration = 0) => ({ time, compartment, amount, duration });

// Dose events before `horizon` (h), in order of time; `number(name)` is the value of a parameter (canonical units).
// Missed doses by chance apply to virtual patients only. Throws InputError for a dose above the limit of the drug.
export function doseEvents(treatments, number, horizon, tables, { limits = true } = {}) {
  const found = [];
  const doses = treatments.flatMap((treatment) => treatment.taken(horizon).map((start) => [treatment, start]));
  if (doses.length > tables.limits.doses) {
    const what = `more than ${tables.limits.doses} doses`;
    throw new InputError(what, { key: "schedule", expected: "a shorter or sparser schedule" });
  }
  for (const [treatment, start] of doses) {
    found.push(...eventsOfDose(treatment, start, number, tables, limits));
  }
  checkOverlaps(treatments, horizon);
  checkOrder(treatments);
  found.push(...expectancyEvents(treatments, horizon, number("expectancy.visit_gap")));
  return found.sort((a, b) => a.time - b.time);
}

// One dose in umol of free base, or in the unit doses that the model uses for this substance.
function micromoles(treatment, number, tables, limits) {
  const { substance, unit } = treatment;
  let milligrams = (treatment.amount * tables.masses[unit.split("/")[0]]) / MILLIGRAM;
  if (unit.includes("/kg")) milligrams *= number("person.weight");
  if (unit.includes("/m^2")) milligrams *= tables.surface[0] * number("person.weight") ** tables.surface[1];
  if (unit.endsWith("/h")) milligrams *= treatment.duration;
  if (treatment.salt === "hydrochloride") milligrams *= number("drug.hydrochloride_factor");
  if (limits) checkDoseLimits(treatment, milligrams, number);
  if (substance.unit_dose) return milligrams / number("person.weight") / substance.unit_dose;
  return milligrams * MILLIGRAM * (1e9 / (number(substance.molar_mass) * 1e9));
}

function checkDoseLimits(treatment, milligrams, number) {
  const { substance, route, duration, drug } = treatment;
  const perKilogram = milligrams / number("person.weight");
  const most = substance.limits[route] ?? number("drug.max_dose") * 1e6;
  if (perKilogram / Math.max(1, duration) <= most * (1 + ROUNDING)) return;
  const [unit, factor] = substance.unit_dose ? ["ng", 1e6] : ["mg", 1];
  const given = `${general(milligrams * factor)} ${unit} of ${drug}`;
  const what = `${given} is ${general(perKilogram * factor, 3)} ${unit}/kg, which is above the limit`;
  const expected = `at most ${general(most * factor)} ${unit}/kg an hour for ${drug} ${route}`.trim();
  throw new InputError(what, { key: "dose", expected });
}

function eventsOfDose(treatment, begin, number, tables, limits) {
  const { substance, duration } = treatment;
  const start = begin + treatment.lag;
  if (substance.is_session) return substance.compartment ? sessionEvents(treatment, start, number) : [];
  const amount = micromoles(treatment, number, tables, limits);
  const rows = substance.absorption[treatment.route];
  const parts = rows.flatMap((row) => partsOf(row, duration, amount, number));
  if (substance.compartment) {
    return parts.map(({ delay, part, lasting }) => event(start + delay, substance.compartment, part * amount, lasting));
  }
  return Object.entries(substance.enantiomers)
    .filter(([, share]) => share)
    .flatMap(([enantiomer, share]) =>
      parts.map(({ delay, site, part, lasting }) =>
        event(start + delay, `pharmacokinetics.${site}_${enantiomer}`, share * part * amount, lasting),
      ),
    );
}

// One unit of a session, and an infusion that balances its elimination for the duration of the session.
function sessionEvents({ substance, duration }, start, number) {
  const { compartment, infused_session: isInfused, maintenance_elimination: elimination } = substance;
  const found = [event(start, compartment, 1, isInfused ? duration : 0)];
  if (elimination && duration) found.push(event(start, compartment, number(elimination) * duration, duration));
  return found;
}

// What enters one compartment: at once or over a duration, in one part or from consecutive devices of 28 mg.
function partsOf(row, stated, amount, number) {
  const [site, lasting] = [row.compartment, lastingOf(row, stated, number)];
  if (!row.device_interval) return [{ delay: 0, site, part: fractionOf(row, number), lasting }];
  const device = number("drug.nasal_device") * (1e9 / (number("drug.ketamine_molar_mass") * 1e9));
  const count = Math.max(1, roundHalfEven(amount / device));
  const japanese = 1 + (number(row.japanese_ratio) - 1) * number("person.japanese");
  // the mean absorbed fraction of the devices; later ones are absorbed less
  const absorbed = (name) =>
    Math.min(1, (number(name) * japanese * (1 + (count - 1) * number(row.later_fraction))) / count);
  const [part, gap] = [fractionOf(row, absorbed) / count, number(row.device_interval)];
  return Array.from({ length: count }, (_, i) => ({ delay: i * gap, site, part, lasting }));
}

// The fraction of a dose that enters a compartment; `absorbed(name)` is the fraction that a parameter stands for.
function fractionOf(row, absorbed) {
  const fraction = row.fraction ? absorbed(row.fraction) : 1;
  return row.remainder_of ? fraction * (1 - absorbed(row.remainder_of)) : fraction;
}

// Duration (h) of entry: that of the model, or the stated one of the dose where it is longer or replaces it.
function lastingOf(row, stated, number) {
  if (!row.duration || (stated && row.stated_duration === "replaces")) return stated;
  return Math.max(number(row.duration), stated);
}

function roundHalfEven(number) {
  const low = Math.floor(number);
  if (number - low !== 0.5) return Math.round(number);
  return low % 2 ? low + 1 : low;
}

// Expectancy events of treatment visits, at most one a state in `gap` h: daily tablets are not daily visits.
function expectancyEvents(treatments, horizon, gap) {
  const carry = treatments.filter(({ substance }) => substance.carries_expectancy);
  const raising = { [BELIEF]: carry, [ANTICIPATION]: carry.filter(({ isProcedure }) => isProcedure) };
  return Object.entries(raising).flatMap(([state, those]) => {
    let previous = -Infinity;
    const visits = those.flatMap((treatment) => treatment.taken(horizon)).sort((a, b) => a - b);
    const counted = visits.filter((visit) => {
      const counts = visit >= previous + gap - 1e-9;
      if (counts) previous = visit;
      return counts;
    });
    return counted.map((visit) => event(visit, state, 1));
  });
}

const isExpectancy = ({ compartment }) => compartment.startsWith("expectancy.");
export const withoutExpectancy = (events) =>
  events.filter(({ compartment }) => compartment !== BELIEF && compartment !== ANTICIPATION);

// Dose events of the control: expectancy, and challenges such as an operation unless all events are challenges.
export function controlEvents(events, tables) {
  const drugs = Object.values(tables.drugs);
  const challenges = drugs.filter((drug) => !drug.carries_expectancy).map(({ compartment }) => compartment);
  const control = events.filter((one) => isExpectancy(one) || challenges.includes(one.compartment));
  return control.length === events.length ? events.filter(isExpectancy) : control;
}

// Single doses of one drug must be listed in order of time.
function checkOrder(treatments) {
  const last = new Map();
  for (const { drug, route, start, schedule } of treatments) {
    if (schedule.length) continue;
    const key = `${drug}|${route}`;
    const before = last.get(key) ?? 0;
    if (start < before - 1e-9) {
      const place = `one at ${general(start)} h is listed after one at ${general(before)} h`;
      const expected = "doses in the order in which they are given";
      throw new InputError(`doses of ${drug} are out of order: ${place}`, { key: "treatments", expected });
    }
    last.set(key, start);
  }
}

// An operation or anaesthesia must not begin during another one (infusions of a drug add up).
function checkOverlaps(treatments, horizon) {
  const byDrug = new Map();
  for (const one of treatments) {
    if (!one.duration || !one.substance.is_session || !one.substance.compartment) continue;
    const spans = one.taken(horizon).map((at) => [at, at + one.duration]);
    byDrug.set(one.drug, [...(byDrug.get(one.drug) ?? []), ...spans]);
  }
  for (const [name, spans] of byDrug) {
    spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    spans.slice(1).forEach(([following], i) => {
      const [begin, end] = spans[i];
      if (following >= end - 1e-9) return;
      const hours = `${general(begin)} to ${general(end)} h, and the next from ${general(following)} h`;
      const typeThis = `... at ${general(end)} h`;
      const what = `two treatments with ${name} overlap: ${hours}`;
      throw new InputError(what, { key: "treatments", expected: "one at a time", typeThis });
    });
  }
}
