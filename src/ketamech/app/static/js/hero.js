// The first screen: the mood curve with single people behind it, the sentence of the clock's time, one dose slider, and
// the curves of the drawing beside it.

import { DAY } from "../engine/units.js";
import { simulate } from "../simulate.js";
import { getJson, LatestTask, ServerError } from "./api.js";
import { debounce, element, find, linkButton, table } from "./dom.js";
import { draggedDose, draggedTime } from "./drag-number.js";
import { percentileBands } from "./figure-data.js";
import { changes, firstTimeBelow, formatCount, formatTimeLong, interpolate, lastTimeAbove } from "./format.js";
import { bandOf, MoodFigure } from "./mood-figure.js";
import { MOOD, TIMES } from "./mood-runs.js";
import { fetchPeople, scoreBar, shareOfResponders, tenPeople } from "./people.js";
import { pointEntries } from "./point-marks.js";
import { isStaticSite } from "./static-site.js";
import { storyDoseSlider } from "./story-scenario.js";
import { Summary } from "./summary.js";
import { selectedTime } from "./time-slider.js";
import { Ways } from "./ways.js";
import { FallBar, WaysRibbon } from "./ways-ribbon.js";

const PRESENT = 0.1; // of the peak in the brain
const LOW_SCREEN = 1072; // px, as in the stylesheet
const LOWEST_SCREEN = 830;
const RAT =
  "A rat is simulated, as in most studies of cells. It has no mood score; everything in the drawing is computed for it.";
const NO_RATING = "The MADRS score exists for people only; a rat is simulated now.";

export class Hero {
  // `tables`: the server's tables of the story.
  // `showBands` gets the bands of the simulated people, also where they are removed.
  constructor(tables, { state, runs, scene, openEvidence, showBands, withTerms }) {
    Object.assign(this, { tables, state, scene, openEvidence, showBands, bands: tables.severity, points: [], people: null });
    this.figure = new MoodFigure({ bands: tables.severity, openEvidence, withTerms, height: innerHeight < LOWEST_SCREEN ? 186 : innerHeight < LOW_SCREEN ? 226 : 266 });
    find("#mood-figure").append(this.figure.node);
    const height = Math.min(420, Math.max(300, innerHeight - 420)); // on a low screen the legend needs room below
    this.largeFigure = new MoodFigure({ bands: tables.severity, openEvidence, withTerms, height, narrowHeight: 190 });
    scene.moodPlace.append(this.largeFigure.node);
    scene.moodSentence = (hours) => (this.found ? `After ${formatTimeLong(hours)}: ${this.sentenceAt(hours)}` : "");
    this.ways = new Ways(tables.ways, { state, runs });
    this.ribbon = new WaysRibbon(this.ways, find("#ways"), withTerms);
    new Summary(tables, this, withTerms);
    scene.stage.after(new FallBar(this.ways, withTerms).node);
    find("#dose-control").append(storyDoseSlider(state, { withRoutes: true }));
    selectedTime.whileNear(find("#mood-now"), { onChange: () => this.showSentence() });
    this.peopleTask = new LatestTask(() => this.simulatePeople());
    this.peopleSoon = debounce(250, () => this.peopleTask.run());
  }

  async simulate() {
    const { scenario, species } = this.state;
    const { outputs } = this.scene.bindings;
    const found = await simulate({ scenario, outputs: species ? outputs.filter(isInAnimals) : outputs, times: TIMES });
    for (const name of outputs) found.values[name] ??= new Float64Array(TIMES.length).fill(NaN);
    this.found = found;
    this.scene.setCurves(TIMES, found.values, species ? ` Computed for a ${species}.` : "");
    const ketamine = this.scene.bindings.curves.get("ketamine");
    const first = Math.max(...ketamine.filter((_, i) => TIMES[i] <= DAY)); // peak of the first dose
    this.drugIsPresentUntil = first > 0 ? firstTimeBelow(TIMES, ketamine, PRESENT * first, DAY) : 0;
    this.points = [];
    this.people = null; // of the treatment before
    this.show();
    this.peopleSoon();
  }

  markStale() {
    this.figure.markStale();
    this.ribbon.markStale();
  }

  showError(text) {
    for (const figure of this.figures) figure.show({ series: [], caption: text });
  }

  show() {
    const { state, found } = this;
    if (state.species) {
      for (const figure of this.figures) {
        figure.show({ series: [], caption: NO_RATING });
        figure.showPeople(null);
      }
      this.showBands([]);
      find("#mood-now").textContent = NO_RATING;
      find("#lead").textContent = RAT;
      return;
    }
    const scores = Array.from(found.values[MOOD]);
    const control = Array.from(found.control[MOOD] ?? []);
    const main = {
      time: TIMES,
      y: scores,
      label: "one typical person",
      index: 0,
      kind: "main",
      isUntested: this.isUntested,
    };
    const series = [main];
    if (control.length && changes(control))
      series.push({ time: TIMES, y: control, label: "no drug, same visits", kind: "control" });
    const benefit = TIMES.map((_, i) => control[i] - scores[i]);
    const most = Math.max(...benefit);
    const halved = lastTimeAbove(TIMES, benefit, most / 2);
    for (const figure of this.figures) {
      Object.assign(figure, { gone: this.drugIsPresentUntil, largest: most, halved });
      figure.show({ series, points: this.points });
      figure.node.classList.toggle("is-untested", this.isUntested);
    }
    find("#point-legend").replaceChildren(...pointEntries(this.points));
    this.showSentence();
    this.showLead(most, halved);
  }

  // Whether the dose is larger than that of any study of mood in the evidence tables.
  get isUntested() {
    const { tested } = this.state.routeRow;
    return this.state.dose > tested + 1e-9;
  }

  get peopleBands() {
    return this.people ? percentileBands(this.people, 0, "", ` of ${formatCount(this.people.count)} people`) : [];
  }

  // Nine in ten of the simulated people, in words.
  spreadAt(hours) {
    if (!this.people) return "";
    const { time, curves, count } = this.people;
    const [low, high] = [5, 95].map((percent) => Math.round(interpolate(time, curves[0].percentiles[percent], hours)));
    return ` Of ${formatCount(count)} people, nine in ten are between ${low} and ${high}.`;
  }

  showPoints(points) {
    this.points = points.filter(({ track }) => track === "mood");
    if (this.found) this.show();
  }

  showSentence() {
    if (!this.found || this.state.species) return;
    const { hours } = selectedTime;
    const untested = this.isUntested ? " No study of mood in our tables gave a dose this large." : "";
    const sentence = `the${this.scoreAt(hours).slice(3)}${this.spreadAt(hours)}${untested}`;
    this.showDraggedTime?.(); // never another time than the score
    if (this.sentence === sentence) return;
    this.sentence = sentence;
    const [, first, number, rest] = /^(.*? person is )(\d+)(.*)$/.exec(sentence);
    this.dragged ??= [draggedTime((show) => (this.showDraggedTime = show)), draggedDose(this.state)];
    const [time, dose] = this.dragged;
    const parts = ["After ", time, " and a dose of ", dose, `, ${first}`, element("strong", { text: number }), rest];
    const place = find("#mood-now");
    if (time.parentNode !== place) return place.replaceChildren(...parts); // the dragged nodes stay in place
    while (dose.nextSibling) dose.nextSibling.remove();
    place.append(...parts.slice(4));
  }

  // The score at a time, and the one without the drug.
  scoresAt(hours) {
    const { values, control } = this.found;
    return [values[MOOD], control[MOOD]].map((curve) => interpolate(TIMES, curve, hours));
  }

  // The score at a time, in words.
  sentenceAt(hours) {
    if (this.state.species) return NO_RATING;
    if (!this.found) return "";
    const [, without] = this.scoresAt(hours);
    return `${this.scoreAt(hours)} Without the drug it would be ${Math.round(without)}.`;
  }

  scoreAt(hours) {
    const score = interpolate(TIMES, this.found.values[MOOD], hours);
    return `The score of a typical person is ${Math.round(score)}, ${bandOf(this.bands, score)}.`;
  }

  // `most` points are the largest effect of the drug, of which half is left after `halved` hours.
  showLead(most, halved) {
    const gone = this.drugIsPresentUntil;
    if (!(gone > 0) || most < 1) {
      find("#lead").textContent =
        "At this dose there is hardly any effect beyond expectancy. Change the dose, run the clock and see what happens.";
      return;
    }
    const half = formatTimeLong(halved);
    if (this.isUntested) {
      find("#lead").textContent = `No trial of mood in our tables gave this dose: do not trust the effect of the model, up to ${most.toFixed(1)} points, half of it still there after ${half}.`;
      return;
    }
    const isSeries = !this.scene.bindings.isOneDose;
    const left = `Nine tenths of ${isSeries ? "each dose" : "the ketamine"} have left the brain after ${formatTimeLong(gone)}.`;
    const lasts = `In this model the depression score falls by up to ${most.toFixed(1)} points more with ${isSeries ? "them" : "it"}; half of that is left ${isSeries ? `${half} after the first dose` : `after ${half}`}.`;
    find("#lead").textContent = `${left} ${lasts}`;
  }

  // Above the people drawn: the response rates of trials of this treatment, and where there is one of a virtual copy.
  async publishedResponse(treated, control) {
    const { state } = this;
    const isOf = ({ route, schedules, from, to }) =>
      route === state.route && schedules.split(";").includes(state.schedule) && state.dose >= from && state.dose <= to;
    const rates = this.tables.responses.filter(isOf);
    if (!rates.length || state.changes.length || state.drug !== (state.routeRow.only_drug || state.defaults.drug)) return "";
    const ids = [...new Set(rates.flatMap(({ drug, control: other }) => [drug, other]).filter(Boolean))];
    const { rows } = await getJson(`/api/evidence?ids=${ids.join(",")}`);
    const published = new Map(rows.map((row) => [row.id, row]));
    if (ids.some((id) => !published.has(id))) return "";
    const copyOf = (id) => this.tables.simulated_responses.find((row) => row.id === id)?.share;
    const counted = rates.map(({ title, drug, control: other, simulated }) => {
      const words = { citation: published.get(drug).citation.split(" ").slice(0, 2).join(" "), other: published.get(other)?.drug };
      const shares = simulated === "yes" ? [drug, other].map((id) => 100 * copyOf(id)) : [drug, other].map((id) => Number(published.get(id)?.value ?? NaN));
      return [title.replace(/{(\w+)}/g, (_, name) => words[name]), ...shares.map((share) => (Number.isFinite(share) ? String(Math.round(share)) : "–"))];
    });
    const people = [treated, control].map((found) => String(shareOfResponders(found)));
    counted.push(["The people drawn below, a day after it, without the error of a rating", ...people]);
    const found = rates.filter(({ simulated }) => simulated !== "yes").map(({ drug }) => Math.round(published.get(drug).value));
    const open = () => this.openEvidence(ids, "Response in trials");
    const plan = element("a", { href: "workbench.html#tab=trial", "data-from": "student", text: isStaticSite ? "Plan a trial of your own (with the installed program)" : "Plan a trial of your own" });
    const links = element("p", {}, linkButton("Open the published values", open), " ", plan);
    const title = element("h3", { text: `In trials of this treatment, ${Math.min(...found)} to ${Math.max(...found)} of 100 people responded` });
    const numbers = table("Of 100 people, how many respond", ["", this.state.tables.drugs.get(state.drug).description, "control"], counted);
    const why = rates.some(({ simulated }) => simulated === "yes") ? element("p", { text: WHY_LOWER }) : null;
    return element("div", { class: "published-response" }, title, numbers, why, links);
  }

  async simulatePeople() {
    const { scenario, species, description, patients } = this.state;
    if (species) return;
    try {
      const treated = await fetchPeople(scenario, patients);
      if (JSON.stringify(scenario) !== JSON.stringify(this.state.scenario)) return;
      this.people = treated;
      this.figures.forEach((figure) => figure.showPeople(treated));
      this.show();
      this.showBands(this.peopleBands);
      const control = await fetchPeople(scenario, patients, { control: true });
      const place = find("#ten-people");
      place?.replaceChildren(
        await this.publishedResponse(treated, control),
        tenPeople({ description, treated, control }),
      );
      const at = (values) => interpolate(TIMES, values, DAY);
      const { values, control: untreated } = this.found;
      const score = { before: values[MOOD][0], treated: at(values[MOOD]), control: at(untreated[MOOD]) };
      find("#score-bar")?.replaceChildren(scoreBar({ bands: this.bands, ...score }));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.figures.forEach((figure) => figure.showPeople(null));
      this.showBands([]);
    }
  }

  get figures() {
    return [this.figure, this.largeFigure];
  }
}

const WHY_LOWER =
  "The simulated numbers are lower. A rating has errors, and mood goes up and down between ratings: both make a large " +
  "fall more frequent, with the drug and without it. The simulated trial includes both, the people drawn do not. That " +
  "the simulated trial still finds less than the real one is an error of the model, or chance.";

const HUMAN_ONLY = /^(mood|dissociation|suicidality)\./;
const isInAnimals = (name) => !HUMAN_ONLY.test(name);
