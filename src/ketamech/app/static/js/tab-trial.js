// Virtual trials: one that ships, or the cases as arms. Means, responders, survival, power.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { download, fresh, make, table } from "./dom.js";
import { inWords } from "./treatments.js";
import { number } from "./words.js";
import { runJob } from "./work.js";

const DAY = 24;

export function trialTab(bench) {
  const place = make("div", {}), results = make("div", {});
  const labelled = (words, input, hint) => { input.id = fresh("trial"); const small = hint && make("small", { id: fresh("hint"), text: hint }); if (small) input.setAttribute("aria-describedby", small.id); return make("div", { class: "field" }, make("label", { for: input.id, text: words }), input, small, make("p", { class: "complaint", id: fresh("complaint"), role: "alert" })); };
  const which = make("select", {}, make("option", { value: "", text: "The cases, as arms" }));
  const each = make("input", { type: "number", min: 2, max: 2000, value: 60 });
  const often = make("input", { type: "number", min: 1, max: 500, value: 20 });
  const population = make("select", {}, ["trd", "mdd", "bipolar", "adult"].map((name) => make("option", { value: name, text: { trd: "treatment-resistant depression", mdd: "major depression", bipolar: "bipolar depression", adult: "adults" }[name] })));
  const days = make("input", { type: "text", value: "1, 3, 7, 14, 28", maxlength: 80 });
  const seed = make("input", { type: "number", min: 0, max: 2147483647, value: 1 });
  const run = make("button", { type: "submit", class: "first", text: "Run the trial" });
  const note = make("p", { class: "all quiet" });
  const mine = [labelled("People", population, "who is enrolled"), labelled("Visit days", days, "MADRS is rated: up to 12 days from 1 to 730")];
  const fields = { shipped: which, patients_per_arm: each, replicates: often, population, days, seed };
  for (const [name, input] of Object.entries(fields)) bench.keep(`trial.${name.replace(/_/g, "")}`, input);
  const fit = () => { mine.forEach((part) => { part.hidden = Boolean(which.value); }); ignored(); };
  which.addEventListener("change", fit);
  let listed = false;
  const list = () => get("/api/trials").then((found) => { listed = true; which.append(...found.map((one) => make("option", { value: one.name, text: one.title }))); if (bench.view["trial.shipped"]) which.value = bench.view["trial.shipped"]; fit(); }, () => { listed = false; });
  const form = make("form", { class: "panel-form", novalidate: true, onsubmit: (event) => { event.preventDefault(); start(); } },
    make("div", { class: "all" }, labelled("Trial", which)), labelled("Patients an arm", each, `2 to 2000; with trials, at most ${bench.about.limits.trial_people.toLocaleString("en")} in all`), labelled("Trials", often, "1 to 500: the same trial again, with other people and other values of what is not known"), labelled("Seed", seed, "0 to 2147483647: the same seed, the same people"), ...mine, note, make("div", { class: "all" }, run));
  const node = make("div", {}, make("h2", { text: "A virtual trial" }),
    make("p", { class: "quiet", text: "People are drawn, allocated, dosed and rated with a rater’s error; some leave; hope and guessing the arm are in it. Repeated, a trial shows how much its result is luck. Arms take the treatments of your cases; people come from the population, not from the cases." }), form, place, results);
  results.append(make("div", { class: "nothing" }, make("p", { text: "No trial yet. Run one: the cases become its arms." })));

  function start() {
    const names = new Set();
    const arms = Object.fromEntries(bench.cases.map((one, i) => {
      let name = (one.title || `Case ${i + 1}`).slice(0, 60);
      while (names.has(name)) name += "’";
      names.add(name);
      return [name, one.treatments.map(inWords).join("; ")];
    }));
    const body = { shipped: which.value, arms: which.value ? {} : arms, population: population.value, patients_per_arm: Number(each.value), replicates: Number(often.value), days: days.value.split(/[\s,]+/).filter(Boolean).map(Number), seed: Number(seed.value) };
    results.replaceChildren();
    runJob("/api/jobs/trial", body, place, show, run, fields);
  }

  // What the cases say and a trial cannot take from them.
  function ignored() {
    const lost = which.value ? [] : bench.cases.flatMap((one, i) => Object.entries({ pathways: "pathways switched off", perturbations: "what is blocked or added", species: "species", wiring: "wiring", parameters: "parameters" })
      .filter(([key]) => Object.values(one[key] ?? {}).length).map(([, words]) => `${"ABCDEF"[i]}: ${words}`));
    note.textContent = lost.length ? `Not in the trial, which takes only the treatments: ${lost.join("; ")}.` : "";
    note.hidden = !lost.length;
  }

  function show(found) {
    const slots = new Map(found.arms.map((arm, i) => [arm.name, i % 6]));
    const by = (rows, key) => [...Map.groupBy(rows, (row) => row[key])];
    const charts = [];
    for (const [scale, rows] of Object.entries(found.means)) {
      charts.push(new Chart({ title: `${scale}, mean of each arm`, unit: "points", across: "days" }).show(by(rows, "arm").map(([arm, list], i) => ({
        label: arm, slot: slots.get(arm) ?? i, x: list.map((r) => r.hour / DAY), y: list.map((r) => r.mean), low: list.map((r) => r.mean - r.change + r.low), high: list.map((r) => r.mean - r.change + r.high) }))));
    }
    for (const [scale, rows] of Object.entries(found.shares)) {
      const hours = new Map(found.means[scale].map((row) => [row.visit, row.hour]));
      charts.push(new Chart({ title: `${scale}, responders`, unit: "% of each arm", across: "days", range: [0, 100] }).show(by(rows.filter((r) => r.visit !== "baseline"), "arm").map(([arm, list], i) => ({
        label: arm, slot: slots.get(arm) ?? i, x: list.map((r) => (hours.get(r.visit) ?? 0) / DAY), y: list.map((r) => r.response), low: list.every((r) => "response_low" in r) ? list.map((r) => r.response_low) : null, high: list.every((r) => "response_high" in r) ? list.map((r) => r.response_high) : null }))));
    }
    if (found.survival.length) charts.push(new Chart({ title: "Responders still well", unit: "share", across: "days since response", range: [0, 1] }).show(by(found.survival, "group").map(([group, list], i) => ({ label: group, slot: slots.get(group) ?? i, x: list.map((r) => r.day), y: list.map((r) => r.still_well), step: true }))));
    if (found.power.length > 1) charts.push(new Chart({ title: `Power: ${found.primary}`, unit: "% of trials with p < 0.05", across: "patients an arm", range: [0, 100] }).show(by(found.power, "arm").map(([arm, list], i) => ({ label: arm, slot: slots.get(arm) ?? i, x: list.map((r) => r.n_per_arm), y: list.map((r) => r.power), low: list.map((r) => r.low), high: list.map((r) => r.high) }))));
    results.replaceChildren(make("h3", { class: "part", text: found.title }), arms(found), summary(found), make("div", { class: "many" }, charts.map((chart) => chart.node)), ...notes(found), ...take(found.typed));
  }

  return { node, update: () => { if (!listed) { listed = true; list(); } ignored(); } };
}

function arms(found) {
  const left = (name) => (found.left_percent[name] === undefined ? "–" : `${number(found.left_percent[name])} %`);
  return table(`Arms, over ${found.replicates} ${found.replicates === 1 ? "trial" : "trials"}`, ["arm", "patients", "left early", "given"], found.arms.map((arm) => [arm.name, arm.n, left(arm.name), arm.given]));
}

function summary(found) {
  const rows = [...Map.groupBy(found.comparison.filter((row) => row.difference !== null), (row) => row.arm)].map(([arm, list]) => {
    const mean = list.reduce((sum, row) => sum + row.difference, 0) / list.length;
    const sorted = list.map((row) => row.difference).sort((a, b) => a - b), at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    return [arm, number(mean), list.length > 1 ? `${number(at(0.025))} to ${number(at(0.975))}` : `${number(list[0].low)} to ${number(list[0].high)}`, `${Math.round((100 * list.filter((row) => row.p < 0.05).length) / list.length)} %`];
  });
  if (!rows.length) return make("p", { class: "quiet", text: found.comparison.length ? "The difference between arms cannot be estimated." : "One arm: nothing to compare with." });
  return table(`${found.primary}, against ${found.reference}, over ${found.replicates} trials`, ["arm", "difference, points", "95 %", "p < 0.05"], rows);
}

// The trial as a file, a command and Python: the same numbers elsewhere.
function take(typed) {
  const block = (title, text, name, kind) => make("section", {}, make("h3", { text: title }), make("pre", { tabindex: "0", role: "region", "aria-label": title, text }), make("div", { class: "buttons" }, make("button", { type: "button", "aria-label": `Save: ${title}`, text: "Save", onclick: () => download(text, name, kind) })));
  return [make("h3", { class: "part", text: "The same elsewhere" }), make("div", { class: "take" },
    typed.file && block("Trial file", typed.file, "trial.yaml", "application/yaml"), block("Command line", typed.command, "trial.sh", "text/x-shellscript"), block("Python", typed.python, "trial.py", "text/x-python"))];
}

function notes(found) {
  const lines = [...found.assumed, ...(found.failed_percent ? [`${found.failed_percent} % of patients could not be solved and are missing.`] : []), ...found.relapse.map((row) => row.median_days === null ? `${row.group}: fewer than half of those who responded relapse while looked at.` : `${row.group}: median time to relapse ${number(row.median_days)} days${row.low === null || row.high === null ? "" : ` (${number(row.low)} to ${number(row.high)})`}.`)];
  const { hazard_ratio: ratio, low, high } = found.hazard_ratio;
  if (ratio && low > 0 && Number.isFinite(high)) lines.push(`Hazard ratio ${number(ratio)} (${number(low)} to ${number(high)}), first trial.`);
  else if (ratio) lines.push("Hazard ratio: cannot be estimated from the first trial, where hardly anybody relapsed in one arm.");
  for (const [what, reason] of Object.entries(found.not_estimated)) lines.push(`Not estimated: ${what}: ${reason}.`);
  return lines.length ? [make("h3", { class: "part", text: "Notes" }), make("ul", {}, lines.map((text) => make("li", { class: "quiet", text })))] : [];
}
