// Chapter 10: how much of the effect on mood is lost with each pathway off, and the attribution by Shapley values.

import { LatestTask, postJson } from "./api.js";
import { element, find, svgElement } from "./dom.js";
import { evidenceBadges } from "./evidence-dialog.js";
import { formatNumber, formatSigned, interpolate } from "./format.js";
import { COLOURS } from "./figure.js";
import { startJob } from "./run-job.js";
import { TimeFigure } from "./time-figure.js";
import { MONTH } from "./time-slider.js";

const DAY = 24; // h
const DRAWS = 20;
const BAR_WIDTH = 196;
const NO_RATING = "MADRS does not apply to a rat. Choose a route in people to see the contributions of the pathways.";
const METHOD =
  "Shapley values divide joint effects evenly, so that the contributions add up to the whole effect. All combinations " +
  "of pathways are simulated for several draws of the uncertain parameters; this takes a few seconds.";

// Returns a function that simulates the chapter again.
export function pathwayChapter(state, about) {
  const place = element("div", {}, element("p", { class: "loading", text: "Simulating with each pathway off …" }));
  const title = element("h3", { text: "Loss of effect on MADRS at 24 h with one pathway off" });
  find("#pathways-figure").append(element("div", {}, title, place));
  if (about.parts.attribution) find("#pathways-figure").append(attributionOfStory(state, about.components));

  const simulation = new LatestTask(async () => {
    if (state.species) return place.replaceChildren(emptyState(NO_RATING));
    const whole = await effectOnMood(state);
    const losses = [];
    for (const pathway of about.pathways) {
      const isOff = state.pathwaysOff.has(pathway.name);
      losses.push({ pathway, isOff, loss: isOff ? 0 : (await effectOnMood(state, pathway.name)) - whole });
    }
    losses.sort((a, b) => b.loss - a.loss);
    place.replaceChildren(lossTable(whole, losses));
    find('[data-caption="pathways"]').textContent = lossCaption(whole, losses);
  });
  return () => simulation.run();
}

const emptyState = (text) => element("div", { class: "empty-state" }, element("p", { text }));

// MADRS at 24 h against the control, with one pathway off where it is named.
async function effectOnMood(state, pathwayOff = null) {
  const { scenario } = state;
  if (pathwayOff) scenario.pathways[pathwayOff] = false;
  const curves = await postJson("/api/curves", { scenario, until: MONTH, tracks: ["mood"] });
  const [madrs] = curves.figures[0].curves;
  return interpolate(curves.time, madrs.treated, DAY) - interpolate(curves.time, madrs.control, DAY);
}

function lossTable(whole, losses) {
  const largest = Math.max(0.5, ...losses.map(({ loss }) => Math.abs(loss)));
  const caption = `With all pathways on, the drug lowers MADRS at 24 h by ${formatNumber(-whole)} points more than the control.`;
  const heading = (text, className) => element("th", { scope: "col", text, class: className });
  const row = ({ pathway, isOff, loss }) => {
    const points = Math.abs(loss) < 0.005 ? "0" : formatSigned(Number(loss.toFixed(2)), 3);
    const oneLine = element("small", { class: "secondary", text: `${pathway.one_line} ` });
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, pathway.label, element("br"), oneLine, evidenceBadges(pathway)),
      element("td", {}, bar(loss, largest, pathway.colour)),
      element("td", { class: "number", text: isOff ? "off" : points }),
    );
  };
  const head = element("tr", {}, heading("pathway"), heading("loss when off"), heading("points", "number"));
  const table = element(
    "table",
    {},
    element("caption", { text: caption }),
    element("thead", {}, head),
    element("tbody", {}, losses.map(row)),
  );
  return element("div", { class: "scroll-x" }, table);
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
  const largest = `${formatNumber(first.loss, 2)} of ${formatNumber(-whole)} points`;
  return `The largest loss is with “${first.pathway.label}” off: ${largest}. The losses sum to ${formatNumber(sum)} points.`;
}

function attributionOfStory(state, components) {
  const figure = new TimeFigure({ title: "Pathway contributions to MADRS over time", unit: "points", height: 320 });
  const sentences = element("div", {});
  const status = element("p", { class: "secondary", role: "status" });
  const button = element("button", { type: "button", class: "primary", text: "Attribute", onclick: () => attribute() });
  figure.node.hidden = true;

  async function attribute() {
    button.disabled = true;
    try {
      const showProgress = ({ progress }) => {
        status.textContent = `${Math.round(100 * progress)} %`;
      };
      const body = { scenario: state.scenario, draws: DRAWS };
      const result = await startJob("/api/jobs/attribution", body, showProgress).done;
      if (result) show(result);
    } catch (error) {
      status.textContent = error.message;
    }
    button.disabled = false;
  }

  function show(result) {
    const combinations = 2 ** (result.parts.length - 2); // expectancy and the unattributed effect are no pathways
    status.textContent = `Shapley values from ${combinations} combinations of pathways, mean of ${DRAWS} parameter draws.`;
    sentences.replaceChildren(...result.sentences.map((text) => element("p", { class: "secondary", text })));
    figure.node.hidden = false;
    figure.show(stackedContributions(result, components));
  }

  return element("div", {}, element("p", { class: "secondary", text: METHOD }), button, status, figure.node, sentences);
}

// The contributions as layers, the largest first; the small ones are added up.
export function stackedContributions(result, components) {
  const size = ({ values }) => Math.max(...values.map(Math.abs));
  const all = result.parts.map((id, i) => {
    const { label, colour } = components.find((one) => one.id === id) ?? { label: id, colour: null };
    return { label, colour, values: result.course[i] };
  });
  const layers = all.sort((a, b) => size(b) - size(a)).slice(0, COLOURS - 1);
  const others = all.slice(COLOURS - 1);
  if (others.length) layers.push({ label: "All others", colour: null, values: sumOf(others, result.times.length) });

  let lower = result.times.map(() => 0);
  const bands = [];
  const series = [];
  layers.forEach(({ label, colour, values }, index) => {
    const upper = lower.map((value, k) => value + values[k]);
    bands.push({ time: result.times, low: lower, high: upper, kind: "layer", index, colour });
    series.push({ time: result.times, y: upper, listed: values, label, index, colour, kind: "minor" });
    lower = upper;
  });
  const caption = "Each layer is one component, with its value in the list; the lowest line is the whole change.";
  return { series, bands, caption };
}

const sumOf = (layers, length) =>
  Array.from({ length }, (_, k) => layers.reduce((sum, { values }) => sum + values[k], 0));
