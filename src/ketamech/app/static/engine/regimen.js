// Treatments from sentences such as "racemic 0.5 mg/kg IV over 40 min", with the rules of regimen_reader.py.

import { general, InputError, shortenText } from "./errors.js";
import { missingDrugError } from "./parse-errors.js";
import { parse } from "./parser.js";
import { unknownPerturbationError } from "./perturbations.js";
import { Phase, Treatment, unknownDrugError } from "./treatment.js";
import { DAY, WEEK } from "./units.js";
import { indexed, Lexicon } from "./words.js";

const INFUSED = ["IV", "SC"];
// Rules of the grammar with the same meaning, and the kinds that may occur once in a segment.
const SAME_KINDS = { lasting: "over", choice: "frequency", starts: "start", days: "start" };
const UNIQUE_KINDS = {
  amount: "doses",
  route: "routes",
  salt: "salts",
  over: "durations",
  frequency: "frequencies",
  start: "starts",
  count: "numbers of doses",
  lag: "lags",
  missing: "chances",
  missed: "lists of missed doses",
};
const KEYS = { amount: "dose", frequency: "schedule", count: "schedule", start: "at", missed: "missing" };
const TREATMENT_KINDS = ["lag", "missing", "missed", "steady"]; // they apply to a whole treatment

const kindOf = ({ kind }) => SAME_KINDS[kind] ?? kind;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isRate = ({ amount }) => amount?.unit.endsWith("/h") ?? false;
const isWhole = (number) => Number.isInteger(number) && number >= 1;

// Reads regimens and durations; `tables` is dosing.json.
export class RegimenReader {
  constructor(tables) {
    this.tables = tables;
    const common = indexed(Object.entries(tables.words).map(([word, [kind, value]]) => [word, kind, value]));
    const routes = Object.entries(tables.routes).map(([word, route]) => [word, "ROUTE", route]);
    const names = (words) => Object.entries(words).map(([word, value]) => [word, "NAME", value]);
    const perturbationNames = names(tables.perturbation_words);
    const unknownPerturbation = (name) => unknownPerturbationError(name, tables);
    const perturbations = new Lexicon(common, merged(routes, perturbationNames), unknownPerturbation);
    const unknown = (name) => unknownDrugError(name, tables);
    this.lexicon = new Lexicon(common, merged(names(tables.drug_words), routes), unknown, { WITH: perturbations });
    this.noNames = new Lexicon(common, [], unknown);
  }

  // The treatments of sentences without perturbations. Throws InputError.
  treatments(sentences) {
    const parsed = this.parsed(sentences);
    const [[text] = []] = phrasesOf(parsed);
    if (text) {
      throw new InputError(`'with ${text}' is not part of a regimen`, { key: "with", expected: "treatments only" });
    }
    return this.built(parsed);
  }

  // { treatments, phrases } of sentences; `phrases` [[text, phrase]] are their perturbations.
  read(sentences) {
    const parsed = this.parsed(sentences);
    return { treatments: this.built(parsed), phrases: phrasesOf(parsed) };
  }

  // A perturbation such as "NBQX 10 mg/kg IP at -30 min" as [text, phrase].
  phrase(text) {
    return [oneLine(text), parse("phrase", text, this.lexicon.inside.WITH, this.tables)];
  }

  parsed(sentences) {
    return sentences.map((text) => {
      const parts = parse("sentence", text, this.lexicon, this.tables);
      if (/^[ .;\r\t\n]*$/.test(text)) {
        const typeThis = '"racemic 0.5 mg/kg IV over 40 min"';
        throw new InputError("the regimen is empty", { expected: "a sentence", typeThis });
      }
      return { text, parts };
    });
  }

  // Day 1 is the first day, unless one of the sentences names a day 0.
  built(parsed) {
    const firstDay = parsed.some(({ parts }) => namesDayZero(parts)) ? 0 : 1;
    return parsed.flatMap(({ text, parts }) => {
      if (parts.some((part) => part.isReinduction) || itemsOf(parts).some(isAdaptive)) {
        const what = `adaptive dosing is for trial files only: '${shortenText(text)}'`;
        throw new InputError(what, { key: "schedule", expected: "one frequency", typeThis: "then weekly" });
      }
      return parts.flatMap((part) => new TreatmentBuilder(text, firstDay, this.tables).treatments(part));
    });
  }

  // A duration such as "28 days" or a numbered day such as "day 8" (h).
  hours(text) {
    const found = parse("time", text, this.noNames, this.tables);
    return found.type === "Days" ? (found.numbers[0] - 1) * found.unit : found.hours;
  }
}

// Words of both lists; of a word in both, the second.
function merged(first, second) {
  return [...new Map([...first, ...second].map((entry) => [entry[0], entry])).values()];
}

const oneLine = (text) => text.split(/\s+/).filter(Boolean).join(" ");
const phrasesOf = (parsed) =>
  parsed.flatMap(({ text, parts }) =>
    parts.flatMap((part) => part.perturbations).map((one) => [oneLine(text.slice(one.start, one.end)), one]),
  );
const itemsOf = (parts) => parts.flatMap((part) => part.segments.flat());
const isAdaptive = ({ kind, value }) => kind === "choice" || value?.type === "Titrated";
const namesDayZero = (parts) => itemsOf(parts).some(({ kind, value }) => kind === "days" && value.numbers.includes(0));

const NO_DOSE = { drug: "", amount: null, route: "", salt: "base", duration: 0, routeReason: "" };

// Builds the treatments of one sentence; a course is { dose, starts, phases }.
class TreatmentBuilder {
  constructor(text, firstDay, tables) {
    Object.assign(this, { text, firstDay, tables, shown: shortenText(text) });
  }

  treatments(part) {
    const isForAll = ({ kind }) => TREATMENT_KINDS.includes(kind);
    const forAll = this.itemsByKind(part.segments.flat().filter(isForAll));
    const courses = [];
    for (const segment of part.segments)
      this.addSegment(
        courses,
        segment.filter((item) => !isForAll(item)),
      );
    const listed = courses.flatMap((course) => course.starts.map((start) => [course, start]));
    const ambiguous = forAll.missed ?? forAll.steady;
    if (listed.length > 1 && ambiguous) {
      throw this.itemError(ambiguous, "is ambiguous for several consecutive doses", "one dose in one frequency");
    }
    return listed.map(([course, start]) => this.treatment(course, start, forAll));
  }

  treatment({ dose, phases }, start, { lag, missed, missing, steady }) {
    const given = {
      drug: dose.drug,
      amount: dose.amount?.number ?? null,
      unit: dose.amount?.unit ?? "",
      route: dose.route,
      duration: dose.duration,
      start,
      schedule: phases,
      salt: dose.salt,
      lag: lag?.value.hours ?? 0,
      skippedDoses: missed ? this.skippedDoses(missed) : [],
      missProbability: missing?.value ?? 0,
      atSteadyState: steady !== undefined,
      routeReason: dose.routeReason,
    };
    const found = new Treatment(given, this.tables);
    if (missed && found.end !== null) {
      const count = found.starts(Infinity).length;
      if (Math.max(...found.skippedDoses) > count) {
        throw this.itemError(missed, "is not possible", `doses from 1 to ${count}`);
      }
    }
    return found;
  }

  skippedDoses(item) {
    if (!item.value.every(isWhole)) throw this.itemError(item, "names no doses", "whole numbers from 1");
    return item.value;
  }

  // Adds a phase to the last course, or begins another where the segment names another dose or time.
  addSegment(courses, items) {
    this.checkItems(items);
    const byKind = this.itemsByKind(items.filter(({ kind }) => kind !== "name" && kind !== "length"));
    const names = items.filter(({ kind }) => kind === "name");
    const named = this.dose(byKind, names, courses.at(-1)?.dose ?? NO_DOSE);
    const { phase, over } = this.phase(byKind, items, named);
    const isAnother =
      names.length || over !== null || ["amount", "route", "salt", "start"].some((kind) => byKind[kind]);
    if (courses.length && !isAnother) {
      if (!phase) {
        const what = `'then' without a frequency in '${this.shown}'`;
        throw new InputError(what, { key: "schedule", expected: "a frequency", typeThis: "then weekly for 4 weeks" });
      }
      courses.at(-1).phases.push(phase);
      return;
    }
    const dose = this.withInfusionRoute(over === null ? named : { ...named, duration: over });
    const starts = this.starts(byKind, phase, courses, over ? dose : null);
    if (phase && starts.length > 1) {
      throw this.itemError(byKind.start, "names several times and a frequency", "one start, or no frequency");
    }
    courses.push({ dose, starts, phases: phase ? [phase] : [] });
  }

  dose(byKind, names, before) {
    if (!names.length && !before.drug) throw missingDrugError(this.text);
    const [first, other] = [...new Set(names.map(({ value }) => value[0]))];
    if (other) throw this.itemError(names[1], `is another drug than ${first}`, "';' between two treatments");
    const drug = first ?? before.drug;
    const old = drug === before.drug ? before : NO_DOSE;
    const brand = this.brandRoute(names, byKind.route);
    const amount = byKind.amount?.value ?? old.amount;
    this.checkAmount(drug, amount, byKind.amount);
    const route = byKind.route?.value ?? (brand || old.route);
    const salt = byKind.salt?.value ?? old.salt;
    if (route !== old.route) return { ...NO_DOSE, drug, amount, route, salt };
    return { drug, amount, route, salt, duration: old.duration, routeReason: byKind.route ? "" : old.routeReason };
  }

  // An infusion or a rate without a route is given by the route of infusions, if its drug can be.
  withInfusionRoute(dose) {
    const { infusion_route: route, texts, drugs } = this.tables;
    const { routes } = drugs[dose.drug];
    if (dose.route || routes.includes("") || !routes.includes(route) || !(dose.duration || isRate(dose))) return dose;
    return { ...dose, route, routeReason: texts.infusion_reason };
  }

  brandRoute(names, route) {
    for (const item of names) {
      const only = item.value[1];
      if (only && route && route.value !== only) {
        throw this.itemError(item, `is given by route ${only} only`, only, "route");
      }
    }
    return names.map(({ value }) => value[1]).find(Boolean) ?? "";
  }

  // Refuses an amount for sessions and antidepressants, which are counted; requires a mass for all others.
  checkAmount(drug, amount, item) {
    const { masses, drugs, texts } = this.tables;
    if (drugs[drug].is_session) {
      if (!amount) return;
      const what = `${drug} is counted in treatments, not in ${amount.unit}`;
      const expected = "no amount: the model has no dose dependence here";
      const typeThis = drug === "antidepressant" ? `${drug} daily for 6 weeks` : `${drug} twice weekly`;
      throw new InputError(what, { key: "dose", expected, typeThis });
    }
    if (!amount || !(amount.unit.split("/")[0] in masses)) {
      const place = item ? `: '${this.text.slice(item.start, item.end)}'` : "";
      const what = `no dose in '${this.shown}'${place}`;
      throw new InputError(what, { key: "dose", expected: texts.masses, typeThis: "0.5 mg/kg" });
    }
  }

  // The phase (null without a frequency), and the infusion duration (h) of each dose where it is named.
  phase(byKind, items, dose) {
    const lengths = items.filter(({ kind }) => kind === "length").map(({ value }) => value);
    const frequency = byKind.frequency?.value ?? null;
    let over = byKind.over?.value.hours ?? null;
    if (over === null && lengths.length) {
      const shortest = lengths.reduce((least, one) => (one.hours < least.hours ? one : least));
      if ((isRate(dose) && !dose.duration) || lengths.length > 1 || (!frequency && this.isInfused(dose) && shortest.unit < DAY)) {
        lengths.splice(lengths.indexOf(shortest), 1);
        over = shortest.hours;
      }
    }
    if (lengths.length > 1) {
      const what = `two lengths of time after 'for' in '${this.shown}'`;
      throw new InputError(what, { key: "schedule", expected: "one" });
    }
    const { count } = byKind;
    if (!frequency) {
      if (lengths.length || (count && count.value !== 1)) {
        const what = `'${this.shown}' has a length of time but no dosing frequency`;
        throw new InputError(what, { key: "schedule", expected: "a frequency", typeThis: "weekly for 4 weeks" });
      }
      return { phase: null, over };
    }
    const phase = new Phase(frequency.every, frequency.timesAWeek, lengths[0]?.hours ?? null);
    return { phase: count ? this.withDoseCount(phase, count) : phase, over };
  }

  isInfused({ drug, route }) {
    const { infused_session: isInfusedSession, maintenance_elimination: elimination } = this.tables.drugs[drug];
    return INFUSED.includes(route) || isInfusedSession || elimination !== null;
  }

  withDoseCount(phase, item) {
    const { value: number } = item;
    if (!isWhole(number)) throw this.itemError(item, "is not a number of doses", "a whole number from 1");
    const length = phase.after(number);
    const isOther = phase.duration !== null && Math.abs(phase.duration - length) > 1e-9;
    if (isOther && phase.starts(0, 1e9, this.tables.limits.doses).length !== number) {
      const why = `is not the number of doses in ${general(phase.duration)} h`;
      throw this.itemError(item, why, "one of the two");
    }
    return new Phase(phase.interval, phase.timesAWeek, phase.duration || length);
  }

  starts(byKind, phase, courses, infusion) {
    const item = byKind.start;
    if (!item) return [courses.length ? this.nextStart(phase, courses, infusion) : 0];
    const { value } = item;
    if (value.type === "Span") {
      if (value.compound) {
        const expected = `'at ${general(value.hours)} h', or 'over' how long`;
        throw this.itemError(item, "can be read in two ways", expected);
      }
      return [value.hours];
    }
    const isList = Array.isArray(value);
    const hours = isList ? value : value.numbers.map((number) => (number - this.firstDay) * value.unit);
    if (new Set(hours).size < hours.length) {
      throw this.itemError(item, "names a time twice", "each time once; one larger dose, or ';' before another");
    }
    if (isList) return hours;
    if (Math.min(...hours) < 0) throw this.itemError(item, "is before the first day", "day 1 or later");
    return hours;
  }

  // Start (h) of a changed dose: the end of the previous course; after a single dose, one interval later.
  // A single infusion follows a single dose by the same route at once: a loading dose, or steps of an infusion.
  nextStart(phase, courses, infusion) {
    const last = courses.at(-1);
    if (!last.phases.length) {
      if (!phase && infusion && ["", infusion.route].includes(last.dose.route)) return last.starts.at(-1) + last.dose.duration;
      if (!phase) {
        const what = `'then' without a time in '${this.shown}'`;
        const expected = "a day, a time or a frequency";
        throw new InputError(what, { key: "at", expected, typeThis: "then ... on day 4" });
      }
      return last.starts.at(-1) + phase.meanInterval;
    }
    if (last.phases.some(({ duration }) => duration === null)) {
      const what = `the phase before 'then' has no duration in '${this.shown}'`;
      throw new InputError(what, { key: "schedule", expected: "'for' how long before each 'then'" });
    }
    return last.starts.at(-1) + last.phases.reduce((total, { duration }) => total + duration, 0);
  }

  // Items by kind. Throws InputError for two different ones of a kind.
  itemsByKind(items) {
    const byKind = {};
    const forms = items.filter((item) => kindOf(item) === "route").map(({ value }) => this.tables.dosage_forms[value]);
    for (const item of items) {
      const kind = kindOf(item);
      if (kind === "route" && forms.includes(item.value)) continue; // "oral" beside "prolonged release"
      if (kind in UNIQUE_KINDS && kind in byKind && !same(byKind[kind].value, item.value)) {
        const expected = "one; use 'then' before a later dose and ';' before another treatment";
        throw this.itemError(item, `is the second of two ${UNIQUE_KINDS[kind]}`, expected, KEYS[kind] ?? kind);
      }
      byKind[kind] ??= item;
    }
    return byKind;
  }

  // Throws InputError for a negative dose or time, and for a bare "2 weeks".
  checkItems(items) {
    for (const item of items) {
      const { kind, value, start, end } = item;
      const words = this.text.slice(start, end);
      if (value?.type === "Amount" && value.number < 0) {
        const what = `a dose of ${words} in '${this.shown}'`;
        throw new InputError(what, { key: "dose", expected: "a positive number" });
      }
      if (value?.type === "Span" && value.hours < 0) {
        const written = `${general(value.hours / value.unit)} ${words.split(/\s+/).at(-1)}`;
        const what = `a time of ${written} in '${this.shown}'`;
        throw new InputError(what, { key: "time", expected: "a positive number" });
      }
      if (kind === "lasting" && value.unit >= DAY) {
        const expected = "'over' for how long an infusion runs, 'for' how long doses are repeated, 'every' how often";
        throw this.itemError(item, "is neither a duration nor a frequency", expected, "schedule");
      }
    }
  }

  itemError(item, why, expected, key = null) {
    const where = `'${this.text.slice(item.start, item.end)}' (character ${item.start + 1})`;
    const named = key ?? KEYS[kindOf(item)] ?? "schedule";
    return new InputError(`${where} ${why} in '${this.shown}'`, { key: named, expected });
  }
}

// Default simulated time (h): 28 days, or four weeks beyond the last dose or the end of its infusion.
export function horizonOf(treatments) {
  const finite = treatments.filter(({ duration, tables }) => duration < tables.limits.horizon);
  const ends = finite.filter(({ end }) => end !== null).map((one) => one.end + one.lag + one.duration);
  const begins = treatments.filter(({ end }) => end === null).map((one) => one.start + one.phasesLength);
  return 4 * WEEK + Math.max(0, ...ends.filter((end) => end > DAY), ...begins);
}
