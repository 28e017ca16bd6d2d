// The result of a trial: the difference between arms first, then sample size, power, means, responders and survival.

import { DAY } from "../engine/units.js";
import { button, download, element, errorBox, paragraph, sectionTitle, table } from "./dom.js";
import { COLOURS, XyChart } from "./figure.js";
import { formatNumber, formatRange, formatSigned, formatTime } from "./format.js";
import { codeSection } from "./tab-downloads.js";

const NOT_SHOWN = "not shown"; // an answer of `errors`

const FILES =
  "Tables of every subject, rating and result (CSV, Parquet, CDISC names), figures, the data as Zarr, the report page, " +
  "the trial file and the script: the files that “ketamech trial” writes.";

// `job`: the job of the result, whose files may be saved; null for a run that was stored in the browser.
export function trialResultNodes(found, job) {
  const charts = resultCharts(found).map((chart) => chart.node);
  return [
    sectionTitle(found.title),
    findings(found),
    ...methodNotes(found),
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

// Warnings; after a search the sample size and where it ended; the difference with the size of the trials; how often a
// trial does not succeed.
function findings(found) {
  const { sample_size: sizes = [], errors, size, search_ends: ends, notes_on_size: notes, caveat } = found;
  const list = (found.warnings ?? []).map((text) => paragraph(text, "finding warning"));
  if (sizes.length) {
    list.push(...sizes.map(({ text }) => paragraph(text, "finding")), ...(ends ?? []).map((text) => paragraph(text)));
    const remarks = [SIZE_NOTE, ...(notes ?? []), typedSizeNote(found), caveat, ...limitNotes(sizes)].filter(Boolean);
    list.push(...remarks.map((text) => paragraph(text, "secondary")));
    if (size) list.push(paragraph(`The largest trials of the search, with ${size}; figures and tables below are theirs:`));
  }
  list.push(...found.differences.map((text) => paragraph(text, "finding")));
  list.push(...chancesToFail(found), ...errors.map(({ arm, text }) => paragraph(`${arm}: ${text}`)));
  if (!sizes.length && caveat) list.push(paragraph(caveat, "secondary"));
  return element("div", { class: "findings" }, list);
}

const typedSizeNote = ({ request_size: typed }) =>
  typed
    ? `The search chose its sizes itself. The ${typed} patients per arm of the form count only as the planned size of the trial, on which its mean effects depend.`
    : null;

// How often a trial of the size that was run does not succeed although the arms differ, where no sentence of `errors` says
// it; and the largest trial of a search that found no number.
function chancesToFail({ effects, sample_size: sizes, arms, replicates, errors }) {
  const chance = (arm, n, share, difference) =>
    paragraph(`${arm}: a trial with ${n} patients in this arm does not succeed with a chance of ${percentText(share)}; the arms differ by ${formatNumber(Math.abs(difference), 2)} points in the model.`);
  const stated = (arm) => errors.some((one) => one.arm === arm && one.answer === NOT_SHOWN);
  const better = effects.filter(({ arm, difference }) => difference < 0 && !stated(arm));
  const size = new Map(arms.map(({ name, n }) => [name, n]));
  if (!sizes?.length) {
    return replicates > 1 ? better.map(({ arm, success_share: success, difference }) => chance(arm, size.get(arm), 1 - success, difference)) : [];
  }
  return better.flatMap(({ arm, difference }) => {
    const own = sizes.find((one) => one.arm === arm && one.patients === null);
    return own ? [chance(arm, size.get(arm), own.type_2_error, difference)] : [];
  });
}

const SIZE_NOTE = "The number counts randomised patients, drop-out included.";
const NO_LIMIT = 0.995;

// Where no number of patients gives all of the power.
function limitNotes(sizes) {
  const limited = sizes.filter(({ limit }) => limit > 0.5 && limit < NO_LIMIT); // 0.5 and less: no effect in this direction
  const text = ({ arm, limit }) =>
    `${arm}: each simulated trial has other parameter values, so that power stays below ${Math.ceil(100 * limit)} % however large the trial is.`;
  return limited.map(text);
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
  const names = found.arms.map(({ name }) => name);
  const compared = names.filter((name) => name !== found.reference); // the reference arm has the last colour of the arms
  const order = new Map([...compared, ...names.filter((name) => name === found.reference)].map((name, i) => [name, i % COLOURS]));
  const series = (rows, key, make) =>
    groupBy(rows, key)
      .map(([label, list], i) => ({ label, index: order.get(label) ?? i, ...make(list) }))
      .sort((a, b) => a.index - b.index);
  const days = dayAxis(found);
  const spread = found.replicates > 1 ? "; bars: 95 % of the trials" : "; bars: 95 % intervals";
  const [primaryScale, primaryVisit] = found.primary.split(" at ");
  const primaryHour = (found.means[primaryScale] ?? []).find(({ visit }) => visit === primaryVisit)?.hour;
  const primaryDay = primaryHour === undefined ? null : primaryHour / DAY;
  const charts = Object.entries(found.means).map(([scale, rows]) =>
    shownWithFinding({ title: `${scale}, mean of each arm`, unit: `${unitOf(found, scale)}${spread}`, ...days }, series(rows, "arm", meanSeries), primaryDay),
  );
  for (const [scale, rows] of Object.entries(found.response_rates)) {
    const hours = new Map(found.means[scale].map(({ visit, hour }) => [visit, hour]));
    const visits = rows.filter(({ visit }) => visit !== "baseline");
    const settings = { title: `${scale}, responders`, unit: `% of each arm${spread}`, range: [0, 100], ...days };
    charts.push(shownWithFinding(settings, series(visits, "arm", (list) => responderSeries(list, hours)), primaryDay));
  }
  if (found.survival.length) {
    const title = "Responders without relapse";
    const settings = { title, unit: "% of responders", xLabel: "days since response", range: [0, 100] };
    charts.push(shownWithFinding(settings, series(found.survival, "group", survivalSeries)));
  }
  if (new Set(columnOf(found.power, "patients_per_arm")).size > 1) {
    const unit = `% of trials: ${found.criterion}`;
    const guides = sizeGuides(found.sample_size ?? []);
    const settings = { title: `Power: ${found.primary}`, unit, xLabel: "patients per arm", range: [0, 100], guides };
    const chart = shownWithFinding(settings, series(found.power, "arm", powerSeries));
    if (found.sample_size?.length) charts.unshift(chart);
    else charts.push(chart);
  }
  return charts;
}

const unitOf = ({ units }, scale) => units?.[scale] ?? "points";

// The target power, and the number of patients in each arm that was found for each comparison.
function sizeGuides(sizes) {
  const found = sizes.flatMap(({ patients_per_arm: numbers }) => (Object.values(numbers ?? {}).length ? [Math.max(...Object.values(numbers))] : []));
  const levels = [...new Set(sizes.map(({ target }) => 100 * target))];
  return [...levels.map((y) => ({ y, label: `${formatNumber(y)} %` })), ...[...new Set(found)].map((x) => ({ x, label: `n ${x}` }))];
}

const DAY_NAME = /^(?:day ([\d.]+)|([\d.]+) d)$/;

// The axis of visits, named as the trial names them: a trial with a visit "day 8" counts its first day as day 1.
function dayAxis({ means }) {
  const rows = Object.values(means).flat();
  const first = rows.some(({ visit }) => /(^|: )day \d/.test(visit)) ? 1 : 0;
  const xText = (x) => (Math.abs(x - Math.round(x)) < 0.06 ? String(Math.round(x) + first) : formatNumber(x + first, 2));
  const names = new Map(rows.map(({ hour, visit }) => [hour / DAY, visit]));
  return { xLabel: first ? "day" : "days", xText, names, dodge: 3 };
}

// A chart whose heading states the value of every line at the primary endpoint, or else the last one; an axis of visits,
// whose `names` are given, has their days.
function shownWithFinding({ names, ...settings }, series, place = null) {
  const ticks = names ? [...new Set(series.flatMap(({ x }) => x))].sort((a, b) => a - b) : null;
  const chart = new XyChart({ ...settings, ticks }).show(series);
  const isRated = place !== null && series.every(({ x }) => x.includes(place));
  const shown = isRated ? place : Math.max(...series.flatMap(({ x }) => x));
  const values = series.map(({ label, x, y }) => `${label}: ${formatNumber(isRated ? y[x.indexOf(place)] : y.at(-1))}`);
  const when = names ? formatVisit(shown * DAY, names.get(shown)) : `At ${formatNumber(shown)} ${settings.xLabel}`;
  if (series.length) chart.setFinding(`${when} – ${values.join("; ")}`);
  return chart;
}

// A visit: "Day 7" as it is named; else its time: "40 min", "24 h", "7 d 40 min".
function formatVisit(hours, name = "") {
  const day = DAY_NAME.exec(name.split(": ").at(-1));
  if (day) return `Day ${day[1] ?? day[2]}`;
  const days = Math.floor(hours / DAY + 1e-6);
  const rest = hours - days * DAY;
  if (days < 2) return formatTime(hours);
  return rest < 0.01 ? `Day ${days}` : `${days} d ${formatTime(rest)}`;
}

const columnOf = (rows, name) => rows.map((row) => row[name]);
const percents = (rows, name) => rows.map((row) => (row[name] === null ? null : 100 * row[name]));

export const percentText = (share) => `${Math.round(100 * share)} %`;

// The interval is that of the change since baseline, moved to the mean; at baseline there is none.
const meanSeries = (rows) => ({
  x: rows.map(({ hour }) => hour / DAY),
  y: columnOf(rows, "mean"),
  low: rows.map(({ hour, mean, change, low }) => (hour > 0 ? mean - change + low : null)),
  high: rows.map(({ hour, mean, change, high }) => (hour > 0 ? mean - change + high : null)),
});

function responderSeries(rows, hours) {
  const interval = (name) => (rows.every((row) => name in row) ? percents(rows, name) : null);
  const x = rows.map(({ visit }) => (hours.get(visit) ?? 0) / DAY);
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
  const rows = found.arms.map(({ name, n, treatment, last_dose_day: last }) => [name, n, dropout(name), last ?? "–", treatment]);
  const head = ["arm", "patients", "drop-out", "day of the last dose", "treatment"];
  return table(`Arms, ${trialCount(found.replicates)}`, head, rows);
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
  const size = found.size ? ` with ${found.size}` : "";
  const caption = `${found.primary}, compared with ${found.reference}, ${how}, ${trialCount(found.replicates)}${size}`;
  const range = found.replicates > 1 ? "95 % of trials" : "interval";
  const head = ["arm", `difference, ${unitOf(found, found.primary.split(" at ")[0])}`, range, `success: ${found.criterion}`, "direction"];
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
  return table(caption, ["arm", ...visits.map(({ hour, visit }) => formatVisit(hour, visit))], compared);
}

// With the 95 % interval that the number of trials leaves.
function successText({ success_share: share, success_low: low, success_high: high }, replicates) {
  const isKnown = replicates > 1 && Number.isFinite(low) && Number.isFinite(high);
  return isKnown ? `${percentText(share)} (${Math.round(100 * low)} to ${Math.round(100 * high)} %)` : percentText(share);
}

// What the published trial found, beside what its simulation gives.
function publishedTable({ published, primary, replicates, is_withdrawal: isWithdrawal }) {
  if (!published?.length) return null;
  const withRange = (value, low, high) =>
    `${formatNumber(value)}${Number.isFinite(low) && Number.isFinite(high) ? ` (${formatRange(low, high)})` : ""}`;
  const shown = [...published].sort((a, b) => a.fitted - b.fitted); // a number that set no value is a test: first
  const rows = shown.map((row) => [
    `${row.statistic}, ${row.arm}${row.against ? ` against ${row.against}` : ""}`,
    withRange(row.published, row.published_low, row.published_high),
    withRange(row.simulated, row.low, row.high),
    row.verdict || "–",
    row.unit,
    row.fitted ? "yes" : "no",
  ]);
  const head = ["", "published (95 %)", `simulated, ${trialCount(replicates)} (95 % of trials)`, "published is", "unit", "used to fit"];
  const judged = published.filter(({ verdict }) => verdict);
  const outside = judged.filter(({ verdict }) => verdict === "outside").length;
  const verdict = judged.length ? `: ${outside} of ${judged.length} published numbers are outside the range of 95 % of the simulated trials` : "; 20 replicates or more say whether published numbers are inside";
  return table(`${isWithdrawal ? "Relapse" : primary} in the published trial and in its simulation${verdict}`, head, rows);
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

// How the trial is analysed, and its spread beside published ones.
function methodNotes({ methods }) {
  if (!methods?.length) return [];
  return [sectionTitle("Analysis and spread"), element("ul", { class: "methods" }, methods.map((text) => element("li", { text })))];
}

function notes(found) {
  const lines = [
    ...found.assumptions,
    ...found.cautions,
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
