// Treatments as sentences, with the words of Regimen.sentences in regimen.py: for display, or exactly.

import { general } from "./errors.js";
import { DAY, HOUR, MINUTE, MONTH, SECOND, WEEK, YEAR } from "./units.js";

const LONG_UNITS = [
  [YEAR, "year"],
  [MONTH, "month"],
  [WEEK, "week"],
  [DAY, "day"],
];
const MAX_COUNT = 1e6;
const ROUNDING = 1e-6; // relative difference that is attributed to rounding
const DIGITS = 4;
const MAX_DAYS_LISTED = 30; // of one sentence
const TIMES_A_WEEK_WORDS = { 1: "weekly", 2: "twice weekly" };
const INTERVAL_WORDS = new Map([
  [DAY, "daily"],
  [DAY / 2, "twice daily"],
  [WEEK, "every week"],
  [MONTH, "monthly"],
]);

const numberText = (value, isExact) => (isExact ? String(value) : general(value, DIGITS));

function durationText(hours, isExact) {
  const short = [
    [HOUR, "h"],
    [MINUTE, "min"],
  ];
  if (hours < HOUR) short.reverse();
  if (isExact && hours < MINUTE) short.unshift([SECOND, "s"]);
  for (const [size, name] of hours >= 2 * DAY ? [...LONG_UNITS, ...short] : short) {
    const count = hours / size < MAX_COUNT ? Number((hours / size).toFixed(isExact ? 4 : 2)) : 0;
    const isSame = isExact ? count * size === hours : Math.abs(count * size - hours) < ROUNDING * hours;
    if (count && isSame && (size < DAY || Number.isInteger(count))) {
      return `${count} ${name}${size >= DAY && count !== 1 ? "s" : ""}`;
    }
  }
  return `${numberText(hours, isExact)} h`;
}

// One sentence for each treatment; single doses that differ in their days share one. `isExact`: it is read back as it is.
export function treatmentSentences(treatments, { isExact = false } = {}) {
  const groups = [];
  for (const one of treatments) {
    const last = groups.at(-1);
    if (last && last.length < MAX_DAYS_LISTED && differInDay(last.at(-1), one)) last.push(one);
    else groups.push([one]);
  }
  return groups.map((group) => sentence(group[0], group.map(({ start }) => start), isExact));
}

const withoutStart = ({ tables, start, ...others }) => JSON.stringify(others);

function differInDay(a, b) {
  const isPlain = !b.schedule.length && !b.skippedDoses.length && !b.atSteadyState;
  return isPlain && a.start < b.start && a.start % DAY === 0 && b.start % DAY === 0 && withoutStart(a) === withoutStart(b);
}

function sentence({ drug, amount, unit, salt, route, duration, schedule, ...others }, starts, isExact) {
  const parts = [
    drug,
    amount === null ? "" : `${numberText(amount, isExact)} ${unit}`,
    salt === "base" ? "" : `as ${salt}`,
    route,
    durationWords(duration, others.tables, isExact),
    startWords(starts, schedule.length > 0, isExact),
    schedule.map((phase) => phaseWords(phase, isExact)).join(", then "),
  ];
  const reason = others.routeReason && !isExact ? ` (${others.routeReason})` : "";
  return parts.filter(Boolean).join(" ") + adherenceWords(others, isExact) + reason;
}

function durationWords(duration, tables, isExact) {
  if (!duration) return "";
  return duration === tables.limits.horizon ? "continuously" : `over ${durationText(duration, isExact)}`;
}

function startWords(starts, isRepeated, isExact) {
  if (starts.length === 1 && starts[0] === 0) return "";
  if (starts.some((start) => start % DAY)) return `at ${durationText(starts[0], isExact)}`;
  const days = starts.map((start) => start / DAY + 1);
  if (days.length > 1) return `on days ${listWords(days)}`;
  return `${isRepeated ? "from" : "on"} day ${days[0]}`;
}

function phaseWords({ interval, timesAWeek, duration }, isExact) {
  const count = timesAWeek || 1;
  const frequency =
    interval === null
      ? (TIMES_A_WEEK_WORDS[count] ?? `${count} times a week`)
      : (INTERVAL_WORDS.get(interval) ?? `every ${durationText(interval, isExact)}`);
  return frequency + (duration === null ? "" : ` for ${durationText(duration, isExact)}`);
}

function adherenceWords({ lag, skippedDoses: skipped, missProbability, atSteadyState }, isExact) {
  return [
    lag && `, lag ${durationText(lag, isExact)}`,
    skipped.length && `, missing ${skipped.length === 1 ? "dose" : "doses"} ${listWords(skipped)}`,
    missProbability && `, missing ${numberText(Number((100 * missProbability).toPrecision(15)), isExact)} %`,
    atSteadyState && ", at steady state",
  ]
    .filter(Boolean)
    .join("");
}

// E.g. "1, 4 and 8"; more than two consecutive numbers as a range.
function listWords(numbers) {
  const runs = [];
  for (const number of numbers) {
    if (number === runs.at(-1)?.at(-1) + 1) runs.at(-1).push(number);
    else runs.push([number]);
  }
  const words = runs.flatMap((run) => (run.length > 2 ? [`${run[0]} to ${run.at(-1)}`] : run));
  return words.length === 1 ? String(words[0]) : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
