// Runs of trials that are stored in this browser under a name, and their comparison side by side.

import { announce, button, download, element, field, linkButton, paragraph, sectionTitle, table } from "./dom.js";
import { formatNumber } from "./format.js";
import { COLOURS, csvText, XyChart } from "./figure.js";
import { MISSED, percentText, powerSeries } from "./trial-results.js";

const KEY = "ketamech.trials";
const MAX_RUNS = 12;
const MAX_NAME = 60;
const FULL = "There is no room in the storage of this browser: remove a stored run first.";
const ABOUT = "Stored runs stay in this browser until they are removed.";

export class TrialRuns {
  // `open` shows a stored run, `reuse` sets the form to its request.
  constructor(open, reuse) {
    this.open = open;
    this.reuse = reuse;
    this.runs = readRuns();
    this.node = element("section", { class: "runs", "aria-label": "Stored runs" });
    this.draw();
  }

  // A field for the name of a new result, and a button that stores it.
  storeForm(result, request) {
    const name = element("input", { type: "text", maxlength: MAX_NAME });
    name.value = `Run ${this.runs.length + 1}`;
    const message = element("p", { class: "field-error", role: "alert" });
    const store = ({ target }) => {
      const isStored = this.add({ name: name.value.trim() || "Untitled", stored: Date.now(), request, result });
      message.textContent = isStored ? "" : FULL;
      if (isStored) target.textContent = "Stored";
      target.disabled = isStored;
    };
    const parts = [field("Name of this run", name), button("Store this run", store), message];
    return element("div", { class: "store-run" }, parts);
  }

  add(run) {
    const runs = [...this.runs, run].slice(-MAX_RUNS);
    if (!writeRuns(runs)) return false;
    this.runs = runs;
    this.draw();
    announce(`${run.name} stored`);
    return true;
  }

  remove(run) {
    this.runs = this.runs.filter((one) => one !== run);
    writeRuns(this.runs);
    this.draw();
  }

  draw() {
    if (!this.runs.length) return this.node.replaceChildren();
    const rows = comparisonRows(this.runs);
    const head = ["", ...this.runs.map(({ name }) => name)];
    const buttons = (run) =>
      element(
        "span",
        { class: "buttons" },
        linkButton("Show", () => this.open(run), { "aria-label": `Show ${run.name}` }),
        linkButton("Use its settings", () => this.reuse(run.request), { "aria-label": `Use the settings of ${run.name}` }),
        linkButton("Remove", () => this.remove(run), { "aria-label": `Remove ${run.name}` }),
      );
    const save = button("Save the comparison as CSV", () => {
      download(csvText([head, ...rows]), "ketamech-trials.csv", "text/csv");
    });
    const caption = `${this.runs.length} stored ${this.runs.length === 1 ? "run" : "runs"}`;
    const shown = table(caption, head, [...rows, ["", ...this.runs.map(buttons)]]);
    const chart = powerChart(this.runs);
    this.node.replaceChildren(
      sectionTitle("Stored runs, side by side"),
      paragraph(ABOUT, "secondary"),
      shown,
      element("div", { class: "buttons" }, save),
      ...(chart ? [element("div", { class: "figure-grid" }, chart.node)] : []),
    );
  }
}

const SIZE_COLUMNS = [
  ["patients in all", "patients"],
  ["patients in all, lower limit", "low"],
  ["patients in all, upper limit", "high"],
  ["target power", "target"],
];

function comparisonRows(runs) {
  const cell = (label, text) => [label, ...runs.map(({ result, request }) => text(result, request))];
  const arm = ({ name, n, treatment }) => `${name}, n ${n}: ${treatment}`;
  return [
    cell("difference between arms", ({ differences }) => differences.join(" ")),
    cell("sample size", ({ sample_size: sizes }) => sizes.map(({ text }) => text).join(" ") || "–"),
    ...SIZE_COLUMNS.map(([label, key]) => cell(label, ({ sample_size: sizes }) => sizes.map((one) => one[key] ?? "–").join("; ") || "–")),
    cell("difference, points", ({ effects }) => effects.map(({ difference }) => formatNumber(difference)).join("; ") || "–"),
    cell("alpha", (_, { alpha }) => alpha ?? "–"),
    cell("margin, points", (_, { margin }) => margin ?? "–"),
    cell("chance of a wrong answer", (result) => wrongAnswers(result).join(" ") || "–"),
    cell("arms", ({ arms }) => arms.map(arm).join("; ")),
    cell("success", ({ criterion }) => criterion),
    cell("replicates", ({ replicates }) => replicates),
    cell("drop-out until the end", ({ dropout_share: shares }) => dropoutText(shares)),
    cell("visits, seed", (_, { days, seed, shipped }) => `${shipped || `days ${days.join(", ")}`}; seed ${seed}`),
  ];
}

// How often a trial of the size that was run, or found, misses the difference of the model or shows a false one.
function wrongAnswers({ errors, sample_size: sizes }) {
  const chance = (arm, share, answer, size = "") => `${arm}: ${percentText(share)} ${answer === MISSED ? "that " : "of "}${answer}${size}.`;
  const ofSize = ({ arm, type_2_error: share, patients }) => chance(arm, share, MISSED, `, with ${patients} patients in all`);
  const known = sizes.filter(({ patients }) => patients !== null);
  return [...known.map(ofSize), ...errors.map(({ arm, share, answer, text }) => (answer ? chance(arm, share, answer) : `${arm}: ${text}`))];
}

const dropoutText = (shares) =>
  Object.entries(shares)
    .map(([arm, share]) => `${arm} ${percentText(share)}`)
    .join(", ");

// The power of every run that has several sizes.
function powerChart(runs) {
  const series = runs
    .filter(({ result }) => result.power.length > 1)
    .flatMap(({ name, result }) => {
      const arms = [...Map.groupBy(result.power, ({ arm }) => arm)];
      return arms.map(([arm, rows]) => ({ label: `${name}, ${arm}`, ...powerSeries(rows) }));
    });
  if (!series.length) return null;
  const unit = "% of trials that succeed";
  const chart = new XyChart({ title: "Power of the stored runs", unit, xLabel: "patients per arm", range: [0, 100] });
  const left = series.length - COLOURS;
  if (left > 0) chart.setNote(`The figure shows the last ${COLOURS} of ${series.length} curves: remove a run to see an earlier one.`);
  return chart.show(series.slice(-COLOURS).map((one, index) => ({ ...one, index })));
}

function readRuns() {
  try {
    const runs = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(runs) ? runs.filter((run) => run?.name && Array.isArray(run.result?.effects)).map(inPresentForm) : [];
  } catch {
    return [];
  }
}

function writeRuns(runs) {
  try {
    localStorage.setItem(KEY, JSON.stringify(runs));
    return true;
  } catch {
    return false;
  }
}

// A stored run of a former page in the present form: chances of error as rows, fractions in place of percentages.
export function inPresentForm(stored) {
  const run = withFractions(stored);
  if (run.result.errors) return run;
  const { missed = [], ...result } = run.result;
  const errors = missed.map((text) => ({ arm: text.split(": ")[0], text: text.slice(text.indexOf(": ") + 2), answer: null, share: null }));
  const unknown = { cautions: [], responses: {}, relapse_rule: "", enrolled_by_rating: null, reference_is_control: true };
  return { ...run, result: { ...result, ...unknown, errors } };
}

function withFractions(run) {
  const { dropout_percent: dropout, failed_percent: failed, ...result } = run.result;
  if (dropout === undefined) return run;
  const divided = (row, isShare) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, isShare(name) && value !== null ? value / 100 : value]));
  const rates = (rows) => rows.map((row) => divided(row, (name) => /^(response|remission)/.test(name)));
  const power = ({ n_per_arm: patients, ...row }) => ({ ...divided(row, (name) => ["power", "low", "high"].includes(name)), patients_per_arm: patients });
  const size = ({ per_arm: patients, ...row }) => ({ ...divided(row, (name) => ["target", "limit", "type_2_error"].includes(name)), patients_per_arm: patients });
  const effect = ({ success_percent: success, ...row }) => ({ ...row, success_share: success / 100 });
  return {
    ...run,
    result: {
      ...result,
      dropout_share: divided(dropout, () => true),
      failed_share: failed / 100,
      effects: result.effects.map(effect),
      response_rates: Object.fromEntries(Object.entries(result.response_rates).map(([scale, rows]) => [scale, rates(rows)])),
      power: result.power.map(power),
      sample_size: result.sample_size.map(size),
    },
  };
}
