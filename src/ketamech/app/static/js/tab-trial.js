// Virtual trials: a shipped one, or the cases as arms. Means, responders, survival, power.

import { getJson } from "./api.js";
import { caseLetter } from "./case-list.js";
import { download, element, field, options, table } from "./dom.js";
import { COLOURS } from "./figure.js";
import { formatNumber, formatRange } from "./format.js";
import { runJob } from "./run-job.js";
import { codeSection } from "./tab-downloads.js";
import { regimenText } from "./treatment-form.js";
import { XyChart } from "./xy-chart.js";

const DAY = 24; // h
const MAX_ARM_NAME = 60;
const MAX_SEED = 2147483647;
const POPULATIONS = {
  trd: "treatment-resistant depression",
  mdd: "major depression",
  bipolar: "bipolar depression",
  adult: "adults",
};
const NOT_IN_TRIAL = {
  pathways: "pathways off",
  perturbations: "perturbations",
  species: "species",
  variant: "model variant",
  parameters: "parameters",
};
const INTRODUCTION =
  "Virtual patients are sampled, randomised, dosed and rated with measurement error; some drop out. Expectancy and " +
  "unblinding are included. Replicates of the trial show the variation of its result by chance. Arms take the " +
  "treatments of the cases; patients come from the population, not from the cases.";
const NOT_YET = "No trial yet. The cases become the arms of the trial.";

export function trialTab(workbench) {
  const place = element("div", {});
  const results = element("div", {}, element("div", { class: "empty-state" }, element("p", { text: NOT_YET })));
  const inputs = trialInputs();
  for (const [name, input] of Object.entries(inputs)) workbench.keepInLink(`trial.${name.replace(/_/g, "")}`, input);
  const note = element("p", { class: "full-width secondary" });
  const button = element("button", { type: "submit", class: "primary", text: "Run the trial" });
  const ownDesign = [
    field("Population", inputs.population, "from which patients are enrolled"),
    field("Visit days", inputs.days, "days with a MADRS rating: up to 12, from 1 to 730"),
  ];

  const showDesign = () => {
    for (const node of ownDesign) node.hidden = Boolean(inputs.shipped.value);
    const ignored = inputs.shipped.value ? [] : ignoredSettings(workbench.cases);
    note.textContent = `Not part of the trial, which takes only the treatments: ${ignored.join("; ")}.`;
    note.hidden = !ignored.length;
  };
  inputs.shipped.addEventListener("change", showDesign);

  let isListed = false;
  const listShippedTrials = async () => {
    isListed = true;
    try {
      const trials = await getJson("/api/trials");
      inputs.shipped.append(...trials.map(({ name, title }) => element("option", { value: name, text: title })));
      inputs.shipped.value = workbench.view["trial.shipped"] ?? "";
      showDesign();
    } catch {
      isListed = false; // tried again at the next update
    }
  };

  const submit = (event) => {
    event.preventDefault();
    results.replaceChildren();
    const show = (found) => results.replaceChildren(...resultNodes(found));
    runJob("/api/jobs/trial", trialRequest(inputs, workbench.cases), { place, show, button, fields: inputs });
  };
  const maxPatients = workbench.about.limits.trial_people.toLocaleString("en");
  const form = element(
    "form",
    { class: "panel-form", novalidate: true, onsubmit: submit },
    element("div", { class: "full-width" }, field("Trial", inputs.shipped)),
    field("Patients per arm", inputs.patients_per_arm, `2 to 2000; with replicates, at most ${maxPatients} in all`),
    field(
      "Replicates",
      inputs.replicates,
      "1 to 500: the trial is repeated with other patients and other parameter draws",
    ),
    field("Random seed", inputs.seed, `0 to ${MAX_SEED}; the same seed gives the same patients`),
    ownDesign,
    note,
    element("div", { class: "full-width" }, button),
  );
  const node = element(
    "div",
    {},
    element("h2", { text: "Virtual trial" }),
    element("p", { class: "secondary", text: INTRODUCTION }),
    form,
    place,
    results,
  );
  const update = () => {
    if (!isListed) listShippedTrials();
    showDesign();
  };
  return { node, update };
}

// By the key of the request.
function trialInputs() {
  const number = (min, max, value) => element("input", { type: "number", min, max, value });
  return {
    shipped: element("select", {}, element("option", { value: "", text: "Cases as arms" })),
    patients_per_arm: number(2, 2000, 60),
    replicates: number(1, 500, 20),
    population: element(
      "select",
      {},
      options(Object.keys(POPULATIONS), (name) => POPULATIONS[name]),
    ),
    days: element("input", { type: "text", value: "1, 3, 7, 14, 28", maxlength: 80 }),
    seed: number(0, MAX_SEED, 1),
  };
}

function trialRequest(inputs, cases) {
  return {
    shipped: inputs.shipped.value,
    arms: inputs.shipped.value ? {} : armsOf(cases),
    population: inputs.population.value,
    patients_per_arm: Number(inputs.patients_per_arm.value),
    replicates: Number(inputs.replicates.value),
    days: inputs.days.value
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(Number),
    seed: Number(inputs.seed.value),
  };
}

// Treatments of the cases by their titles; a title that is used twice gets a mark.
function armsOf(cases) {
  const arms = {};
  cases.forEach(({ title, treatments }, i) => {
    let name = (title || `Case ${i + 1}`).slice(0, MAX_ARM_NAME);
    while (name in arms) name += "’";
    arms[name] = treatments.map(regimenText).join("; ");
  });
  return arms;
}

function ignoredSettings(cases) {
  return cases.flatMap((scenario, i) => {
    const set = Object.entries(NOT_IN_TRIAL).filter(([key]) => Object.values(scenario[key] ?? {}).length);
    return set.map(([, label]) => `${caseLetter(i)}: ${label}`);
  });
}

function resultNodes(found) {
  const charts = resultCharts(found).map((chart) => chart.node);
  return [
    element("h3", { class: "section-title", text: found.title }),
    armsTable(found),
    comparisonTable(found),
    element("div", { class: "figure-grid" }, charts),
    ...notes(found),
    ...reproduction(found.typed),
  ];
}

const groupBy = (rows, key) => [...Map.groupBy(rows, (row) => row[key])];

function resultCharts(found) {
  const order = new Map(found.arms.map((arm, i) => [arm.name, i % COLOURS]));
  const series = (rows, key, make) =>
    groupBy(rows, key).map(([label, list], i) => ({ label, index: order.get(label) ?? i, ...make(list) }));
  const days = { xLabel: "days" };
  const charts = Object.entries(found.means).map(([scale, rows]) =>
    new XyChart({ title: `${scale}, mean of each arm`, unit: "points", ...days }).show(series(rows, "arm", meanSeries)),
  );
  for (const [scale, rows] of Object.entries(found.shares)) {
    const hours = new Map(found.means[scale].map(({ visit, hour }) => [visit, hour]));
    const visits = rows.filter(({ visit }) => visit !== "baseline");
    const chart = new XyChart({ title: `${scale}, responders`, unit: "% of each arm", range: [0, 100], ...days });
    charts.push(chart.show(series(visits, "arm", (list) => responderSeries(list, hours))));
  }
  if (found.survival.length) {
    const title = "Responders without relapse";
    const chart = new XyChart({ title, unit: "fraction", xLabel: "days since response", range: [0, 1] });
    charts.push(chart.show(series(found.survival, "group", survivalSeries)));
  }
  if (found.power.length > 1) {
    const unit = "% of trials with p < 0.05";
    const chart = new XyChart({ title: `Power: ${found.primary}`, unit, xLabel: "patients per arm", range: [0, 100] });
    charts.push(chart.show(series(found.power, "arm", powerSeries)));
  }
  return charts;
}

// The interval is that of the change, moved to the mean.
const meanSeries = (rows) => ({
  x: rows.map(({ hour }) => hour / DAY),
  y: rows.map(({ mean }) => mean),
  low: rows.map(({ mean, change, low }) => mean - change + low),
  high: rows.map(({ mean, change, high }) => mean - change + high),
});

function responderSeries(rows, hours) {
  const column = (name) => (rows.every((row) => name in row) ? rows.map((row) => row[name]) : null);
  return {
    x: rows.map(({ visit }) => (hours.get(visit) ?? 0) / DAY),
    y: rows.map(({ response }) => response),
    low: column("response_low"),
    high: column("response_high"),
  };
}

const survivalSeries = (rows) => ({
  x: rows.map(({ day }) => day),
  y: rows.map((row) => row.still_well),
  steps: true,
});

const powerSeries = (rows) => ({
  x: rows.map((row) => row.n_per_arm),
  y: rows.map(({ power }) => power),
  low: rows.map(({ low }) => low),
  high: rows.map(({ high }) => high),
});

const trialCount = (replicates) => `${replicates} ${replicates === 1 ? "trial" : "trials"}`;

function armsTable(found) {
  const dropout = (name) => {
    const percent = found.left_percent[name];
    return percent === undefined ? "–" : `${formatNumber(percent)} %`;
  };
  const rows = found.arms.map(({ name, n, given }) => [name, n, dropout(name), given]);
  return table(`Arms, ${trialCount(found.replicates)}`, ["arm", "patients", "dropout", "treatment"], rows);
}

function comparisonTable(found) {
  const arms = groupBy(
    found.comparison.filter(({ difference }) => difference !== null),
    "arm",
  );
  if (!arms.length && found.comparison.length) {
    return element("p", { class: "secondary", text: "The difference between arms cannot be estimated." });
  }
  if (!arms.length) return element("p", { class: "secondary", text: "One arm: no comparison." });
  const caption = `${found.primary}, compared with ${found.reference}, ${trialCount(found.replicates)}`;
  return table(caption, ["arm", "difference, points", "95 %", "p < 0.05"], arms.map(comparisonRow));
}

// Mean over trials, with the range of 95 % of them; of a single trial its own interval.
function comparisonRow([arm, rows]) {
  const differences = rows.map(({ difference }) => difference).sort((a, b) => a - b);
  const mean = differences.reduce((sum, value) => sum + value, 0) / rows.length;
  const quantile = (share) => differences[Math.min(rows.length - 1, Math.floor(share * rows.length))];
  const [low, high] = rows.length > 1 ? [quantile(0.025), quantile(0.975)] : [rows[0].low, rows[0].high];
  const significant = rows.filter(({ p }) => p < 0.05).length / rows.length;
  return [arm, formatNumber(mean), formatRange(low, high), `${Math.round(100 * significant)} %`];
}

function notes(found) {
  const lines = [
    ...found.assumed,
    found.failed_percent && `${found.failed_percent} % of patients could not be solved and are missing.`,
    ...found.relapse.map(relapseText),
    hazardRatioText(found.hazard_ratio),
    ...Object.entries(found.not_estimated).map(([quantity, reason]) => `Not estimated: ${quantity}: ${reason}.`),
  ].filter(Boolean);
  if (!lines.length) return [];
  const items = lines.map((text) => element("li", { class: "secondary", text }));
  return [element("h3", { class: "section-title", text: "Notes" }), element("ul", {}, items)];
}

function relapseText({ group, median_days: median, low, high }) {
  if (median === null) return `${group}: fewer than half of the responders relapse within the trial.`;
  const interval = low === null || high === null ? "" : ` (${formatRange(low, high)})`;
  return `${group}: median time to relapse ${formatNumber(median)} days${interval}.`;
}

function hazardRatioText({ hazard_ratio: ratio, low, high }) {
  if (!ratio) return "";
  if (low > 0 && Number.isFinite(high)) {
    return `Hazard ratio ${formatNumber(ratio)} (${formatRange(low, high)}), first trial.`;
  }
  return "Hazard ratio: cannot be estimated from the first trial, because too few patients relapsed in one arm.";
}

// The trial as a file, a command and Python that give the same numbers.
function reproduction({ file, command, python }) {
  const block = (title, text, name, mediaType) => {
    const save = () => download(text, name, mediaType);
    return codeSection(title, text, element("button", { type: "button", text: "Save", onclick: save }));
  };
  const blocks = [
    file && block("Trial file", file, "trial.yaml", "application/yaml"),
    block("Command line", command, "trial.sh", "text/x-shellscript"),
    block("Python", python, "trial.py", "text/x-python"),
  ];
  const title = element("h3", { class: "section-title", text: "Reproduce this trial" });
  return [title, element("div", { class: "downloads" }, blocks)];
}
