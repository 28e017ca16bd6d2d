// The subjects of a dose table with the columns of NONMEM as scenarios, with the rules of read.py and occasions.py. A
// table that starts over or ends at a steady state is left to the installed program, with the command that reads it.

import { fileError, general, InputError, misspelled } from "../engine/errors.js";
import { treatmentSentences } from "../engine/regimen-text.js";
import { horizonOf } from "../engine/regimen.js";
import { Phase, Treatment, unknownDrugError } from "../engine/treatment.js";
import { cellsOf } from "./table-cells.js";

const HUMAN = "human";
const PERSON = "person.";

export class DoseTableReader {
  // `answers`: Answers, whose scenario reader checks what is found; `tables`: files.json.
  constructor(answers, tables) {
    const { reader, dosing } = answers;
    const [observation, dose, other, reset, resetAndDose] = tables.kinds; // of EVID
    this.kinds = { observation, dose, other, reset, resetAndDose };
    Object.assign(this, { reader, dosing, tables, scenario: answers.tables, parameters: answers.tables.parameters });
  }

  // { subjects: [{ id, scenario }], assumptions, errors } of a table; `drug` and `route` hold for doses without a column.
  read(text, file, { drug = "", route = "" } = {}) {
    const found = cellsOf(text, file, this.tables);
    const people = this.personColumns(found.columns);
    const isRouted = !route || found.columns.has("ROUTE") || found.columns.has("CMT");
    if (!isRouted) for (const row of found.rows) row.cells.set("ROUTE", route);
    const groups = bySubject(found.rows); // all are checked before the first becomes a scenario
    if (!groups.length) throw fileError(file, 1, "the table holds no record", { expected: "ID,TIME,AMT,... and records" });
    if (groups.length > this.tables.subjects) {
      const expected = `at most ${this.tables.subjects} on the page; the command line reads more`;
      throw fileError(file, null, `${groups.length} subjects in one table`, { expected });
    }
    const stem = file.replace(/\.[^.]*$/, "");
    const table = { file, drug, people, written: found.columns, title: (id) => (groups.length === 1 ? stem : `${stem}, ID ${id}`) };
    const read = groups.map(([id, rows], i) => {
      if (groups.slice(0, i).some(([name]) => name === id)) throw rows[0].error(`ID ${id} comes back`, "ID", "all records of one person together");
      refuseDates(rows, this.tables.dates);
      const species = this.species(rows);
      return { id, rows, species, records: this.records(rows, drug), ...this.values(rows, table, species) };
    });
    const [subjects, errors] = [[], []];
    const assumptions = [...this.notes(found, table, route), ...(isRouted ? [] : [`every dose is given by the route ${route}`])];
    for (const one of read) {
      try {
        subjects.push({ id: one.id, scenario: this.subject(one, table) });
      } catch (error) {
        if (error.name !== "InputError") throw error;
        errors.push(error);
      }
    }
    if (!subjects.length) throw errors[0];
    return { subjects, assumptions, errors: errors.map(({ message }) => message) };
  }

  // Parameters by the column that is named after them.
  personColumns(columns) {
    const names = [...columns.keys()].filter((name) => !this.tables.columns.includes(name));
    const parameterOf = (name) => (name.includes(".") ? name.toLowerCase() : `${PERSON}${name.toLowerCase()}`);
    return new Map(names.map((name) => [name, parameterOf(name)]).filter(([, parameter]) => Object.hasOwn(this.parameters, parameter)));
  }

  // [{ row, kind, time, ss, dose }] of one subject, in order.
  records(rows, drug) {
    const records = rows.map((row) => this.record(row, drug));
    const [first] = records;
    const { reset, resetAndDose } = this.kinds;
    const isSteady = first.ss > 0;
    records.slice(1).forEach((record, k) => {
      const { row, kind, time, ss } = record;
      const isReset = kind === reset || kind === resetAndDose;
      if (!isReset && time < records[k].time) {
        const several = row.has("ID") ? "" : ", or a column ID for several persons";
        const what = `TIME goes back from ${general(records[k].time)} to ${general(time)}`;
        throw row.error(what, "TIME", `times that do not fall, except at a reset (EVID 3 or 4)${several}`);
      }
      const isAtOnce = isSteady && Math.abs(time - first.time) < this.tables.same_time;
      if (ss === 1 && isAtOnce && !isReset) {
        const what = "a second SS of 1 at one time would undo the first";
        throw row.error(what, "SS", "SS of 2 for what is added to a steady state", { typeThis: "2" });
      }
      if (ss === 2 && !isSteady) {
        throw row.error("SS of 2 without a start at steady state before it", "SS", "a record with SS 1 before it, in the same frequency");
      }
      record.startsOver = isReset || ss === 1 || (ss === 2 && !isAtOnce);
    });
    if (first.ss === 2) throw first.row.error("SS of 2 without a start at steady state before it", "SS", "a record with SS 1 before it, in the same frequency");
    return records;
  }

  record(row, drug) {
    const kind = this.kindOf(row);
    const [time, ss] = [row.number("TIME"), row.integer("SS", 2)];
    if ([this.kinds.dose, this.kinds.resetAndDose].includes(kind)) return { row, kind, time, ss, dose: this.dose(row, drug) };
    if (ss) throw row.error(`SS of ${ss} in a record without a dose`, "SS", "SS of 0, or EVID 1");
    return { row, kind, time, ss: 0, dose: null };
  }

  // EVID; without the column a record with an amount is a dose, any other an observation.
  kindOf(row) {
    const { observation, dose, other, reset, resetAndDose } = this.kinds;
    const isDosed = row.number("AMT") !== 0;
    if (!row.has("EVID")) return isDosed ? dose : observation;
    const kind = row.number("EVID");
    if (!this.tables.kinds.includes(kind)) {
      throw row.error(`EVID of ${general(kind)}`, "EVID", "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose; no other is supported");
    }
    if (kind === other && row.text("CMT").startsWith("-")) {
      throw row.error(`CMT ${row.text("CMT")} switches a compartment off`, "CMT", "a route; compartments cannot be switched off");
    }
    if (kind === other && row.text("DRUG").toLowerCase() === this.tables.visit_drug) return dose;
    if (isDosed && kind in this.tables.undosed) {
      const instead = `EVID ${kind === reset ? resetAndDose : dose}`;
      throw row.error(`${this.tables.undosed[kind]} with an amount`, "AMT", `${instead}, or AMT of 0`, { typeThis: instead });
    }
    return kind;
  }

  dose(row, otherDrug) {
    try {
      const name = row.text("DRUG") || otherDrug;
      if (!name) throw row.error("no drug is stated", "DRUG", "a column DRUG, or one drug for all", { typeThis: "--drug esketamine" });
      const word = name.trim().toLowerCase();
      if (!Object.hasOwn(this.dosing.drug_words, word)) throw unknownDrugError(name, this.dosing);
      const [drug] = this.dosing.drug_words[word];
      const { is_session: isSession } = this.dosing.drugs[drug];
      if (row.number("AMT") === 0 && row.number("RATE") && !isSession) throw this.needsProgram(row, "AMT of 0 with a RATE: a constant infusion", "AMT");
      return this.doseOf(row, drug, isSession);
    } catch (error) {
      throw row.located(error);
    }
  }

  doseOf(row, drug, isSession) {
    const share = row.number("F", 1);
    if (!(share > 0)) throw row.error(`F of ${general(share)}`, "F", "a share above 0");
    const amount = row.number("AMT");
    if (!isSession && !(amount > 0)) throw row.error(`a dose with AMT of ${general(amount)}`, "AMT", "an amount above 0");
    const taken = isSession ? null : amount * share;
    const route = this.route(row, drug);
    const unit = isSession ? "" : this.unit(row.text("UNIT", "mg"));
    const duration = row.number("EVID") === this.kinds.other ? 0 : this.duration(row, isSession ? share : taken, route, share);
    const addl = row.integer("ADDL", this.dosing.limits.doses);
    const [interval, isSteady] = [row.number("II"), row.integer("SS", 2) > 0];
    if ((addl || isSteady) && !(interval > 0)) {
      const what = `${addl ? "ADDL" : "SS"} without II`;
      throw new InputError(what, { key: "ii", expected: "hours between two doses", typeThis: "ii=12" });
    }
    const schedule = addl || isSteady ? [new Phase(interval, null, (addl + 1) * interval)] : [];
    const salt = row.text("SALT", "base").toLowerCase();
    if (!this.tables.salts.includes(salt)) throw new InputError(`SALT of '${row.text("SALT")}'`, { key: "SALT", expected: this.tables.salts.join(" or ") });
    const given = { drug, amount: taken, unit, route, duration, schedule, salt, lag: row.number("LAG") };
    return { ...given, skippedDoses: [], missProbability: row.number("MISSING"), atSteadyState: isSteady };
  }

  // ROUTE, else CMT; "" where the drug needs none.
  route(row, drug) {
    const column = ["ROUTE", "CMT"].find((name) => row.has(name));
    if (column) return this.routeOf(row.text(column));
    const { routes } = this.dosing.drugs[drug];
    if (routes.includes("")) return "";
    const expected = `a column CMT (or ROUTE) with one of ${routes.join(", ")}`;
    throw row.error(`no route is stated for ${drug}`, "CMT", expected, { typeThis: routes[0] });
  }

  routeOf(compartment) {
    const { codes, places } = this.tables;
    const word = compartment.trim().toLowerCase();
    const number = /^[-+]?[\d.]+(e[-+]?\d+)?$/.test(word) ? Number(word) : NaN;
    if (number < 0) {
      const what = `CMT ${compartment}: a negative compartment switches it off, which a route does not support`;
      throw new InputError(what, { key: "CMT", expected: "a route" });
    }
    if (Number.isInteger(number) && number >= 1 && number <= codes.length) return codes[number - 1];
    if (Object.hasOwn(places, word)) return places[word];
    const numbers = codes.map((route, i) => `${i + 1} ${route || this.tables.no_route}`).join(", ");
    throw new InputError(`there is no compartment '${compartment}'`, { key: "CMT", expected: `a route by name, or ${numbers}` });
  }

  unit(text) {
    const unit = text.trim().toLowerCase().replaceAll("mcg", "ug").replaceAll(/[µμ]g/g, "ug");
    if (this.tables.masses.includes(unit)) return unit;
    throw new InputError(`UNIT of '${text}'`, { key: "UNIT", expected: `one of ${this.tables.masses.join(", ")}` });
  }

  // Duration (h) of a dose from RATE and DUR: a rate; -1: the rate in column R; -2: the duration in column D.
  duration(row, amount, route, share) {
    let rate = row.number("RATE");
    const duration = row.number("DUR");
    const positive = (column, what, meaning) => {
      const value = row.number(column);
      if (value > 0) return value;
      throw new InputError(`${what} without ${column}`, { key: column, expected: `${meaning} in a column ${column}` });
    };
    if (rate === -1) rate = positive("R", "RATE of -1", "the rate (amount per h)");
    else if (rate === -2) {
      if (this.tables.absorbed.includes(route) && !row.number("D")) return 0;
      return positive("D", "RATE of -2", "the duration (h)");
    }
    if (rate < 0 || duration < 0) {
      const what = rate < 0 ? `RATE of ${general(rate)}` : `DUR of ${general(duration)}`;
      throw new InputError(what, { key: "RATE", expected: "0 (at once), a rate above 0, -1 (column R) or -2 (column D)" });
    }
    if (!rate) return duration;
    const lasting = amount / rate;
    if (duration && Math.abs(lasting / share - duration) > 1e-6 * duration) {
      const what = `RATE ${general(rate)} gives ${general(lasting)} h and DUR says ${general(duration)} h`;
      throw new InputError(what, { key: "RATE", expected: "one of them, or equal durations" });
    }
    return lasting;
  }

  // The scenario of one subject. Throws InputError.
  subject({ id, rows, records, species, values, areChanged }, { file, title }) {
    const over = records.find(({ startsOver }) => startsOver);
    if (over) throw this.needsProgram(over.row, `ID ${id} starts over at TIME ${general(over.time)}`, "EVID");
    const doses = records.filter(({ dose }) => dose);
    if (!doses.length) throw fileError(file, null, `no dose for ID ${id}`, { expected: "rows with AMT above 0" });
    if (doses.length > this.tables.rows_of_subject) {
      const expected = `at most ${this.tables.rows_of_subject}; the command line takes more`;
      throw fileError(file, null, `${doses.length} doses of ID ${id}`, { expected });
    }
    const begin = records[0].ss ? records[0].time : Math.min(0, records[0].time);
    const treatments = doses.map(({ row, time, dose }) => treatmentAt(row, dose, time - begin, this.dosing));
    if (areChanged) throw this.needsProgram(rows[0], `covariates of ID ${id} change with time`, "ID");
    const person = Object.entries(values).filter(([name]) => name.startsWith(PERSON));
    const keys = {
      title: title(id),
      description: `Doses of ${file}.`,
      treatments: treatmentSentences(treatments, { isExact: true }),
      person: Object.fromEntries(person.map(([name, value]) => [name.slice(PERSON.length), value])),
      parameters: Object.fromEntries(Object.entries(values).filter(([name]) => !name.startsWith(PERSON))),
      horizon: `${Number(this.horizon(records, treatments, begin).toFixed(10))} h`,
      ...(species !== HUMAN && { species }),
    };
    if (species === HUMAN && treatments.some(({ unit }) => unit.includes("/kg"))) keys.person.weight ??= this.withUnit("person.weight", this.parameters["person.weight"].value);
    this.reader.read(keys);
    return keys;
  }

  // The last observation; the usual horizon where there is none, or where doses follow it.
  horizon(records, treatments, begin) {
    const usual = Math.min(horizonOf(treatments), this.dosing.limits.horizon);
    const last = Math.max(0, ...records.filter(({ dose }) => !dose).map(({ time }) => time - begin));
    if (!last || treatments.some((one) => one.starts(usual).some((start) => start >= last))) return usual;
    return Math.max(last, 1);
  }

  species(rows) {
    const given = rows.filter((row) => row.has("SPECIES"));
    if (!given.length) return HUMAN;
    const [first] = given;
    const changed = given.find((row) => row.text("SPECIES") !== first.text("SPECIES"));
    if (changed) throw changed.error("SPECIES changes", "SPECIES", "one species an ID");
    try {
      return this.reader.speciesOf(first.text("SPECIES"));
    } catch (error) {
      throw first.located(error);
    }
  }

  // Parameter values with their units, and whether they change with time.
  values(rows, { people, written }, species) {
    const values = {};
    let areChanged = false;
    for (const [column, name] of people) {
      for (const row of rows.filter((one) => one.has(column))) {
        const value = this.withUnit(name, this.checked(row, column, name, species, written.get(column)));
        areChanged ||= name in values && values[name] !== value;
        values[name] ??= value;
      }
    }
    return { values, areChanged };
  }

  checked(row, column, name, species, written) {
    const { factor, unit, low, high } = this.parameters[name];
    const value = row.number(column, 0, written);
    const isAnimalWeight = species !== HUMAN && name === "person.weight";
    const [least, most] = isAnimalWeight ? this.scenario.species[species].weight : [low ?? -Infinity, high ?? Infinity];
    if (value * factor >= least && value * factor <= most) return value * factor;
    const expected = `${general(least / factor)} to ${general(most / factor)}${unit === "1" ? "" : ` ${unit}`}`;
    throw row.error(`${written} of ${general(value)}`, written, expected);
  }

  withUnit(name, value) {
    const { factor, unit } = this.parameters[name];
    return unit === "1" ? value / factor : `${value / factor} ${unit}`;
  }

  needsProgram(row, what, key) {
    return row.error(`${what}: not read in the browser`, key, "the installed program", { typeThis: `ketamech simulate ${row.file}` });
  }

  // Assumptions that were made. Throws InputError for a column that resembles one that is used.
  notes({ rows, columns, commas }, { drug, people }) {
    const notes = [];
    const used = [...this.tables.columns, ...people.keys()];
    if (rows.some((row) => !row.has("DRUG") && row.number("AMT"))) notes.push(`every dose without a drug of its own is ${drug}`);
    if (!columns.has("UNIT")) notes.push("AMT is in mg, TIME in hours");
    if (commas) notes.push("numbers have a decimal comma");
    const unused = [...columns].filter(([name]) => !used.includes(name));
    if (unused.length) notes.push(`columns that are not used: ${unused.map(([, written]) => written).join(", ")}`);
    for (const [name, written] of unused) {
      if (this.tables.unrelated.includes(name)) continue;
      const near = misspelled(name, name.includes(".") ? Object.keys(this.parameters) : used);
      if (near && name.includes(".")) notes.push(`the column ${written} is not used; a parameter is called ${near}`);
      else if (near && !columns.has(near)) {
        const expected = "the name of a column that is used, or a table without this column";
        throw fileError(rows[0]?.file, null, `the column ${written} is not known`, { key: written, expected, nearest: near });
      }
    }
    rows.slice(1).forEach((row, i) => {
      if (!row.number("AMT") || !sameCells(row.cells, rows[i].cells)) return;
      notes.push(`lines ${rows[i].line} and ${row.line} are the same dose, which is given twice`);
    });
    if (rows.some((row) => !row.has("ROUTE") && /^\d/.test(row.text("CMT")))) {
      const numbers = this.tables.codes.map((route, i) => `${i + 1} ${route || this.tables.no_route}`);
      notes.push(`CMT by number is ${numbers.join(", ")}`);
    }
    return notes;
  }
}

const sameCells = (a, b) => a.size === b.size && [...a].every(([name, word]) => b.get(name) === word);

function treatmentAt(row, dose, start, dosing) {
  try {
    return new Treatment({ ...dose, start }, dosing);
  } catch (error) {
    throw row.located(error);
  }
}

// [[id, rows]] of consecutive rows.
function bySubject(rows) {
  const groups = [];
  for (const row of rows) {
    const id = row.text("ID", "1");
    if (groups.at(-1)?.[0] === id) groups.at(-1)[1].push(row);
    else groups.push([id, [row]]);
  }
  return groups;
}

function refuseDates(rows, dates) {
  for (const column of dates) {
    const given = rows.filter((row) => row.has(column));
    const changed = given.find((row) => row.text(column) !== given[0].text(column));
    if (!changed) continue;
    const what = `${column} changes from ${given[0].text(column)} to ${changed.text(column)}`;
    throw changed.error(what, column, "TIME in hours since the first record, over all days; dates are not read");
  }
}
