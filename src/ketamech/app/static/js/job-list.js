// The jobs of the server: trials, sample sizes, attributions and scorecards, with progress, cancel and result.

import { getJson, sendDelete } from "./api.js";
import { announce, element, linkButton, paragraph } from "./dom.js";
import { formatTime } from "./format.js";

const POLL = 1000; // ms
const OPEN = ["waiting", "running"];
const KINDS = {
  trial: "Trial",
  "sample size": "Sample size",
  attribution: "Pathway contributions",
  scorecard: "Scorecard",
};
const STATES = { waiting: "waiting", running: "running", done: "finished", failed: "failed", cancelled: "cancelled" };
const NONE = "No job yet.";
const WHOSE = "Jobs that this browser has started; the server does not list them to others, and forgets them when it ends.";

export class JobList {
  // `open` shows a finished job with its result.
  constructor(open) {
    this.open = open;
    this.timer = 0;
    this.title = element("summary", { text: "Jobs" });
    this.list = element("ul", { class: "job-list" });
    this.node = element("details", { class: "jobs" }, this.title, paragraph(WHOSE, "secondary"), this.list);
    this.refresh = () => this.read();
    this.node.addEventListener("toggle", () => this.node.open && this.read());
    this.read();
  }

  // Reads the list, and again every second while a job is open.
  async read() {
    clearTimeout(this.timer);
    let jobs;
    try {
      jobs = await getJson("/api/jobs");
    } catch {
      return; // the connection is lost; the next start of a job reads the list again
    }
    this.draw(jobs);
    if (jobs.some(({ state }) => OPEN.includes(state))) this.timer = setTimeout(this.refresh, POLL);
  }

  draw(jobs) {
    const open = jobs.filter(({ state }) => OPEN.includes(state)).length;
    this.title.textContent = `Jobs: ${open} open, ${jobs.length - open} ended`;
    this.list.replaceChildren(...(jobs.length ? jobs.map((job) => this.item(job)) : [element("li", { text: NONE })]));
  }

  item(job) {
    const isOpen = OPEN.includes(job.state);
    const started = new Date(1000 * job.started).toLocaleTimeString("en-GB");
    const settings = job.settings ? ` (${job.settings})` : "";
    const name = `${KINDS[job.kind] ?? job.kind}: ${job.title}${settings}, started ${started}`;
    const bar = element("progress", { max: 1, value: job.progress, "aria-label": `Progress of ${name}` });
    const time = formatTime(job.seconds / 3600).replace("the start", `${Math.round(job.seconds)} s`);
    const text = job.error?.error ?? (isOpen ? job.message || STATES[job.state] : STATES[job.state]);
    return element(
      "li",
      {},
      element("span", { class: "job-name", text: name }),
      isOpen ? bar : null,
      element("span", { class: "secondary", text: `${text}, ${time}` }),
      isOpen ? linkButton("Cancel", () => this.cancel(job), { "aria-label": `Cancel ${name}` }) : null,
      job.state === "done" ? linkButton("Show", () => this.show(job), { "aria-label": `Show ${name}` }) : null,
    );
  }

  async cancel(job) {
    await sendDelete(`/api/jobs/${job.id}`).catch(() => {});
    announce("Cancelled");
    this.read();
  }

  async show(job) {
    try {
      this.open(await getJson(`/api/jobs/${job.id}`));
    } catch {
      this.read();
    }
  }
}
