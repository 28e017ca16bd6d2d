// Treatments: one drug by one route on a schedule of phases, with the checks of treatment.py. Times in hours.

import { general, InputError, misspelled } from "./errors.js";
import { DAY, WEEK } from "./units.js";

const EPSILON = 1e-9;

// `timesAWeek` doses a week, or one every `interval` h, for `duration` h (null: no end).
export class Phase {
  constructor(interval, timesAWeek, duration) {
    Object.assign(this, { interval, timesAWeek, duration });
    const mean = this.meanInterval;
    if (!(mean > 0 && mean < Infinity) || duration === Infinity) {
      const what = `a dose every ${general(mean)} h${duration ? ` for ${general(duration)} h` : ""}`;
      throw new InputError(what, { key: "schedule", expected: "a frequency such as every 12 h for 2 weeks" });
    }
    if (duration !== null && duration < mean) {
      const what = `for ${general(duration)} h is shorter than the ${general(mean)} h between two doses`;
      const expected = "'over' for how long an infusion runs, 'for' how long doses are repeated";
      throw new InputError(what, { key: "schedule", expected, typeThis: "over 1 h daily for 2 weeks" });
    }
  }

  // Shortest time between two doses (h).
  get meanInterval() {
    return this.interval ?? Math.floor(7 / (this.timesAWeek || 1)) * DAY;
  }

  get period() {
    return this.interval ?? WEEK;
  }

  // Time (h) from the first dose to the time at which dose number `doses` + 1 would be due.
  after(doses) {
    if (this.interval !== null) return doses * this.interval;
    const a = this.timesAWeek || 1;
    return Math.floor(doses / a) * WEEK + (doses % a) * this.meanInterval;
  }

  // Times (h) at which doses are due from `begin`, before `end`; at most `most` + 1 of them.
  starts(begin, end, most) {
    const stop = this.duration === null ? end : Math.min(end, begin + this.duration);
    const a = this.timesAWeek || 1;
    const due = (i) => {
      if (this.interval !== null) return begin + i * this.interval;
      return begin + Math.floor(i / a) * WEEK + (i % a) * this.meanInterval;
    };
    const found = [];
    for (let i = 0; i <= most && due(i) < stop - EPSILON; i++) found.push(due(i));
    return found;
  }
}

// `given`: drug, amount (null for a session), unit, route, duration (h), start (h), schedule (phases), salt, lag (h),
// skippedDoses, missProbability, atSteadyState, routeReason (why a route that was not named was chosen).
export class Treatment {
  constructor(given, tables) {
    Object.assign(this, given, { tables });
    const { drug } = this.substance;
    checkRoute(this.substance, this.route, tables);
    this.checkTimes();
    this.checkAdherence();
    if (this.substance.is_session) return;
    if (this.amount === null) {
      const typeThis = `${drug} 0.5 mg/kg ...`;
      throw new InputError(`no dose given for ${drug}`, { key: "dose", expected: "an amount", typeThis });
    }
    if (!(this.amount > 0 && this.amount < Infinity)) {
      const what = `a dose of ${general(this.amount)} ${this.unit} cannot be given`;
      throw new InputError(what, { key: "dose", expected: "a positive number" });
    }
    if (this.unit.endsWith("/h") && !this.duration) {
      const typeThis = `${general(this.amount)} ${this.unit} IV for 1 h`;
      throw new InputError("a rate needs a duration", { key: "dose", typeThis });
    }
    if (this.duration > 0 && !this.tables.timed_routes.includes(this.route)) {
      const expected = "IV or SC for an infusion, prolonged release for a tablet";
      throw new InputError(`an infusion by route ${this.route}`, { key: "route", expected });
    }
  }

  get substance() {
    return { drug: this.drug, ...this.tables.drugs[this.drug] };
  }

  // Whether a visit raises expectancy at once: not for tablets and psychotherapy.
  get isProcedure() {
    return this.substance.is_procedure && !this.tables.tablets.includes(this.route);
  }

  // Times (h) at which doses start, before `horizon` (h).
  starts(horizon) {
    if (!this.schedule.length) return this.start < horizon ? [this.start] : [];
    const most = this.tables.limits.doses;
    const found = [];
    let begin = this.start;
    for (const phase of this.schedule) {
      found.push(...phase.starts(begin, horizon, most));
      if (found.length > most) {
        throw new InputError(`more than ${most} doses`, { key: "schedule", expected: "a shorter or sparser schedule" });
      }
      begin += phase.duration ?? 0;
    }
    return found;
  }

  // Times (h) of the doses before `horizon` (h) that are not skipped.
  taken(horizon) {
    return this.starts(horizon).filter((_, k) => !this.skippedDoses.includes(k + 1));
  }

  // Time (h) at which the schedule ends; null if it continues to the horizon.
  get end() {
    if (!this.schedule.length) return this.start;
    return this.schedule.at(-1).duration === null ? null : this.start + this.phasesLength;
  }

  get phasesLength() {
    return this.schedule.reduce((total, phase) => total + (phase.duration ?? 0), 0);
  }

  checkTimes() {
    const most = this.tables.limits.horizon;
    const isPossible = (hours) => hours >= 0 && hours <= most;
    if (!isPossible(this.duration) || !isPossible(this.start)) {
      const what = `a time of ${general(this.duration || this.start)} h`;
      throw new InputError(what, { key: "time", expected: "from 0 h (day 1) to 2 years" });
    }
    if (this.schedule.slice(0, -1).some((phase) => phase.duration === null)) {
      const typeThis = "twice weekly for 4 weeks, then weekly";
      const expected = "'for' how long before each 'then'";
      throw new InputError("the phase before 'then' has no duration", { key: "schedule", expected, typeThis });
    }
  }

  checkAdherence() {
    const { lag, doses } = this.tables.limits;
    if (!(this.lag >= 0 && this.lag <= lag)) {
      const expected = `from 0 to ${general(lag)} h`;
      throw new InputError(`a lag of ${general(this.lag)} h`, { key: "lag", expected });
    }
    if (!(this.missProbability >= 0 && this.missProbability < 1)) {
      const what = `missing ${general(100 * this.missProbability)} % of doses`;
      throw new InputError(what, { key: "missing", expected: "from 0 % to less than 100 %", typeThis: "missing 10 %" });
    }
    if (this.skippedDoses.some((number) => number < 1)) {
      const what = "a dose number below 1: doses are counted from 1";
      throw new InputError(what, { key: "missing", typeThis: "missing doses 2 and 3" });
    }
    if (!this.atSteadyState) return;
    if (!this.schedule.length) {
      const typeThis = "every 12 h at steady state";
      throw new InputError("a single dose has no steady state", { key: "schedule", expected: "a frequency", typeThis });
    }
    if (this.duration + this.lag > doses * this.schedule[0].meanInterval) {
      const what = `more than ${doses} infusions of ${general(this.duration)} h at a time`;
      throw new InputError(what, { key: "schedule", expected: "a shorter infusion, or more time between two doses" });
    }
  }
}

function checkRoute({ drug, routes }, route, tables) {
  const spelled = tables.routes[route.trim().toLowerCase().replaceAll(".", "")] ?? route.trim();
  if (routes.includes(spelled)) return;
  const what = route ? `${drug} cannot be given by route '${route}'` : `no route is named for ${drug}`;
  const isKnown = Object.values(tables.routes).includes(spelled);
  const nearest = isKnown ? null : misspelled(route, [...routes, ...Object.keys(tables.routes)]);
  throw new InputError(what, { key: "route", expected: routes.filter(Boolean).join(", ") || "no route", nearest });
}

export function unknownDrugError(name, tables) {
  const expected = Object.keys(tables.drugs).join(", ");
  const nearest = misspelled(name, Object.keys(tables.drug_words));
  return new InputError(`'${name}' is not a known treatment`, { key: "drug", expected, nearest });
}
