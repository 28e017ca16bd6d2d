// Two chapters of the story with figures of their own: the comparison of treatments and the pathway contributions.

import { DAY, MONTH } from "../engine/units.js";
import { getJson, LatestTask, postJson, runJob, ServerError } from "./api.js";
import { button, checkbox, element, emptyState, find, findAll, linkButton, loading, paragraph, svgElement, table } from "./dom.js";
import { evidenceBadges, openEvidence, withValues } from "./evidence.js";
import { stackedContributions } from "./figure-data.js";
import { formatNumber, interpolate } from "./format.js";
import { writeCaption } from "./story-findings.js";
import { pathwayWords } from "./story-scenario.js";
import { TimeFigure } from "./time-figure.js";
import { isStaticSite } from "./static-site.js";
import { RANGES, selectedTime } from "./time-slider.js";

// The simulated ketamine treatment compared with treatments that take weeks.

const WEEK = 7 * DAY;
const COMPARISON_CAPTION =
  "Each curve includes the expectancy from its visits; one typical patient with MADRS 33 before treatment. " +
  "Points in a curve’s own shape and colour are published means of such treatments; those of ketamine are in the first " +
  "chapter. Days and weeks are evenly spaced here.";

// `leftOut`: ids of the treatments that are not shown; `changed` is called after a choice. Returns { simulate, show }.
export function treatmentComparison(state, leftOut, changed) {
  const treatments = [...state.tables.compared_treatments.values()];
  const figure = new TimeFigure({ title: "Depression (MADRS)", unit: "points, 0 to 60", height: 360, openEvidence, clock: RANGES.course });
  const published = publishedComparison(treatments);
  find("#comparison-figures").append(figure.node, published.node);
  const curves = new Map(); // by treatment id
  const boxes = treatments.map(({ id, label, schedule }) => {
    const choose = (on) => {
      if (on) leftOut.delete(id);
      else leftOut.add(id);
      show();
      changed();
    };
    return checkbox(`${label}, ${schedule}`, !leftOut.has(id), choose);
  });
  find("#comparison-controls").replaceWith(
    element("div", { role: "group", "aria-label": "Compare treatments" }, boxes),
  );

  const shown = () => treatments.filter(({ id }) => !leftOut.has(id) && curves.has(id));
  const show = () => {
    treatments.forEach(({ id }, i) => {
      boxes[i].firstChild.checked = !leftOut.has(id);
    });
    if (!curves.has("ketamine")) return;
    const label = state.species ? "Ketamine infusion, in people" : "Ketamine, current scenario";
    const series = [
      { ...curves.get("ketamine"), label, kind: "main" },
      ...shown().map((one) => ({ ...curves.get(one.id), label: `${one.label}, ${one.schedule}`, kind: "minor" })),
    ];
    figure.show({ series, points: shown().flatMap(({ id }) => curves.get(id).points), caption: COMPARISON_CAPTION });
    figure.setFinding(comparisonFinding(series));
    showCaption(selectedTime.hours);
  };
  const showCaption = (hours) => {
    if (!curves.has("ketamine")) return;
    const value = (id) => formatNumber(interpolate(curves.get(id).time, curves.get(id).y, hours));
    const inSentence = (id) => (id.length > 3 ? id : id.toUpperCase()); // abbreviations keep their capitals
    const others = hours < WEEK ? [] : shown();
    const values = ["ketamine", ...others.map(({ id }) => id)].map((id) => `${inSentence(id)} ${value(id)}`);
    const later = others.length ? "" : " Other treatments take weeks; their scores are stated from the first week on.";
    writeCaption(find('[data-caption="comparison"]'), `the MADRS score is: ${values.join(", ")} points.${later}`);
  };
  selectedTime.onChange(showCaption);

  const simulation = new LatestTask(async () => {
    try {
      for (const [i, { id, label, regimen }] of treatments.entries()) {
        const scenario = { treatments: [regimen], horizon: "84 days" };
        if (!curves.has(id)) curves.set(id, await madrsOf(scenario, i + 1, label));
      }
      const scenario = { ...(state.species ? state.defaultScenario : state.scenario), horizon: "84 days" };
      curves.set("ketamine", await madrsOf(scenario, 0, "Ketamine"));
      show();
      await published.fill(curves);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      figure.show({ series: [], caption: error.message });
    }
  });
  return { simulate: () => simulation.run(), show };
}

// No order is stated: the trials do not give that of the model.
function comparisonFinding([{ time, y }]) {
  return `In the model the score is ${Math.round(interpolate(time, y, DAY))} a day after ketamine; which treatment is best, the curves do not show`;
}

// What trials found at the end of each course, beside the model at the same time: { node, fill(curves) }.
function publishedComparison(treatments) {
  const node = element("div", { class: "published-comparison" });
  const ids = [...new Set(treatments.flatMap(({ evidence }) => evidence.split(";")))];
  let rows = null;
  const fill = async (curves) => {
    rows ??= (await getJson(`/api/evidence?ids=${ids.join(",")}`)).rows;
    const line = ({ id, label, course, published, evidence, departure }) => {
      const { time, y } = curves.get(id);
      const [before, after] = [y[0], interpolate(time, y, course)];
      const open = () => openEvidence(evidence.split(";"), label);
      const model = `from ${formatNumber(before)} to ${formatNumber(after)} points: ${departure}`;
      return [label, element("span", {}, withValues(published, rows), " ", linkButton("open", open)), model];
    };
    const known = treatments.filter(({ id }) => curves.has(id));
    node.replaceChildren(table("What trials found at the end of the course, beside the model", ["treatment", "trials found", "the model gives"], known.map(line)));
  };
  return { node, fill };
}

const fetchMadrs = (scenario, until = MONTH) => postJson("/api/curves", { scenario, until, tracks: ["mood"] });

// MADRS of a scenario with its published values.
async function madrsOf(scenario, index, label) {
  const [{ tracks, time }, published] = await Promise.all([
    fetchMadrs(scenario, RANGES.course.last),
    postJson("/api/published-values", { scenario }).catch(() => ({ published_values: [] })),
  ]);
  const [madrs] = tracks[0].curves;
  const points = published.published_values
    .filter((point) => point.track === "mood" && point.curve === madrs.key)
    .map((point) => ({ ...point, index, label: `${label}: ${point.label}` }));
  return { time, y: madrs.treated, control: madrs.control, index, points };
}

// How much of the effect on mood is lost with each pathway off, and the attribution by Shapley values.

const DRAWS = isStaticSite ? 0 : 20;
const BAR_WIDTH = 196;
const NO_RATING = "MADRS does not apply to a rat. Choose a route in people to see the contributions of the pathways.";
const METHOD =
  "Shapley values divide joint effects evenly, so that the contributions add up to the whole effect. All combinations " +
  "of pathways are simulated; this takes a few seconds.";

// Returns a function that simulates the chapter again.
export function pathwayContributions(state, components) {
  const place = element("div", {}, loading("Simulating with each pathway off …"));
  const title = element("h3", { text: "Loss of effect on MADRS at 24 h with one pathway off" });
  find("#pathways-figures").append(element("div", {}, title, place));
  find("#pathways-figures").append(attributionOfStory(state, components));

  const simulation = new LatestTask(async () => {
    if (state.species) {
      for (const share of [find("#habenula-share"), ...findAll("[data-mechanism]")]) share.textContent = "";
      return place.replaceChildren(emptyState(NO_RATING));
    }
    const whole = await effectOnMood(state);
    const losses = [];
    for (const pathway of state.pathways.values()) {
      const isOff = state.pathwaysOff.has(pathway.name);
      losses.push({ pathway, isOff, loss: isOff ? 0 : (await effectOnMood(state, pathway.name)) - whole });
    }
    losses.sort((a, b) => b.loss - a.loss);
    place.replaceChildren(lossTable(state, whole, losses));
    title.textContent = lossCaption(whole, losses.slice(0, 1)).split(". ")[0];
    find('[data-caption="pathways"]').textContent = lossCaption(whole, losses);
    await showMechanisms(state, -whole, losses);
  });
  return () => simulation.run();
}

// In the chapters of a mechanism and in the lead: the points lost without it, beside those lost without the habenula.
async function showMechanisms(state, whole, losses) {
  const lossOf = (id) => losses.find(({ pathway }) => pathway.name === id);
  const { loss: habenula, isOff } = lossOf("habenula");
  const places = findAll("[data-mechanism]");
  const isShown = whole >= 1 && !isOff;
  const ofWhole = `of the ${points(whole)} points that the drug adds after a day`;
  find("#habenula-share").textContent = isShown
    ? `In this model, ${points(habenula)} ${ofWhole} come through the habenula, a tiny spot deep in the brain. In the first hour most of it comes from what the drug makes people feel, not from the steps drawn here. That is assumed.`
    : "";
  for (const place of places) {
    const [kind, id] = place.dataset.mechanism.split(":");
    if (!isShown || (kind === "off" ? lossOf(id).isOff : state.perturbations.has(id))) {
      place.textContent = "";
      continue;
    }
    const loss = kind === "off" ? lossOf(id).loss : whole + (await effectOnMood(state, null, state.tables.perturbations.get(id).phrase));
    const without = kind === "off" ? `“${lossOf(id).pathway.label}” is off (${state.tables.pathway_words.get(id)?.words})` : state.tables.perturbations.get(id).without;
    place.textContent = `In this model, ${points(loss)} ${ofWhole} are lost when ${without}. When the habenula is off, ${points(habenula)} are lost.`;
  }
}

const points = (value) => Math.abs(value).toFixed(1);

// MADRS at 24 h against the control, with one pathway off or one block where it is named.
async function effectOnMood(state, pathwayOff = null, block = null) {
  const { scenario } = state;
  if (block) scenario.perturbations.push(block);
  if (pathwayOff) scenario.pathways[pathwayOff] = false;
  const { tracks, time } = await fetchMadrs(scenario);
  const [madrs] = tracks[0].curves;
  return interpolate(time, madrs.treated, DAY) - interpolate(time, madrs.control, DAY);
}

function lossTable(state, whole, losses) {
  const largest = Math.max(0.5, ...losses.map(({ loss }) => Math.abs(loss)));
  const caption = `With all pathways on, the drug lowers MADRS at 24 h by ${points(whole)} points more than the control.`;
  const row = ({ pathway, isOff, loss }) => {
    const points = loss.toFixed(1).replace(/^-(?=0\.0)/, "").replace("-", "−");
    const label = element("div", { class: "pathway" }, pathway.label, ...pathwayWords(state, pathway.name));
    const size = element("div", { class: "loss" }, bar(loss, largest, pathway.colour), evidenceBadges(pathway));
    return [label, size, isOff ? "off" : points];
  };
  return table(caption, ["pathway", "loss when off", "points lost"], losses.map(row));
}

function bar(value, largest, colour) {
  const width = Math.max(1, (Math.abs(value) / largest) * BAR_WIDTH);
  const rect = svgElement("rect", { fill: colour, x: 1, y: 3, width, height: 12, rx: 2 });
  const frame = { viewBox: "0 0 200 18", width: 200, height: 18, class: "figure", "aria-hidden": "true" };
  return svgElement("svg", { ...frame, preserveAspectRatio: "none" }, rect);
}

function lossCaption(whole, losses) {
  const [first] = losses;
  const sum = losses.reduce((total, { loss }) => total + loss, 0);
  const largest = `${points(first.loss)} of ${points(whole)} points`;
  return `The largest loss is with “${first.pathway.label}” off: ${largest}. The losses sum to ${points(sum)} points; they need not add up to the whole, because some ways replace each other and some need each other.`;
}

function attributionOfStory(state, components) {
  const figure = new TimeFigure({ title: "Pathway contributions to MADRS over time", unit: "points", height: 320 });
  const sentences = element("div", {});
  const place = element("div", {});
  figure.node.hidden = true;
  const show = (result) => {
    const combinations = 2 ** (result.components.length - 2); // expectancy and the unattributed effect are no pathways
    const values = DRAWS ? `mean of ${DRAWS} parameter draws` : "at the values of the tables";
    const method = `Shapley values from ${combinations} combinations of pathways, ${values}.`;
    sentences.replaceChildren(...[method, ...result.sentences].map((text) => paragraph(text, "secondary")));
    figure.node.hidden = false;
    figure.show(stackedContributions(result, components));
  };
  const attribute = () => {
    runJob("/api/jobs/attribution", { scenario: state.scenario, draws: DRAWS }, { place, show, submit });
  };
  const submit = button("Attribute", attribute, { class: "primary" });
  const parts = [paragraph(METHOD, "secondary"), submit, place, figure.node, sentences];
  return element("div", { "data-from": "student" }, parts);
}
