// The bench: some cases at the left, what becomes of them at the right.

import { get, onConnection, Problem } from "./api.js";
import { casesPanel } from "./cases.js";
import { clock, clockwork, SPANS } from "./clock.js";
import { find, later, make, say } from "./dom.js";
import { readLink, written } from "./link.js";
import { PRESETS } from "./presets.js";
import { dress } from "./theme.js";
import { attributionTab } from "./tab-attribution.js";
import { curvesTab } from "./tab-curves.js";
import { evidenceTab } from "./tab-evidence.js";
import { modelTab } from "./tab-model.js";
import { peopleTab } from "./tab-people.js";
import { scorecardTab } from "./tab-scorecard.js";
import { takeTab } from "./tab-take.js";
import { trialTab } from "./tab-trial.js";

const TABS = {
  curves: ["Curves", curvesTab], people: ["1,000 people", peopleTab], ways: ["Who carries what", attributionTab], trial: ["Trial", trialTab],
  scorecard: ["Scorecard", scorecardTab], model: ["Equations", modelTab], evidence: ["Evidence", evidenceTab], take: ["Take away", takeTab],
};

export class Bench {
  constructor(about) {
    const link = readLink(location.hash);
    Object.assign(this, { about, cases: link.cases ?? structuredClone(PRESETS.slice(0, 2)), chosen: 0, view: link.view, tab: TABS[link.tab] ? link.tab : "curves", shown: null, parts: {} });
    this.badLink = link.bad;
  }

  start() {
    const span = make("select", { id: "span", "aria-label": "How far the clock goes", onchange: () => { clock.choose(span.value); this.changed(); } }, Object.entries(SPANS).map(([name, one]) => make("option", { value: name, text: one.words })));
    this.keep("span", span);
    clock.choose(span.value);
    if (Number(this.view.clock) > 0) clock.set(Number(this.view.clock));
    find("#dock").append(...clockwork(), span);
    clock.listen((hours) => { this.view.clock = Number(hours.toPrecision(3)); this.remember(); });
    if (this.badLink) find("#notice").textContent = "That link could not be read, so the bench starts with its usual cases. For research and education only: not treatment or dosing advice.";
    this.side = casesPanel(this, find("#cases"), find("#case-tools"));
    this.buildTabs();
    this.open(this.tab);
    find("#to-results").addEventListener("click", () => { find("#work").scrollIntoView(); find("#work").focus({ preventScroll: true }); });
    find("#share").addEventListener("click", () => this.share());
    addEventListener("hashchange", () => this.follow());
    onConnection((now) => now && this.changed());
  }

  buildTabs() {
    const names = Object.keys(TABS);
    this.buttons = names.map((name) => make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", onclick: () => this.open(name), text: TABS[name][0] }));
    find("#tabs").append(...this.buttons);
    find("#tabs").addEventListener("keydown", (event) => {
      const here = names.indexOf(this.tab), to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = names.at(to % names.length);
      this.open(next);
      find(`#tab-${next}`).focus();
    });
  }

  open(name) {
    this.tab = name;
    for (const button of this.buttons) {
      const mine = button.id === `tab-${name}`;
      button.setAttribute("aria-selected", String(mine));
      button.tabIndex = mine ? 0 : -1;
    }
    this.parts[name] ??= TABS[name][1](this);
    this.shown = this.parts[name];
    find("#panel").replaceChildren(this.shown.node);
    find("#panel").setAttribute("aria-labelledby", `tab-${name}`);
    this.shown.update?.();
    this.remember();
  }

  // A field of a tab that a link carries: filled from the link, and remembered.
  keep(name, input) {
    const fill = () => { if (this.view[name] !== undefined) { if (input.type === "checkbox") input.checked = Boolean(this.view[name]); else { const was = input.value; input.value = this.view[name]; if (input.tagName === "SELECT" && input.selectedIndex < 0) input.value = was; } } };
    fill();
    input.addEventListener("change", () => { this.view[name] = input.type === "checkbox" ? input.checked : input.value; this.remember(); });
    return fill;
  }

  // Something about a case is different: what is shown follows at once.
  changed() {
    this.shown?.update?.();
    this.remember();
  }

  remember = later(300, () => history.replaceState(null, "", written(this)));

  follow() {
    const link = readLink(location.hash);
    if (link.cases) location.reload();
    else if (TABS[link.tab] && link.tab !== this.tab) this.open(link.tab);
  }

  async share() {
    history.replaceState(null, "", written(this));
    try { await navigator.clipboard.writeText(location.href); find("#share").textContent = "Copied"; say("Link copied"); } catch { find("#share").textContent = "Copy it from the address bar"; }
    setTimeout(() => { find("#share").textContent = "Copy link"; }, 2500);
  }
}

dress();
get("/api/about").then((about) => new Bench(about).start(), (error) => {
  if (error instanceof Problem) find("#panel").replaceChildren(make("p", { class: "trouble", text: error.message }));
  else onConnection((now) => now && location.reload());
});
