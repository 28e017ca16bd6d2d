// Virtual trials: a form, its result, and the runs that were stored under a name.

import { runJob } from "./api.js";
import { announce, button, element, emptyState, tabContent } from "./dom.js";
import { TrialForm } from "./trial-form.js";
import { trialResultNodes } from "./trial-results.js";
import { TrialRuns } from "./trial-runs.js";

const INTRODUCTION =
  "Virtual patients of a population are randomised, dosed and rated with measurement error; some drop out. Expectancy " +
  "and unblinding are included. Arms have the treatments of the cases, or those written here.";
const NOT_YET = "No trial was run yet.";

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

  function show(found, job, request) {
    const store = job ? runs.storeForm(found, request) : null;
    results.replaceChildren(...[store, sizeButton(found, request), ...trialResultNodes(found, job)].filter(Boolean));
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
    const showLatest = (found, job) => number === latest && show(found, job, request);
    runJob(path, request, { place: own, show: showLatest, fields: form.fields, started: workbench.jobList?.refresh });
  }

  // The result of a job of the list.
  function showJob(job) {
    latest += 1;
    place.replaceChildren();
    show(job.result, job, job.request);
  }

  const node = tabContent("Virtual trial", INTRODUCTION, form.node, place, results, runs.node);
  const reveal = () => results.scrollIntoView({ block: "start" });
  return { node, update: () => form.update(), showJob, reveal };
}
