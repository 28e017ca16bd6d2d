// Virtual trials: a shipped one, or the cases as arms. Means, responders, survival, power.

import { getJson, runJob } from "./api.js";
import { caseLetter } from "./case-list.js";
import {
  button,
  download,
  element,
  emptyState,
  field,
  paragraph,
  sectionTitle,
  select,
  tabContent,
  table,
} from "./dom.js";
import { COLOURS, XyChart } from "./figure.js";
import { formatNumber, formatRange } from "./format.js";
import { codeSection } from "./tab-downloads.js";
import { regimenText } from "./treatment-form.js";

const DAY = 24; // h
const MAX_ARM_NAME = 60;
const MAX_SEED = 2147483647;
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
const REPLICATES_HINT = "1 to 500: the trial is repeated with other patients and other parameter draws";
const NOT_YET = "No trial yet. The cases become the arms of the trial.";

export function trialTab(workbench) {
  const place = element("div", {});
  const results = element("div", {}, emptyState(NOT_YET));
  const inputs = trialInputs(workbench.metadata.trial_populations);
  for (const [name, input] of Object.entries(inputs)) workbench.keepInLink(`trial.${name.replace(/_/g, "")}`, input);
  const note = element("p", { class: "full-width secondary" });
  const submit = button("Run the trial", null, { type: "submit", class: "primary" });
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

  const onsubmit = (event) => {
    event.preventDefault();
    results.replaceChildren();
    const show = (found) => results.replaceChildren(...resultNodes(found));
    runJob("/api/jobs/trial", trialRequest(inputs, workbench.cases), { place, show, submit, fields: inputs });
  };
  const maxPatients = workbench.metadata.limits.trial_patients.toLocaleString("en");
  const form = element(
    "form",
    { class: "panel-form", novalidate: true, onsubmit },
    element("div", { class: "full-width" }, field("Trial", inputs.shipped)),
    field("Patients per arm", inputs.patients_per_arm, `2 to 2000; with replicates, at most ${maxPatients} in all`),
    field("Replicates", inputs.replicates, REPLICATES_HINT),
    field("Random seed", inputs.seed, `0 to ${MAX_SEED}; the same seed gives the same patients`),
    ownDesign,
    note,
    element("div", { class: "full-width" }, submit),
  );
  const update = () => {
    if (!isListed) listShippedTrials();
    showDesign();
  };
  return { node: tabContent("Virtual trial", INTRODUCTION, form, place, results), update };
}

// By the key of the request.
function trialInputs(populations) {
  const number = (min, max, value) => element("input", { type: "number", min, max, value });
  const labels = new Map(populations.map(({ id, label }) => [id, label]));
  return {
    shipped: select([""], () => "Cases as arms"),
    patients_per_arm: number(2, 2000, 60),
    replicates: number(1, 500, 20),
    population: select([...labels.keys()], (id) => labels.get(id)),
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
    days: (inputs.days.value.match(/[^\s,]+/g) ?? []).map(Number),
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
    sectionTitle(found.title),
    armsTable(found),
    comparisonTable(found),
    element("div", { class: "figure-grid" }, charts),
    ...notes(found),
    ...reproduction(found.reproduction),
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
  for (const [scale, rows] of Object.entries(found.response_rates)) {
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

const columnOf = (rows, name) => rows.map((row) => row[name]);

// The interval is that of the change, moved to the mean.
const meanSeries = (rows) => ({
  x: rows.map(({ hour }) => hour / DAY),
  y: columnOf(rows, "mean"),
  low: rows.map(({ mean, change, low }) => mean - change + low),
  high: rows.map(({ mean, change, high }) => mean - change + high),
});

function responderSeries(rows, hours) {
  const interval = (name) => (rows.every((row) => name in row) ? columnOf(rows, name) : null);
  const x = rows.map(({ visit }) => (hours.get(visit) ?? 0) / DAY);
  return { x, y: columnOf(rows, "response"), low: interval("response_low"), high: interval("response_high") };
}

const survivalSeries = (rows) => ({ x: columnOf(rows, "day"), y: columnOf(rows, "without_relapse"), steps: true });

const powerSeries = (rows) => {
  const [x, y, low, high] = ["n_per_arm", "power", "low", "high"].map((name) => columnOf(rows, name));
  return { x, y, low, high };
};

const trialCount = (replicates) => `${replicates} ${replicates === 1 ? "trial" : "trials"}`;

function armsTable(found) {
  const dropout = (name) => {
    const percent = found.dropout_percent[name];
    return percent === undefined ? "–" : `${formatNumber(percent)} %`;
  };
  const rows = found.arms.map(({ name, n, treatment }) => [name, n, dropout(name), treatment]);
  return table(`Arms, ${trialCount(found.replicates)}`, ["arm", "patients", "dropout", "treatment"], rows);
}

function comparisonTable(found) {
  const estimated = found.comparison.filter(({ difference }) => difference !== null);
  const arms = groupBy(estimated, "arm");
  if (!arms.length) {
    const reason = found.comparison.length
      ? "The difference between arms cannot be estimated."
      : "One arm: no comparison.";
    return paragraph(reason, "secondary");
  }
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
    ...found.assumptions,
    found.failed_percent && `${found.failed_percent} % of patients could not be solved and are missing.`,
    ...found.relapse.map(relapseText),
    hazardRatioText(found.hazard_ratio),
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
    const save = button("Save", () => download(text, name, mediaType));
    return codeSection(title, text, save);
  };
  const blocks = [
    file && block("Trial file", file, "trial.yaml", "application/yaml"),
    block("Command line", command, "trial.sh", "text/x-shellscript"),
    block("Python", python, "trial.py", "text/x-python"),
  ];
  return [sectionTitle("Reproduce this trial"), element("div", { class: "downloads" }, blocks)];
}
