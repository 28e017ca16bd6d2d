// The result of a trial: the difference between arms first, then sample size, power, means, responders and survival.

import { DAY } from "../engine/units.js";
import { button, download, element, errorBox, paragraph, sectionTitle, table } from "./dom.js";
import { COLOURS, XyChart } from "./figure.js";
import { formatNumber, formatRange, formatSigned, formatTime } from "./format.js";
import { codeSection } from "./tab-downloads.js";

export const MISSED = "the difference of the model is missed"; // an answer of `errors`

const FILES =
  "Tables of every subject, rating and result (CSV, Parquet, CDISC names), figures, the data as Zarr, the report page, " +
  "the trial file and the script: the files that “ketamech trial” writes.";

// `job`: the job of the result, whose files may be saved; null for a run that was stored in the browser.
export function trialResultNodes(found, job) {
  const charts = resultCharts(found).map((chart) => chart.node);
  return [
    sectionTitle(found.title),
    findings(found),
    ...notes(found),
    comparisonTable(found),
    visitTable(found),
    publishedTable(found),
    armsTable(found),
    job?.has_files ? filesSection(job.id) : null,
    element("div", { class: "figure-grid" }, charts),
    ...reproduction(found.reproduction),
  ];
}

// The sample size, the difference with its direction, and how often a trial does not show it.
function findings(found) {
  const { differences, sample_size: sizes, errors } = found;
  const simulated = sizes?.length ? `In the largest trials that were simulated (${sizesOfArms(found)}): ` : "";
  const important = [...(sizes ?? []).map(({ text }) => text), ...(differences ?? []).map((text) => simulated + text)];
  const list = found.cautions.map((text) => paragraph(sentenceOf(text), "caution"));
  list.push(...important.map((text) => paragraph(text, "finding")));
  list.push(...notFound(found), ...chancesToMiss(found), ...errors.map(({ arm, text }) => paragraph(`${arm}: ${text}`)));
  if (sizes?.length) list.push(paragraph(SIZE_NOTE, "secondary"), ...limitNotes(sizes));
  return element("div", { class: "findings" }, list);
}

const sizesOfArms = ({ arms }) => arms.map(({ name, n }) => `${n} in ${name}`).join(", ");
const sentenceOf = (text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

// How often a trial of the size that was run, or found, does not succeed although the arms differ in the model, where no
// sentence of `errors` says it.
function chancesToMiss({ effects, sample_size: sizes, arms, replicates, errors }) {
  const chance = (arm, n, share, difference) =>
    paragraph(`${arm}: if the ${formatNumber(Math.abs(difference), 2)} points of the model are right, the chance to miss them is ${percentText(share)} with ${n} patients in this arm.`);
  const stated = (arm) => errors.some((one) => one.arm === arm && one.answer === MISSED);
  const better = effects.filter(({ arm, difference }) => difference < 0 && !stated(arm));
  const size = new Map(arms.map(({ name, n }) => [name, n]));
  if (!sizes?.length) {
    return replicates > 1 ? better.map(({ arm, success_share: success, difference }) => chance(arm, size.get(arm), 1 - success, difference)) : [];
  }
  const notFound = better.flatMap(({ arm, difference }) => {
    const own = sizes.find((one) => one.arm === arm && one.patients === null); // the largest trial; a found number says it itself
    return own ? [{ arm, share: own.type_2_error, difference }] : [];
  });
  return notFound.map(({ arm, share, difference }) => chance(arm, size.get(arm), share, difference));
}

// Why no sample size was found, and what to change.
function notFound({ sample_size: sizes, effects, primary, reference, means, replicates }) {
  const [scale, visit] = primary.split(" at ");
  return (sizes ?? []).filter(({ patients }) => patients === null).flatMap(({ arm, low, simulated, target }) => {
    const effect = effects.find((one) => one.arm === arm);
    const difference = effect ? `At ${visit} the score on ${arm} is ${formatNumber(Math.abs(effect.difference), 2)} points ${effect.difference < 0 ? "lower" : "higher"} than on ${reference}. ` : "";
    const earlier = earlierVisit(means[scale] ?? [], arm, reference, visit);
    const other = earlier ? `The largest difference of a visit is that at ${earlier.visit}, ${formatNumber(earlier.size, 2)} points lower; an endpoint is chosen before a trial for other reasons than this.` : "";
    const stop = low === null
      ? `The search stopped at ${simulated} patients: the simulated trials show no number that gives a power of ${percentText(target)}.`
      : `The search stopped at ${simulated} patients: at least ${low} are needed, or more than the program simulates at once.${replicates > MIN_SEARCH_REPLICATES ? " Fewer replicates allow larger trials." : ""}`;
    return [paragraph([difference.trim(), other, stop].filter(Boolean).join(" "))];
  });
}

// The earlier visit with the largest difference of mean changes, where it is larger than at `visit`; else null.
function earlierVisit(rows, arm, reference, visit) {
  const changes = new Map(rows.filter((row) => row.arm === reference).map((row) => [row.visit, row.change]));
  const own = rows.filter((row) => row.arm === arm && changes.has(row.visit));
  const sizes = own.map((row) => ({ visit: row.visit, size: changes.get(row.visit) - row.change }));
  const place = sizes.findIndex((one) => one.visit === visit);
  const earlier = sizes.slice(0, Math.max(0, place)).sort((a, b) => b.size - a.size)[0];
  return earlier?.size > sizes[place].size ? earlier : null;
}

const SIZE_NOTE =
  "The number counts randomised patients, drop-out included. Each simulated trial has other parameter values: the power is an " +
  "average over the uncertainty of the model (assurance), not that of one fixed difference, and the interval is what the " +
  "number of simulated trials leaves.";
const NO_LIMIT = 0.995;
const MIN_SEARCH_REPLICATES = 100; // of the form

// Where no number of patients gives all of the power.
function limitNotes(sizes) {
  const limited = sizes.filter(({ limit }) => limit > 0.5 && limit < NO_LIMIT); // 0.5 and less: no effect in this direction
  const text = ({ arm, limit }) =>
    `${arm}: each simulated trial has other parameter values, so that power stays below ${Math.ceil(100 * limit)} % however large the trial is.`;
  return limited.map((one) => paragraph(text(one), "secondary"));
}

function filesSection(id) {
  const place = element("div", {});
  const save = async ({ target }) => {
    target.disabled = true;
    place.replaceChildren();
    try {
      const response = await fetch(`api/jobs/${id}/files`);
      if (!response.ok) throw new Error((await response.json()).error);
      download(await response.blob(), "ketamech-trial.zip");
    } catch (error) {
      place.replaceChildren(errorBox(error.message));
    }
    target.disabled = false;
  };
  return element("div", { class: "files" }, button("Save all files (ZIP)", save), paragraph(FILES, "secondary"), place);
}

const groupBy = (rows, key) => [...Map.groupBy(rows, (row) => row[key])];

function resultCharts(found) {
  const ofReference = ({ name }) => Number(name === found.reference); // its colour comes last, in every trial
  const order = new Map([...found.arms].sort((a, b) => ofReference(a) - ofReference(b)).map((arm, i) => [arm.name, i % COLOURS]));
  const series = (rows, key, make) =>
    groupBy(rows, key).map(([label, list], i) => ({ label, index: order.get(label) ?? i, ...make(list) }));
  const days = { xLabel: "days" };
  const spread = found.replicates > 1 ? "; bars: 95 % of the trials" : "; bars: 95 % intervals";
  const [primaryScale, primaryVisit] = found.primary.split(" at ");
  const placesOf = (scale) => new VisitDays(found.means, scale);
  const primaryDay = placesOf(primaryScale).dayOf(primaryVisit);
  const charts = Object.entries(found.means).map(([scale, rows]) => {
    const places = placesOf(scale);
    const settings = { title: `${scale}, mean of each arm`, unit: `${found.units?.[scale] ?? "points"}${spread}`, ...days, places };
    return shownWithFinding(settings, series(rows, "arm", (list) => meanSeries(list, places)), primaryDay);
  });
  for (const [scale, rows] of Object.entries(found.response_rates)) {
    const places = placesOf(scale);
    const visits = rows.filter(({ visit }) => visit !== "baseline");
    const settings = { title: `${scale}, responders`, unit: `% of each arm${spread}`, range: [0, 100], ...days, places };
    charts.push(shownWithFinding(settings, series(visits, "arm", (list) => responderSeries(list, places)), primaryDay));
  }
  if (found.survival.length) {
    const title = "Responders without relapse";
    const settings = { title, unit: "% of responders", xLabel: "days since response", range: [0, 100] };
    charts.push(shownWithFinding(settings, series(found.survival, "group", survivalSeries)));
  }
  if (new Set(columnOf(found.power, "patients_per_arm")).size > 1) {
    const unit = `% of trials: ${found.criterion}`;
    const settings = { title: `Power: ${found.primary}`, unit, xLabel: "patients per arm", range: [0, 100] };
    const chart = shownWithFinding(settings, series(found.power, "arm", powerSeries));
    if (found.sample_size?.length) charts.unshift(chart);
    else charts.push(chart);
  }
  return charts;
}

// A chart whose heading states the value of every line at the primary endpoint, or else the last one; the axis has the
// days of the visits.
function shownWithFinding({ places = null, ...settings }, series, place = null) {
  const days = [...new Set(series.flatMap(({ x }) => x))].sort((a, b) => a - b);
  const ticks = places && days.map((value) => ({ value, text: places.tickAt(value) }));
  const chart = new XyChart({ ...settings, ticks }).show(series);
  const isRated = place !== null && series.every(({ x }) => x.includes(place));
  const shown = isRated ? place : Math.max(...series.flatMap(({ x }) => x));
  const values = series.map(({ label, x, y }) => `${label}: ${formatNumber(isRated ? y[x.indexOf(place)] : y.at(-1))}`);
  const when = places ? places.visitAt(shown) : `At ${formatNumber(shown)} ${settings.xLabel}`;
  if (series.length) chart.setFinding(`${when} – ${values.join("; ")}`);
  return chart;
}

// The days of the visits of a scale. In a trial with a visit named "day N" the day of the first dose is day 1, as in its
// protocol; else days have passed since the first dose.
class VisitDays {
  constructor(means, scale) {
    const isNamed = Object.values(means).some((rows) => rows.some(({ visit }) => /^day \d+$/.test(visit)));
    this.first = isNamed ? 1 : 0;
    this.hours = new Map((means[scale] ?? []).map(({ visit, hour }) => [visit, hour]));
    this.visits = new Map([...this.hours.keys()].map((visit) => [this.dayOf(visit), visit]));
  }

  dayOf(visit) {
    const hour = this.hours.get(visit);
    return hour === undefined ? null : hour / DAY + this.first;
  }

  visitAt(day) {
    return this.visits.has(day) ? formatVisit(this.visits.get(day), this.first) : `Day ${formatNumber(day)}`;
  }

  tickAt(day) {
    return this.visits.get(day) === "baseline" ? String(this.first) : this.visitAt(day).replace(/^Day (\d+).*/, "$1");
  }
}

// A visit as in the protocol: "Day 28" of "day 28" and "28 d", "40 min", "24 h"; "Day 8, 40 min" of "168.67 h".
function formatVisit(visit, first = 0) {
  const named = /^day (\d+)$/.exec(visit) ?? /^(\d+) d$/.exec(visit);
  if (named) return `Day ${named[1]}`;
  const [, hours] = /^([\d.]+) h$/.exec(visit) ?? [];
  const rest = hours % DAY;
  return hours > DAY && rest ? `Day ${Math.floor(hours / DAY) + first}, ${formatTime(rest)}` : visit;
}

const columnOf = (rows, name) => rows.map((row) => row[name]);
const percents = (rows, name) => rows.map((row) => (row[name] === null ? null : 100 * row[name]));

export const percentText = (share) => `${Math.round(100 * share)} %`;

// The interval is that of the change since baseline, moved to the mean; at baseline there is none.
const meanSeries = (rows, places) => ({
  x: rows.map(({ visit }) => places.dayOf(visit)),
  y: columnOf(rows, "mean"),
  low: rows.map(({ hour, mean, change, low }) => (hour > 0 ? mean - change + low : null)),
  high: rows.map(({ hour, mean, change, high }) => (hour > 0 ? mean - change + high : null)),
});

function responderSeries(rows, places) {
  const interval = (name) => (rows.every((row) => name in row) ? percents(rows, name) : null);
  const x = rows.map(({ visit }) => places.dayOf(visit) ?? 0);
  return { x, y: percents(rows, "response"), low: interval("response_low"), high: interval("response_high") };
}

const survivalSeries = (rows) => ({ x: columnOf(rows, "day"), y: percents(rows, "without_relapse"), steps: true });

export const powerSeries = (rows) => {
  const [y, low, high] = ["power", "low", "high"].map((name) => percents(rows, name));
  return { x: columnOf(rows, "patients_per_arm"), y, low, high };
};

const trialCount = (replicates) => `${replicates} ${replicates === 1 ? "trial" : "trials"}`;

function armsTable(found) {
  const dropout = (name) => {
    const share = found.dropout_share[name];
    return share === undefined ? "–" : `${formatNumber(100 * share, 2)} %`;
  };
  const [scale, visit] = found.primary.split(" at ");
  const sds = new Map((found.means[scale] ?? []).filter((row) => row.visit === visit).map(({ arm, sd }) => [arm, sd]));
  const rows = found.arms.map(({ name, n, treatment }) => [name, n, dropout(name), formatNumber(sds.get(name)), treatment]);
  return table(`Arms, ${trialCount(found.replicates)}`, ["arm", "patients", "dropout", `SD of the change, ${found.primary}`, "treatment"], rows);
}

function comparisonTable(found) {
  if (found.is_withdrawal && !found.effects.length) return null; // the finding compares the groups
  if (!found.effects.length) {
    const reason = found.comparison.length
      ? "The difference between arms cannot be estimated."
      : "One arm: no comparison.";
    return paragraph(reason, "secondary");
  }
  const how = found.is_within_patients ? "within patients" : "adjusted for baseline";
  const caption = `${found.primary}, compared with ${found.reference}, ${how}, ${trialCount(found.replicates)}`;
  const range = found.replicates > 1 ? "95 % of trials" : "interval";
  const head = ["arm", "difference, points", range, `success: ${found.criterion}`, "direction"];
  const rows = found.effects.map(({ arm, difference, low, high, ...effect }) => {
    const direction = `${difference < 0 ? "lower" : "higher"} than on ${found.reference}`;
    return [arm, formatNumber(difference), formatRange(low, high), successText(effect, found.replicates), direction];
  });
  return table(caption, head, rows);
}

// The difference of the mean changes at every visit, which the primary endpoint is one of.
function visitTable({ primary, reference, means, replicates, effects }) {
  const [scale] = primary.split(" at ");
  const rows = means[scale] ?? [];
  const visits = rows.filter(({ arm, hour }) => arm === reference && hour > 0);
  if (!effects.length || visits.length < 2) return null;
  const changes = new Map(rows.map(({ arm, visit, change }) => [`${arm}\n${visit}`, change]));
  const difference = (arm, { visit, change }) => {
    const own = changes.get(`${arm}\n${visit}`);
    return own === undefined ? "–" : formatSigned(own - change);
  };
  const caption = `${scale} at every visit: change minus the change on ${reference}, not adjusted for baseline, points, ${trialCount(replicates)}`;
  const compared = effects.map(({ arm }) => [arm, ...visits.map((visit) => difference(arm, visit))]);
  return table(caption, ["arm", ...visits.map(({ visit }) => formatVisit(visit))], compared);
}

// With the 95 % interval that the number of trials leaves.
function successText({ success_share: share, success_low: low, success_high: high }, replicates) {
  const isKnown = replicates > 1 && Number.isFinite(low) && Number.isFinite(high);
  return isKnown ? `${percentText(share)} (${Math.round(100 * low)} to ${Math.round(100 * high)} %)` : percentText(share);
}

// What the published trial found, beside what its simulation gives.
function publishedTable({ published, primary, replicates }) {
  if (!published?.length) return null;
  const withRange = (value, low, high) =>
    `${formatNumber(value)}${Number.isFinite(low) && Number.isFinite(high) ? ` (${formatRange(low, high)})` : ""}`;
  const rows = published.map((row) => [
    `${row.statistic}, ${row.arm}${row.against ? ` against ${row.against}` : ""}`,
    withRange(row.published, row.published_low, row.published_high),
    withRange(row.simulated, row.low, row.high),
    row.unit,
    insideText(row, replicates),
    row.fitted ? "yes" : "no",
  ]);
  const head = ["", "published (95 %)", `simulated, ${trialCount(replicates)} (95 % of trials)`, "unit", "published in this range", "used to fit"];
  const isOfRelapse = ({ statistic }) => /relapse|still well|hazard/.test(statistic);
  const what = [published.every(isOfRelapse) ? "" : primary, published.some(isOfRelapse) ? "relapse" : ""].filter(Boolean).join(", and ");
  return table(`${what[0].toUpperCase()}${what.slice(1)} in the published trial and in its simulation`, head, rows);
}

// Whether the published number lies among 95 % of the simulated trials.
function insideText({ published, low, high }, replicates) {
  if (replicates < 2 || !Number.isFinite(low) || !Number.isFinite(high)) return "–";
  return published >= low && published <= high ? "inside" : "outside";
}

const NOT_THE_STORY =
  "The difference between arms is not what the drug adds in the story, which is one typical patient: here people and parameter values " +
  "differ, and a control drug that is felt, such as midazolam, raises expectancy in its arm.";
const FALL_WITHOUT_DRUG =
  "Scores fall on the control too, by expectancy and the natural course of depression, and by more than for the typical patient of the story.";
const BY_RATING =
  "Patients are enrolled by a rating with error, so more often at a bad time: their scores fall for this reason too (regression to the mean).";
const BY_POPULATION =
  "Patients enter by the scores of the population, not by a limit of a rating. The key “eligibility” of a trial file sets such limits, which add regression to the mean.";

const ANALYSIS =
  "Analysis: ANCOVA, the score at the primary endpoint with the baseline as covariate, of the patients who were rated at this " +
  "visit; nothing is imputed. Drop-out depends on chance, and on the rating where the trial says so.";

function notes(found) {
  const lines = [
    found.effects.length > 0 && !found.is_within_patients && ANALYSIS,
    ...found.assumptions,
    ...(found.primary.startsWith("MADRS") && found.reference_is_control ? [NOT_THE_STORY, FALL_WITHOUT_DRUG] : []),
    found.enrolled_by_rating !== null && (found.enrolled_by_rating ? BY_RATING : BY_POPULATION),
    ...Object.entries(found.responses).map(([scale, share]) => share > 0 && `Response: ${scale} falls by at least ${percentText(share)} of baseline.`),
    found.relapse_rule && `Relapse of a responder: ${found.relapse_rule}, confirmed at the next rating.`,
    found.failed_share && `${formatNumber(100 * found.failed_share, 2)} % of patients could not be solved and are missing.`,
    ...found.relapse.map(relapseText),
    found.relapse_note,
    ...Object.entries(found.not_estimated).map(([quantity, reason]) => `Not estimated: ${quantity}: ${reason}.`),
  ].filter(Boolean);
  if (!lines.length) return [];
  const items = lines.map((text) => element("li", { class: "secondary", text }));
  return [sectionTitle("Notes"), element("ul", {}, items)];
}

function relapseText({ group, median_days: median, low, high }) {
  if (median === null) return `${group}: fewer than half of the responders relapse within the trial.`;
  const interval = low === null || high === null ? "" : ` (${formatRange(low, high)})`;
  return `${group}: median time to relapse ${formatNumber(median)} days${interval}.`;
}

// The trial as a file, a command and Python that give the same numbers; first, after a search, with the size found.
function reproduction({ file, command, python, found_file: found }) {
  const block = (title, text, name, mediaType) => {
    const save = button("Save", () => download(text, name, mediaType));
    return codeSection(title, text, save);
  };
  const blocks = [
    found && block("Trial file with the sample size that was found", found, "trial-found.yaml", "application/yaml"),
    file && block(found === undefined ? "Trial file" : "Trial file of the search, which sets the number of patients", file, "trial.yaml", "application/yaml"),
    block("Command line", command, "trial.sh", "text/x-shellscript"),
    block("Python", python, "trial.py", "text/x-python"),
  ];
  return [sectionTitle("Reproduce this trial"), element("div", { class: "downloads" }, blocks)];
}
