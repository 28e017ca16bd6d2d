// The curves of every case over the selected time range, with published points.

import { LatestTask, postJson } from "./api.js";
import { caseLabel, caseLetter } from "./case-list.js";
import {
  checkbox,
  element,
  field,
  linkButton,
  options,
  select,
  showFieldError,
  tabContent,
  toolbar,
  uniqueId,
} from "./dom.js";
import { openEvidence } from "./evidence.js";
import { controlSeries, percentileBands, trackSeries } from "./figure-data.js";
import { formatCount, range } from "./format.js";
import { measureRedraw, TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const MAX_OUTPUTS = 12;
const MAX_LABEL = 34;
const INTRODUCTION =
  "All cases over the same time range. Dashed: same patient, same visits, no drug. Points: published values " +
  "(filled: as measured in people; hollow: translated from animals or from another scale; half filled: its place contains " +
  "a part of the model; square or framed: used to fit the model).";
const NOTHING = "No case can be simulated: see the error at its field.";

export function curvesTab(workbench) {
  const tab = new CurvesTab(workbench);
  return { node: tab.node, update: () => tab.update() };
}

class CurvesTab {
  constructor(workbench) {
    const { metadata, view } = workbench;
    this.workbench = workbench;
    this.tracks = metadata.tracks;
    this.groups = [...new Set(metadata.tracks.map((track) => track.group))];
    this.outputs = new Map(metadata.outputs.map((output) => [output.name, output]));
    const stored = (view["curves.outputs"] ?? "").split(" ").filter((name) => this.outputs.has(name));
    this.addedOutputs = stored.slice(0, MAX_OUTPUTS);
    this.group = [...this.groups, ""].includes(view["curves.group"]) ? view["curves.group"] : this.groups.at(-1);
    this.responses = []; // by case; null where it could not be simulated
    this.points = [];
    this.people = new Map(); // by track id: the population of each case; another Map after a change
    this.chosenCurve = {}; // by track id
    this.figures = new Map(); // by track id: { figure, curveSelect }
    this.grid = element("div", { class: "figure-grid" });
    this.node = tabContent("Time courses", INTRODUCTION, this.makeToolbar(), this.grid);
    this.simulation = new LatestTask((isNewerWaiting) => this.simulate(isNewerWaiting));
    this.buildFigures();
  }

  makeToolbar() {
    const { view } = this.workbench;
    const chooseGroup = () => {
      this.group = view["curves.group"] = group.value;
      this.rebuild();
    };
    const group = select([...this.groups, ""], (name) => name || "All tracks", { onchange: chooseGroup });
    group.value = this.group;
    const listId = uniqueId("outputs");
    const attributes = { type: "search", list: listId, placeholder: "plasticity.bdnf", maxlength: 120 };
    const input = element("input", { ...attributes, onchange: () => this.addOutput(input) });
    const names = [...this.outputs.values()].map(({ name, description }) => {
      return element("option", { value: name, label: description });
    });
    const isHidden = !this.addedOutputs.length;
    this.removeButton = linkButton("Remove added outputs", () => this.setOutputs([]), { hidden: isHidden });
    const outputField = field("Add an output", input);
    outputField.append(element("datalist", { id: listId }, names));
    return toolbar(field("Tracks", group), outputField, this.removeButton, this.peopleBox());
  }

  peopleBox() {
    const { metadata, view } = this.workbench;
    const show = (on) => {
      if (on) view["curves.people"] = true;
      else delete view["curves.people"];
      this.workbench.rememberSoon();
      this.update();
    };
    const text = `Bands of ${formatCount(metadata.story_patients)} virtual patients, 5th to 95th and 25th to 75th percentile`;
    return checkbox(text, this.hasPeople, show, { id: "curves-people" });
  }

  get hasPeople() {
    return this.workbench.view["curves.people"] === true;
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
    this.people = new Map();
    this.simulation.run();
  }

  // Tracks of the chosen group; those measured in animals only where a case is an animal.
  shownTracks() {
    const hasAnimal = this.workbench.cases.some(({ species = "human" }) => species !== "human");
    return this.tracks.filter((track) => {
      return (!this.group || track.group === this.group) && (!track.animals_only || hasAnimal);
    });
  }

  buildFigures() {
    const outputs = this.addedOutputs.map((name) => ({ key: name, label: name, unit: this.outputs.get(name).unit }));
    this.figures.clear();
    this.grid.replaceChildren(...[...outputs, ...this.shownTracks()].map((track) => this.buildFigure(track)));
  }

  buildFigure({ key, label, unit }) {
    const figure = new TimeFigure({ title: label, unit, height: 240, openEvidence });
    const onchange = () => {
      this.chosenCurve[key] = Number(curveSelect.value);
      this.show(key);
    };
    const curveSelect = element("select", { "aria-label": `Curve of ${label}`, hidden: true, onchange });
    figure.svg.before(curveSelect);
    this.figures.set(key, { figure, curveSelect });
    return figure.node;
  }

  async simulate(isNewerWaiting) {
    const keys = this.shownTracks().map((track) => track.key);
    if (!keys.every((key) => this.figures.has(key))) this.buildFigures();
    const { cases, caseList } = this.workbench;
    const request = { until: selectedTime.last, tracks: keys, outputs: this.addedOutputs };
    this.responses = await caseList.ofEachCase((scenario) => postJson("/api/curves", { scenario, ...request }));
    this.responses.forEach((response, i) => caseList.showParsedTreatments(i, response?.treatments ?? []));
    this.showAll();
    measureRedraw("slider to redraw");
    if (isNewerWaiting()) return;
    this.points = await this.publishedValues(cases);
    this.showAll();
    if (this.hasPeople) this.simulatePeople();
  }

  // One track after another, so that each appears as soon as it is known; curves do not wait for them.
  async simulatePeople() {
    const { metadata, cases } = this.workbench;
    const { people } = this;
    const request = { until: selectedTime.last, patients: metadata.story_patients };
    for (const [track, { figure }] of this.figures) {
      if (figure.node.hidden) continue;
      const own = cases.map((scenario, i) => {
        const isShown = this.responses[i]?.tracks.some(({ key }) => key === track);
        return isShown && postJson("/api/population", { scenario, track, ...request }).catch(() => null);
      });
      people.set(track, await Promise.all(own));
      if (people !== this.people) return;
      this.show(track);
    }
  }

  // Published values for all cases, each once.
  async publishedValues(cases) {
    const ofCase = async (scenario, i) => {
      if (!this.responses[i]) return [];
      const found = await postJson("/api/published-values", { scenario }).catch(() => ({ published_values: [] }));
      return found.published_values;
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
    const tracks = this.responses.map((response) => response?.tracks.find((one) => one.key === key) ?? null);
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
        ? trackSeries(first, this.responses[tracks.indexOf(first)].time)
        : this.seriesOfCases(tracks, chosen),
      bands: this.bandsOf(key, chosenKey),
      points: this.points.filter((point) => point.track === key && (isSingle || point.curve === chosenKey)),
      doses: this.responses.find(Boolean).treatment_times,
    });
  }

  // The bands of one curve of each case.
  bandsOf(key, curveKey) {
    const populations = this.people.get(key) ?? [];
    return populations.flatMap((population, i) => {
      const curves = population?.curves.filter((curve) => curve.key === curveKey) ?? [];
      const prefix = populations.length > 1 ? `${caseLetter(i)} ` : "";
      return curves.length ? percentileBands({ ...population, curves }, i, prefix) : [];
    });
  }

  isOptional(key) {
    return this.tracks.find((track) => track.key === key)?.always_shown === false;
  }

  fillCurveSelect(curveSelect, { curves }, chosen) {
    if (curveSelect.options.length !== curves.length) {
      curveSelect.replaceChildren(...options([...curves.keys()], (i) => curves[i].label));
    }
    curveSelect.value = String(chosen);
  }

  seriesOfCases(tracks, chosen) {
    return tracks.flatMap((track, i) => {
      if (!track || !this.workbench.cases[i]) return [];
      const { time } = this.responses[i];
      const curve = track.curves[chosen];
      const label = caseLabel(this.workbench.cases[i], i).slice(0, MAX_LABEL);
      const series = { time, y: curve.treated, label, index: i, kind: "main" };
      return [series, ...controlSeries(curve, time, `${caseLetter(i)} without drug`, i > 0)];
    });
  }
}

const hasChange = ({ curves }) => curves.some(({ treated }) => range(treated) > 1e-6);
