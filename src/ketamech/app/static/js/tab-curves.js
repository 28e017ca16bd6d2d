// The curves of every case over the selected time range, with published points.

import { LatestTask, postJson, ServerError } from "./api.js";
import { caseLabel, caseLetter } from "./case-list.js";
import { element, field, options, showFieldError, uniqueId } from "./dom.js";
import { openEvidence } from "./evidence-dialog.js";
import { changes, range } from "./format.js";
import { COLOURS } from "./figure.js";
import { TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const MAX_OUTPUTS = 12;
const MAX_LABEL = 34;
const INTRODUCTION =
  "All cases over the same time range. Dashed: same patient, same expectancy, no drug. Points: published values " +
  "(filled: measured in people; hollow: translated from animals or from another scale).";
const NOTHING = "No case can be simulated: see the error at its field.";

export function curvesTab(workbench) {
  const tab = new CurvesTab(workbench);
  return { node: tab.node, update: () => tab.update() };
}

class CurvesTab {
  constructor(workbench) {
    const { about, view } = workbench;
    this.workbench = workbench;
    this.tracks = about.tracks;
    this.groups = [...new Set(about.tracks.map((track) => track.group))];
    this.outputs = new Map(about.outputs.map((output) => [output.name, output]));
    const kept = (view["curves.outputs"] ?? "").split(" ").filter((name) => this.outputs.has(name));
    this.addedOutputs = kept.slice(0, MAX_OUTPUTS);
    this.group = [...this.groups, ""].includes(view["curves.group"]) ? view["curves.group"] : this.groups.at(-1);
    this.responses = []; // by case; null where it could not be simulated
    this.points = [];
    this.chosenCurve = {}; // by track id
    this.figures = new Map(); // by track id: { figure, curveSelect }
    this.grid = element("div", { class: "figure-grid" });
    this.node = element(
      "div",
      {},
      element("h2", { text: "Time courses" }),
      element("p", { class: "secondary", text: INTRODUCTION }),
      this.toolbar(),
      this.grid,
    );
    this.simulation = new LatestTask((isNewerWaiting) => this.simulate(isNewerWaiting));
    this.buildFigures();
  }

  toolbar() {
    const { view } = this.workbench;
    const group = element(
      "select",
      {},
      options([...this.groups, ""], (name) => name || "All tracks"),
    );
    group.value = this.group;
    group.addEventListener("change", () => {
      this.group = view["curves.group"] = group.value;
      this.rebuild();
    });
    const listId = uniqueId("outputs");
    const output = { type: "search", list: listId, placeholder: "plasticity.bdnf", maxlength: 120 };
    const input = element("input", { ...output, onchange: () => this.addOutput(input) });
    const names = [...this.outputs.values()].map(({ name, about }) => element("option", { value: name, label: about }));
    const removal = {
      type: "button",
      class: "link-button",
      onclick: () => this.setOutputs([]),
      text: "Remove added outputs",
    };
    this.removeButton = element("button", { ...removal, hidden: !this.addedOutputs.length });
    const outputField = field("Add an output", input);
    outputField.append(element("datalist", { id: listId }, names));
    return element("div", { class: "toolbar" }, field("Tracks", group), outputField, this.removeButton);
  }

  addOutput(input) {
    const name = input.value.trim();
    const isKnown = this.outputs.has(name);
    const error = `there is no output '${name}'\n  expected: a name of the list, e.g. plasticity.bdnf`;
    showFieldError(input, !name || isKnown ? "" : error);
    if (!isKnown) return;
    input.value = "";
    if (!this.addedOutputs.includes(name) && this.addedOutputs.length < MAX_OUTPUTS) {
      this.setOutputs([...this.addedOutputs, name]);
    }
  }

  setOutputs(names) {
    this.addedOutputs = names;
    this.workbench.view["curves.outputs"] = names.join(" ");
    this.removeButton.hidden = !names.length;
    this.rebuild();
  }

  rebuild() {
    this.workbench.rememberSoon();
    this.buildFigures();
    this.update();
  }

  update() {
    this.points = [];
    this.simulation.run();
  }

  // Tracks of the chosen group; those measured in animals only where a case is an animal.
  shownTracks() {
    const hasAnimal = this.workbench.cases.some(({ species = "human" }) => species !== "human");
    return this.tracks.filter((track) => {
      return (!this.group || track.group === this.group) && (!track.animals || hasAnimal);
    });
  }

  buildFigures() {
    const outputs = this.addedOutputs.map((name) => ({ key: name, label: name, unit: this.outputs.get(name).unit }));
    this.figures.clear();
    this.grid.replaceChildren(...[...outputs, ...this.shownTracks()].map((track) => this.buildFigure(track)));
  }

  buildFigure({ key, label, unit }) {
    const figure = new TimeFigure({ title: label, unit, height: 240, openEvidence });
    const curveSelect = element("select", { "aria-label": `Curve of ${label}`, hidden: true });
    curveSelect.addEventListener("change", () => {
      this.chosenCurve[key] = Number(curveSelect.value);
      this.show(key);
    });
    figure.svg.before(curveSelect);
    this.figures.set(key, { figure, curveSelect });
    return figure.node;
  }

  async simulate(isNewerWaiting) {
    const keys = this.shownTracks().map((track) => track.key);
    if (!keys.every((key) => this.figures.has(key))) this.buildFigures();
    const { cases } = this.workbench;
    this.responses = await Promise.all(cases.map((scenario, i) => this.simulateCase(scenario, i, keys)));
    this.showAll();
    const start = performance.getEntriesByName("dose changed").at(-1)?.startTime ?? performance.now();
    performance.measure("slider to redraw", { start, end: performance.now() });
    if (isNewerWaiting()) return;
    this.points = await this.publishedPoints(cases);
    this.showAll();
  }

  async simulateCase(scenario, i, tracks) {
    const { caseList } = this.workbench;
    try {
      const request = { scenario, until: selectedTime.last, tracks, outputs: this.addedOutputs };
      const response = await postJson("/api/curves", request);
      caseList.showError(i, null);
      caseList.showParsedTreatments(i, response.given);
      return response;
    } catch (error) {
      caseList.showError(i, error);
      caseList.showParsedTreatments(i, []);
      if (!(error instanceof ServerError)) throw error;
      return null;
    }
  }

  // Published points of all cases, each once.
  async publishedPoints(cases) {
    const ofCase = async (scenario, i) => {
      if (!this.responses[i]) return [];
      return (await postJson("/api/points", { scenario }).catch(() => ({ points: [] }))).points;
    };
    const points = (await Promise.all(cases.map(ofCase))).flat();
    return [...new Map(points.map((point) => [point.evidence + point.track + point.value, point])).values()];
  }

  showAll() {
    for (const key of this.figures.keys()) this.show(key);
  }

  // One case: all its curves; several cases: one curve of each.
  show(key) {
    const entry = this.figures.get(key);
    if (!entry) return;
    const { figure, curveSelect } = entry;
    const tracks = this.responses.map((response) => response?.figures.find((one) => one.key === key) ?? null);
    const first = tracks.find(Boolean);
    if (!first) return figure.show({ series: [], caption: NOTHING });
    figure.node.hidden = this.isOptional(key) && !tracks.some((track) => track && hasChange(track));
    const isSingle = this.workbench.cases.length === 1;
    const chosen = Math.min(this.chosenCurve[key] ?? 0, first.curves.length - 1);
    this.fillCurveSelect(curveSelect, first, chosen);
    curveSelect.hidden = isSingle || first.curves.length < 2;
    const chosenKey = first.curves[chosen].key;
    figure.show({
      unit: first.unit,
      series: isSingle
        ? seriesOfOneCase(this.responses[tracks.indexOf(first)].time, first)
        : this.seriesOfCases(tracks, chosen),
      points: this.points.filter((point) => point.track === key && (isSingle || point.curve === chosenKey)),
      doses: this.responses.find(Boolean).doses,
    });
  }

  isOptional(key) {
    return this.tracks.find((track) => track.key === key)?.always === false;
  }

  fillCurveSelect(select, { curves }, chosen) {
    if (select.options.length !== curves.length) {
      select.replaceChildren(...options([...curves.keys()], (i) => curves[i].label));
    }
    select.value = String(chosen);
  }

  seriesOfCases(tracks, chosen) {
    return tracks.flatMap((track, i) => {
      if (!track || !this.workbench.cases[i]) return [];
      const { time } = this.responses[i];
      const { treated, control } = track.curves[chosen];
      const label = caseLabel(this.workbench.cases[i], i).slice(0, MAX_LABEL);
      const series = [{ time, y: treated, label, index: i, kind: "main" }];
      const controlLabel = `${caseLetter(i)} without drug`;
      if (control && changes(control)) {
        series.push({ time, y: control, label: controlLabel, kind: "control", unlisted: i > 0 });
      }
      return series;
    });
  }
}

const hasChange = ({ curves }) => curves.some(({ treated }) => range(treated) > 1e-6);

function seriesOfOneCase(time, { curves }) {
  const series = curves.map(({ treated, label }, k) => {
    return { time, y: treated, label, index: k % COLOURS, kind: k ? "minor" : "main" };
  });
  const { control } = curves[0];
  if (control && changes(control))
    series.push({ time, y: control, label: "same expectancy, no drug", kind: "control" });
  return series;
}
