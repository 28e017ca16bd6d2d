// The curves of every case over the selected time range, with published points.

import { LatestTask, postJson } from "./api.js";
import { caseLetter, resultLabel } from "./case-list.js";
import { differenceSentence, loadBasis, pairedDifference } from "./compared-cases.js";
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
    this.lastValid = new WeakMap(); // the last response of each case, by its object
    this.basis = undefined; // by what a difference between cases is judged; null where it cannot be loaded
    this.differences = []; // by case: the paired difference from the first, where there are bands
    this.grid = element("div", { class: "figure-grid" });
    this.notes = element("div", { class: "secondary", id: "curves-notes", role: "status" });
    this.node = tabContent("Time courses", INTRODUCTION, this.makeToolbar(), this.notes, this.grid);
    selectedTime.onChange(() => this.node.isConnected && this.showDifference());
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
    this.missing = [];
    this.differences = [];
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
    const post = (scenario) => postJson("/api/curves", { scenario, ...request });
    const responses = await caseList.ofEachCase(post, this.lastValid);
    const lastDose = Math.max(0, ...responses.map((response) => response?.treatment_times.at(-1) ?? 0));
    if (this.workbench.fitRange(lastDose)) return this.update();
    this.responses = responses;
    responses.forEach((response, i) => caseList.showParsedTreatments(i, isCurrent(response) ? response.treatments : []));
    this.showAll();
    measureRedraw("slider to redraw");
    if (isNewerWaiting()) return;
    this.points = await this.publishedValues(cases);
    this.showAll();
    if (this.hasPeople) this.simulatePeople();
    if (cases.length > 1) await this.compareCases(cases);
    if (isNewerWaiting()) return;
    this.missing = await this.missingPoints(cases);
    this.showNotes();
  }

  // By what differences are judged, and with bands the difference in each virtual patient.
  async compareCases(cases) {
    this.basis ??= await loadBasis();
    this.showDifference();
    const { people } = this;
    if (!this.hasPeople) return;
    const isKnown = (i) => isCurrent(this.responses[0]) && isCurrent(this.responses[i]);
    const ofCase = (scenario, i) => (i && isKnown(i) ? pairedDifference(this.workbench, scenario, cases[0], this.moodTrack.key) : null);
    const differences = await Promise.all(cases.map(ofCase));
    if (people !== this.people) return;
    this.differences = differences;
    this.showDifference();
  }

  // The track of the output by which cases are compared.
  get moodTrack() {
    return this.tracks.find(({ rating_scale: isScale, key }) => isScale && key === "mood");
  }

  // Below the figure of mood: how far the cases are apart at the selected time, and whether that means anything.
  showDifference() {
    const entry = this.figures.get(this.moodTrack.key);
    if (!entry) return;
    const { cases } = this.workbench;
    const tracks = this.responses.map((response) => response?.tracks.find(({ key }) => key === this.moodTrack.key));
    const isComparable = cases.length > 1 && cases.length === this.responses.length;
    const sentence = (k) => differenceSentence({ ...this, cases, tracks, k }, selectedTime.hours);
    entry.figure.setNote(isComparable ? cases.map((_, k) => (k ? sentence(k) : "")).filter(Boolean).join(" ") : "");
  }

  // For each case without a published value in the figures: the settings without which it would have some.
  async missingPoints(cases) {
    const ofCase = async (scenario, i) => {
      if (!isCurrent(this.responses[i]) || (await this.hasPoints(scenario))) return null;
      const found = [];
      for (const [words, without] of settingsOf(scenario, this.workbench.metadata.person)) {
        if (await this.hasPoints(without)) found.push(words);
      }
      return { i, found };
    };
    return (await Promise.all(cases.map(ofCase))).filter(Boolean);
  }

  async hasPoints(scenario) {
    const { published_values: values } = await postJson("/api/published-values", { scenario }).catch(() => ({ published_values: [] }));
    return values.some(({ track }) => this.figures.has(track));
  }

  // Which curves are old, and why a case has no published values.
  showNotes() {
    const { cases } = this.workbench;
    const prefix = (i) => (cases.length > 1 ? `${caseLetter(i)}: ` : "");
    const old = this.responses.flatMap((response, i) => {
      const what = "the text is not understood: see the error at its field. The curves are the last ones";
      return response?.isOutdated ? [`${prefix(i)}${what}, of ${response.treatments.join("; ")}.`] : [];
    });
    const missing = (this.missing ?? []).map(({ i, found }) => {
      const why = found.length
        ? `no published values are shown ${found.join(" or ")}: those in the tables are of other patients.`
        : "the tables hold no published values of exactly these doses at these times.";
      return `${prefix(i)}${why}`;
    });
    this.notes.replaceChildren(...old.map((text) => element("p", { class: "outdated", text })), ...missing.map((text) => element("p", { text })));
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
      if (!isCurrent(this.responses[i])) return [];
      const found = await postJson("/api/published-values", { scenario }).catch(() => ({ published_values: [] }));
      return found.published_values;
    };
    const points = (await Promise.all(cases.map(ofCase))).flat();
    return [...new Map(points.map((point) => [point.evidence + point.track + point.value, point])).values()];
  }

  showAll() {
    for (const key of this.figures.keys()) this.show(key);
    this.showDifference();
    this.showNotes();
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
      const label = resultLabel(this.workbench.cases[i], i, this.responses[i]);
      const series = { time, y: curve.treated, label, index: i, kind: "main" };
      return [series, ...controlSeries(curve, time, `${caseLetter(i)} without drug`, i > 0)];
    });
  }
}

const isCurrent = (response) => Boolean(response) && !response.isOutdated;

// [words, scenario] without each setting by which a case may differ from the patients of a study.
function settingsOf(scenario, fields) {
  const { person = {} } = scenario;
  const ofPerson = Object.entries(person).map(([name, value]) => {
    const rest = Object.fromEntries(Object.entries(person).filter(([other]) => other !== name));
    if (name === "weight") rest.weight = USUAL_WEIGHT; // a dose per kilogram needs one
    return [wordsOf(fields.find((one) => one.name === name), value), { ...scenario, person: rest }];
  });
  const others = Object.keys(OTHER_SETTINGS).filter((key) => Object.keys(scenario[key] ?? {}).length);
  const without = (key) => Object.fromEntries(Object.entries(scenario).filter(([name]) => name !== key));
  return [...ofPerson, ...others.map((key) => [OTHER_SETTINGS[key], without(key)])];
}

const USUAL_WEIGHT = "70 kg"; // of a typical patient, with whom published values are compared

const OTHER_SETTINGS = {
  perturbations: "with these perturbations",
  pathways: "with these pathways off",
  parameters: "with these parameters",
  variant: "of this model variant",
};

// A value of the patient in words: "for a person of 67 years", "with Japanese ancestry: yes".
function wordsOf({ name, label, shown_unit: unit, choices }, value) {
  const chosen = choices.find((one) => one.value === String(value))?.label;
  const text = chosen ?? `${Number.parseFloat(value)} ${unit}`.trim();
  return name === "age" ? `for a person of ${text}` : `with ${label}: ${text}`;
}

const hasChange = ({ curves }) => curves.some(({ treated }) => range(treated) > 1e-6);
