// Runs of trials that are stored in this browser under a name, and their comparison side by side.

import { announce, button, download, element, field, linkButton, paragraph, sectionTitle, table } from "./dom.js";
import { COLOURS, csvText, XyChart } from "./figure.js";
import { formatNumber } from "./format.js";
import { powerSeries } from "./trial-results.js";

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
    const buttons = (run) =>
      element(
        "span",
        { class: "buttons" },
        linkButton("Show", () => this.open(run), { "aria-label": `Show ${run.name}` }),
        linkButton("Use its settings", () => this.reuse(run.request), { "aria-label": `Use the settings of ${run.name}` }),
        linkButton("Remove", () => this.remove(run), { "aria-label": `Remove ${run.name}` }),
      );
    const name = (run, i) => (i ? "" : element("span", {}, element("strong", { text: run.name }), buttons(run)));
    const rows = this.runs.flatMap((run) => runRows(run).map((row, i) => [name(run, i), ...COLUMNS.map(([, text]) => text(row))]));
    const save = button("Save the comparison as CSV", () => {
      download(comparisonCsv(this.runs), "ketamech-trials.csv", "text/csv");
    });
    const caption = `${this.runs.length} stored ${this.runs.length === 1 ? "run" : "runs"}, one row a comparison`;
    const shown = table(caption, ["run", ...COLUMNS.map(([heading]) => heading)], rows);
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

// The rows of a run, one for each comparison of arms; `cells`: numbers by column of COLUMNS.
function runRows({ name, request, result }) {
  const compared = result.effects.length ? result.effects : [{ arm: "", difference: null }];
  return compared.map((effect) => {
    const size = result.sample_size.find(({ arm }) => arm === effect.arm) ?? {};
    const found = Object.values(size.patients_per_arm ?? {});
    const simulated = result.arms.find((one) => one.name === effect.arm)?.n ?? null;
    const arm = result.arms.find((one) => one.name === effect.arm);
    return {
      run: name,
      comparison: effect.arm ? `${effect.arm} against ${result.reference}` : result.differences.join(" "),
      endpoint: result.primary,
      target_power: size.target ?? null,
      found_per_arm: found.length ? Math.max(...found) : null,
      found_in_all: size.patients ?? null,
      low_in_all: size.low ?? null,
      high_in_all: size.high ?? null,
      simulated_per_arm: simulated,
      success_share: effect.success_share ?? null,
      difference: effect.difference,
      low: effect.low ?? null,
      high: effect.high ?? null,
      residual_sd: result.residual_sd ?? null,
      alpha: request.alpha,
      margin: request.margin,
      dropout_share: result.dropout_share[effect.arm] ?? null,
      replicates: result.replicates,
      seed: request.seed,
      population: request.shipped ? "" : request.population,
      treatment: arm?.treatment ?? "",
    };
  });
}

const NO_BREAK = "\u00a0";
const isKnown = (value) => value !== null && value !== undefined;
const rangeText = (low, high) => (isKnown(low) ? `${formatNumber(low)} to ${isKnown(high) ? formatNumber(high) : "open"}` : "–");

// Columns of the table on the page: heading and text of a row.
const COLUMNS = [
  ["comparison", ({ comparison, endpoint }) => `${comparison}, ${endpoint}`],
  ["power wanted, %", (row) => formatNumber(isKnown(row.target_power) ? 100 * row.target_power : null)],
  ["n per arm found", (row) => formatNumber(row.found_per_arm)],
  ["n in all (95 %)", (row) => (isKnown(row.found_in_all) ? `${row.found_in_all} (${rangeText(row.low_in_all, row.high_in_all)})`.replaceAll(" ", NO_BREAK) : "–")],
  ["n of this arm simulated", (row) => formatNumber(row.simulated_per_arm)],
  ["success of these, %", (row) => formatNumber(isKnown(row.success_share) ? 100 * row.success_share : null)],
  ["difference (95 %)", (row) => (isKnown(row.difference) ? `${formatNumber(row.difference)} (${rangeText(row.low, row.high)})` : "–")],
  ["residual SD", (row) => formatNumber(row.residual_sd)],
  ["alpha", (row) => formatNumber(row.alpha)],
  ["margin", (row) => formatNumber(row.margin)],
  ["drop-out, %", (row) => formatNumber(isKnown(row.dropout_share) ? 100 * row.dropout_share : null)],
];

// One row a run and comparison, its numbers in columns.
function comparisonCsv(runs) {
  const rows = runs.flatMap(runRows);
  return csvText([Object.keys(rows[0]), ...rows.map(Object.values)]);
}

// The power of the newest runs that have several sizes, with those that are left out in words; a curve each comparison.
function powerChart(runs) {
  const series = runs
    .filter(({ result }) => result.power.length > 1)
    .flatMap(({ name, result }) => {
      const arms = [...Map.groupBy(result.power, ({ arm }) => arm)];
      return arms.map(([arm, rows]) => ({ label: `${name}, ${arm}`, ...powerSeries(rows) }));
    });
  if (!series.length) return null;
  const drawn = series.slice(-COLOURS);
  const left = series.slice(0, -COLOURS);
  const targets = new Set(runs.flatMap(({ result }) => result.sample_size.map(({ target }) => 100 * target)));
  const guides = [...targets].map((y) => ({ y, label: `${formatNumber(y)} %` }));
  const unit = "% of trials that succeed";
  const chart = new XyChart({ title: "Power of the stored runs", unit, xLabel: "patients per arm", range: [0, 100], guides });
  if (left.length) {
    const names = left.map(({ label }) => `“${label}”`).join(", ");
    chart.setNote(`Not drawn: ${names}. The figure has the ${COLOURS} newest curves; remove a stored run to see an older one.`);
  }
  return chart.show(drawn.map((one, index) => ({ ...one, index })));
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
  if (run.result.errors) return { ...run, result: { ...run.result, errors: run.result.errors.map(presentAnswer) } };
  const { missed = [], ...result } = run.result;
  const errors = missed.map((text) => ({ arm: text.split(": ")[0], text: text.slice(text.indexOf(": ") + 2), answer: null, share: null }));
  const unknown = { cautions: [], responses: {}, relapse_rule: "", enrolled_by_rating: null, reference_is_control: true };
  return { ...run, result: { ...result, ...unknown, errors } };
}

const FORMER_ANSWERS = { "a true effect is missed": "not shown", "a false success": "false success" };
const presentAnswer = (error) => ({ ...error, answer: FORMER_ANSWERS[error.answer] ?? error.answer });

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
