// Virtual trials: a form, its result, and the runs that were stored under a name.

import { runJob } from "./api.js";
import { announce, button, element, emptyState, tabContent } from "./dom.js";
import { TrialForm } from "./trial-form.js";
import { trialResultNodes } from "./trial-results.js";
import { TrialRuns } from "./trial-runs.js";

const INTRODUCTION =
  "Virtual patients of a population are randomised, dosed and rated with measurement error; some drop out. Expectancy " +
  "and unblinding are included. Arms have the treatments of the cases, or those written here.";
const NOT_YET =
  "No trial was run yet. A trial has one analysis at its end: interim analyses, re-estimation of the sample size and dropping " +
  "of arms are not simulated.";

const scrollTo = (node) => requestAnimationFrame(() => node.scrollIntoView({ block: "start" }));

export function trialTab(workbench) {
  const place = element("div", {});
  const results = element("div", {}, emptyState(NOT_YET));
  const reuse = (request) => {
    form.fill(request);
    form.node.scrollIntoView({ block: "start" });
    announce("The form has the settings of this run");
  };
  const runs = new TrialRuns((run) => show(run.result, null, run.request), reuse);
  const search = button("Find the sample size", () => start("/api/jobs/sample-size", { withTarget: true }));
  const submit = button("Run the trial", null, { type: "submit", class: "primary" });
  const onsubmit = (event) => {
    event.preventDefault();
    start("/api/jobs/trial", { withTarget: false });
  };
  const form = new TrialForm(workbench, [submit, search], onsubmit);
  let latest = 0; // number of the run whose result is shown

  // Shows a result; `isNear` false scrolls to it.
  function show(found, job, request, { isNear = false } = {}) {
    const store = job ? runs.storeForm(found, request) : null;
    results.replaceChildren(...[store, sizeButton(found, request), ...trialResultNodes(found, job)].filter(Boolean));
    if (!isNear) scrollTo(results);
  }

  // Sets the form to the largest sample size that was found.
  function sizeButton({ sample_size: sizes }, request) {
    const found = (sizes ?? []).flatMap(({ patients_per_arm: numbers }) => Object.values(numbers ?? {}));
    if (!found.length || !request) return null;
    const size = Math.max(...found);
    return button(`Set ${size} patients per arm in the form`, () => reuse({ ...request, patients_per_arm: size }));
  }

  function start(path, settings) {
    const number = ++latest;
    const own = element("div", {});
    results.replaceChildren();
    place.replaceChildren(own);
    const request = form.request(settings);
    // Whoever reads elsewhere on the page meanwhile is left there.
    const before = window.scrollY;
    const showLatest = (found, job) => number === latest && show(found, job, request, { isNear: Math.abs(window.scrollY - before) > 50 });
    runJob(path, request, { place: own, show: showLatest, fields: form.fields, started: workbench.jobList?.refresh });
  }

  // The result of a job of the list, with its settings in the form.
  async function showJob(job) {
    const number = ++latest;
    place.replaceChildren();
    show(job.result, job, job.request, { isNear: true });
    await form.listed();
    if (number !== latest) return;
    form.fill(job.request);
    announce("The form has the settings of this job");
    scrollTo(results);
  }

  const node = tabContent("Virtual trial", INTRODUCTION, form.node, place, results, runs.node);
  return { node, update: () => form.update(), showJob };
}
