// The workbench: cases at the left, results in tabs at the right.

import { getJson, onConnectionChange, ServerError } from "./api.js";
import { CaseList, caseLetter } from "./case-list.js";
import { DAY, WEEK } from "../engine/units.js";
import { announce, button, debounce, element, emptyState, errorBox, find, select, tabContent } from "./dom.js";
import { setPictureSource } from "./figure.js";
import { setFigureAddress, showFigureOfLink } from "./figure-share.js";
import { JobList } from "./job-list.js";
import { setUpPage } from "./page-setup.js";
import { linkTo, readLink } from "./share-link.js";
import { isStaticSite, needsProgram } from "./static-site.js";
import { attributionTab } from "./tab-attribution.js";
import { curvesTab } from "./tab-curves.js";
import { doseTab } from "./tab-dose.js";
import { downloadsTab } from "./tab-downloads.js";
import { equationsTab } from "./tab-equations.js";
import { evidenceTab } from "./tab-evidence.js";
import { populationTab } from "./tab-population.js";
import { scorecardTab } from "./tab-scorecard.js";
import { trialTab } from "./tab-trial.js";
import { RANGES, selectedTime, timeControls } from "./time-slider.js";
import { regimenText } from "./treatment-form.js";

// A tab is made when it is first opened: { node, update }. `program`: what a static site says in its place; `isTimed`: it
// follows the selected time.
const TABS = {
  curves: { label: "Time courses", make: curvesTab, isTimed: true },
  population: { label: "Population", make: populationTab, isTimed: true },
  dose: { label: "Score by dose", make: doseTab, isTimed: true },
  attribution: { label: "Pathway contributions", make: attributionTab, isTimed: true },
  trial: { label: "Trial", make: trialTab, program: needsProgram("A web page cannot run virtual trials (arms, sample size, power, blinding). They need") },
  scorecard: { label: "Scorecard", make: scorecardTab },
  equations: { label: "Equations", make: equationsTab },
  evidence: { label: "Evidence", make: evidenceTab },
  downloads: { label: "Download", make: downloadsTab },
};
const TAB_OF_JOB = { trial: "trial", "sample size": "trial", attribution: "attribution", scorecard: "scorecard" };
const TAB_NAMES = Object.keys(TABS);
const isUnavailable = (name) => isStaticSite && Boolean(TABS[name].program);
const BROKEN_LINK = "The link could not be read; the default cases are shown.";
const PRESETS_SHOWN_FIRST = 2;
const COURSE_RANGES = ["weeks", "course", "half"]; // linear, the shortest first
const ONE_VISIT = "month"; // the range of what ends within a week

class Workbench {
  constructor(metadata) {
    const link = readLink(location.hash);
    const cases = link.cases ?? structuredClone(metadata.presets.slice(0, PRESETS_SHOWN_FIRST));
    Object.assign(this, { metadata, cases, chosen: 0, view: link.view, tabs: {}, shown: null });
    this.tab = TABS[link.tab] ? link.tab : "curves";
    this.rememberSoon = debounce(300, () => this.remember());
    this.setUpTime();
    if (this.view.exercise) this.showExercise(this.view.exercise);
    if (link.isBroken) find("#page-message").textContent = BROKEN_LINK;
    this.caseList = new CaseList(this);
    if (!isStaticSite) {
      this.jobList = new JobList((job) => this.showJob(job));
      find("#jobs").replaceChildren(this.jobList.node);
    }
    this.buildTabs();
    this.open(this.tab);
    setFigureAddress((name) => {
      this.remember();
      return `${location.href}&figure=${name}`;
    });
    setPictureSource(() => ({ treatment: this.cases.map(treatmentsOf).join(". "), version: metadata.version }));
    find("#share").addEventListener("click", () => this.share());
    addEventListener("hashchange", () => this.followLink());
    onConnectionChange((connected) => connected && this.changed());
  }

  // The question of the exercise from which the workbench was opened, with the way back to it.
  async showExercise(id) {
    const node = element("p", { class: "exercise-question", id: "exercise-question" });
    find("#tabs").before(node);
    const exercises = await getJson("/api/exercises").catch(() => []);
    const i = exercises.findIndex((one) => one.id === id);
    if (i < 0) return node.remove();
    const { title, question } = exercises[i];
    const back = element("a", { href: `exercises.html#${id}`, text: "Back to the exercise" });
    node.append(element("strong", { text: `Exercise ${i + 1}, ${title}:` }), ` ${question} `, back);
  }

  setUpTime() {
    const attributes = { id: "time-range", "aria-label": "Time range" };
    const range = select(Object.keys(RANGES), (name) => RANGES[name].label, attributes);
    this.range = range;
    this.isRangeChosen = "range" in this.view;
    range.addEventListener("change", () => {
      this.isRangeChosen = true;
      selectedTime.setRange(range.value);
      this.changed();
    });
    this.bindToLink("range", range);
    selectedTime.setRange(range.value);
    selectedTime.set(Number(this.view.time) > 0 ? Number(this.view.time) : DAY); // scores are rated a day after a dose
    find("#time-bar").append(...timeControls(), range);
    selectedTime.onChange((hours) => {
      this.view.time = Number(hours.toPrecision(3));
      this.rememberSoon();
    });
  }

  // Until a range is chosen: linear for a course of doses, the last of which is at `hours`. Whether it has changed.
  fitRange(hours) {
    if (this.isRangeChosen) return false;
    const fitting = COURSE_RANGES.find((one) => RANGES[one].last > hours) ?? COURSE_RANGES.at(-1);
    const name = hours < WEEK ? ONE_VISIT : fitting;
    if (name === this.range.value) return false;
    this.range.value = name;
    selectedTime.setRange(name);
    return true;
  }

  buildTabs() {
    this.buttons = TAB_NAMES.map((name) => {
      const unavailable = isUnavailable(name) && { class: "unavailable", title: TABS[name].program };
      const attributes = { role: "tab", id: `tab-${name}`, "aria-controls": "panel", ...unavailable };
      return button(TABS[name].label, () => this.open(name), attributes);
    });
    find("#tabs").append(...this.buttons);
    find("#tabs").addEventListener("keydown", (event) => {
      const current = TAB_NAMES.indexOf(this.tab);
      const next = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: -1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      const name = TAB_NAMES.at(next % TAB_NAMES.length);
      this.open(name);
      find(`#tab-${name}`).focus();
    });
  }

  open(name) {
    this.tab = name;
    for (const tabButton of this.buttons) {
      const isOpen = tabButton.id === `tab-${name}`;
      tabButton.setAttribute("aria-selected", String(isOpen));
      tabButton.tabIndex = isOpen ? 0 : -1;
    }
    this.tabs[name] ??= isUnavailable(name) ? unavailableTab(TABS[name]) : TABS[name].make(this);
    this.shown = this.tabs[name];
    find("#panel").replaceChildren(this.shown.node);
    find("#panel").setAttribute("aria-labelledby", `tab-${name}`);
    find("#time-bar").classList.toggle("is-unused", !TABS[name].isTimed);
    this.shown.update?.();
    this.rememberSoon();
  }

  // The result of a finished job in its tab.
  showJob(job) {
    const name = TAB_OF_JOB[job.kind];
    this.tabs[name] ??= TABS[name].make(this);
    this.tabs[name].showJob(job);
    this.open(name);
    find("#panel").focus({ preventScroll: true });
  }

  // Fills an input with its value in the link, and writes its changes into the link.
  bindToLink(name, input) {
    const before = input.value;
    if (name in this.view) input.value = this.view[name];
    if (input.tagName === "SELECT" && input.selectedIndex < 0) input.value = before;
    input.addEventListener("change", () => {
      this.view[name] = input.value;
      this.rememberSoon();
    });
  }

  // A case has changed: what is shown is computed again.
  changed() {
    this.shown?.update?.();
    this.rememberSoon();
  }

  remember() {
    history.replaceState(null, "", linkTo(this));
  }

  followLink() {
    const link = readLink(location.hash);
    if (link.cases) location.reload();
    else if (TABS[link.tab] && link.tab !== this.tab) this.open(link.tab);
  }

  async share() {
    this.remember();
    const shareButton = find("#share");
    try {
      await navigator.clipboard.writeText(location.href);
      shareButton.textContent = "Copied";
      announce("Link copied");
    } catch {
      shareButton.textContent = "Copy the address";
    }
    setTimeout(() => {
      shareButton.textContent = "Copy link";
    }, 2500);
  }
}

const treatmentsOf = ({ treatments }, i) => `${caseLetter(i)}: ${treatments.map(regimenText).join("; ")}`;

const unavailableTab = ({ label, program }) => ({ node: tabContent(label, null, emptyState(program)) });

setUpPage();
getJson("/api/metadata").then(
  (metadata) => {
    showFigureOfLink();
    return new Workbench(metadata);
  },
  (error) => {
    if (!(error instanceof ServerError)) return onConnectionChange((connected) => connected && location.reload());
    find("#panel").replaceChildren(errorBox(error.message));
  },
);
