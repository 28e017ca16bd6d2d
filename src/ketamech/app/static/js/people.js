// Simulated people: single curves behind the mood curve, ten people as figures, and the score in words.

import { DAY, MONTH } from "../engine/units.js";
import { postJson } from "./api.js";
import { element, svgElement } from "./dom.js";
import { formatNumber, interpolate } from "./format.js";

const SHOWN = 30;
const RESPONSE = 0.5; // of the score before the dose
const LITTLE = 0.25;
const HEIGHT = 64;
const PERSON =
  "M32 4C41 4 46 11 46 21C46 31 40 39 40 43C40 48 60 50 62 60V66H2V60C4 50 24 48 24 43C24 39 18 31 18 21C18 11 23 4 32 4Z";

// Single patients, the largest fall first, and percentiles: { time, people: [[score at every time]], percentiles, count }.
export async function fetchPeople(scenario, patients, { control = false } = {}) {
  const request = {
    scenario,
    until: MONTH,
    track: "mood",
    patients,
    individuals: SHOWN,
    ranked_at: DAY,
    control,
  };
  const { time, curves, patients: count } = await postJson("/api/population", request);
  return { time, people: curves[0].individuals, curves, count };
}

// Every third of thirty even quantiles: ten even quantiles.
const ten = ({ people }) => people.filter((_, i) => i % 3 === 1);

function fallsOf(found, hours = DAY) {
  return ten(found).map((score) => 1 - interpolate(found.time, score, hours) / score[0]);
}

// Of 100.
export function shareOfResponders({ time, people }) {
  const responds = (score) => interpolate(time, score, DAY) <= (1 - RESPONSE) * score[0];
  return Math.round((100 * people.filter(responds).length) / people.length);
}

const countResponders = (found) => fallsOf(found).filter((fall) => fall >= RESPONSE).length;

function person(fall, i) {
  const id = `person-${fall.toFixed(4).replace(/\W/g, "")}-${i}`;
  const top = 68 - HEIGHT * Math.min(1, Math.max(0, fall));
  const clip = svgElement("clipPath", { id }, svgElement("path", { d: PERSON }));
  const fill = svgElement("rect", { class: "fill", x: 0, y: top, width: 64, height: 68, "clip-path": `url(#${id})` });
  const shape = (name) => svgElement("path", { class: name, d: PERSON });
  return svgElement(
    "svg",
    { viewBox: "0 0 64 68", "aria-hidden": "true" },
    clip,
    shape("ground"),
    fill,
    shape("outline"),
  );
}

function row(title, found) {
  const falls = fallsOf(found);
  const responders = falls.filter((fall) => fall >= RESPONSE).length;
  const little = falls.filter((fall) => fall < LITTLE).length;
  const rest = falls.length - responders - little;
  const groups = [
    [responders, "at least half better"],
    [rest, "less than half"],
    [little, "little or not"],
  ].filter(([count]) => count > 0);
  const bracket = ([count, words]) => {
    const node = element("span", { text: `${count} ${words}` });
    node.style.gridColumn = `span ${count}`;
    return node;
  };
  const figures = falls.map((fall, i) => {
    const responds = fall >= RESPONSE;
    const text = element("span", { class: responds ? "responds-text" : null, text: percent(-fall) });
    return element("li", { class: `ten-person${responds ? " responds" : ""}` }, person(fall, i), text);
  });
  return element(
    "div",
    { class: "people-row" },
    element("h4", { text: `${title.charAt(0).toUpperCase()}${title.slice(1)}` }),
    element("ol", {}, figures),
    element("div", { class: "people-groups" }, groups.map(bracket)),
  );
}

const percent = (value) => `${value > 0.005 ? "+" : value < -0.005 ? "−" : ""}${Math.abs(Math.round(100 * value))}%`;

// Of ten people, how many respond, beside ten without the drug.
export function tenPeople({ description, treated, control }) {
  const n = countResponders(treated);
  const intro = `Each figure is one simulated person, one day after the dose. It is filled by as much as that person's score fell. Full green: the score fell by half or more; ${n} of 10 respond in this way. They are drawn without the errors of a rating, so that fewer respond than in a trial.`;
  return element(
    "div",
    { class: "ten-people" },
    element("h3", { text: "Ten simulated people, a day after the dose" }),
    element("p", { class: "secondary", text: intro }),
    element(
      "div",
      { class: "people-rows" },
      row(description, treated),
      control ? row("No drug, the same visits", control) : null,
    ),
  );
}

const REMISSION = 10; // points or less
const CLOSE = 11; // points between two names that would touch on a phone

// The bands of the score with its values before, after a day, and without the drug.
export function scoreBar({ bands, before, treated, control }) {
  const [lowest, highest] = [bands[0].from, bands.at(-1).to];
  const percentOf = (score) => `${(100 * (score - lowest)) / (highest - lowest)}%`;
  const at = (score, name, ...content) => {
    const node = element("span", { class: name }, content);
    node.style.left = percentOf(score);
    return node;
  };
  const band = ({ band: name, from, to }) => {
    const node = at(from, "score-band", name);
    node.style.width = percentOf(lowest + to - from);
    return node;
  };
  const marks = [
    [treated, "drug"],
    [control, "no drug"],
    [before, "before"],
  ].filter(([score]) => Number.isFinite(score));
  marks.sort((a, b) => a[0] - b[0]);
  const isHigh = marks.map(() => false);
  marks.forEach(([score], i) => (isHigh[i] = i > 0 && !isHigh[i - 1] && score - marks[i - 1][0] < CLOSE));
  const mark = ([score, name], i) =>
    at(score, `score-mark${isHigh[i] ? " high" : ""}`, `${name} `, element("b", { text: String(Math.round(score)) }));
  const edges = [...bands.map(({ from }) => from), highest].map((score) => at(score, "score-edge", String(score)));
  const drawing = element(
    "div",
    { class: "score-drawing", role: "img" },
    marks.map(mark),
    bands.map(band),
    edges,
    at(REMISSION, "score-remission", `${REMISSION} or less: remission`),
    element("span", { class: "score-better", text: "← lower is better" }),
  );
  const text = `MADRS bands: ${bands.map(({ band: name, from, to }) => `${name} ${from} to ${to}`).join(", ")}. Before the dose ${Math.round(before)}; a day after it ${formatNumber(Math.round(treated))}; without the drug ${formatNumber(Math.round(control))}. Remission: ${REMISSION} or less.`;
  drawing.setAttribute("aria-label", text);
  const [all, expected, drug] = [before - treated, before - control, control - treated].map((fall) => fall.toFixed(1));
  const share = `A typical person's score has fallen by ${all} points: ${expected} of them come with expectancy alone, and ${drug} more with the drug.`;
  return element(
    "div",
    { class: "score-bar" },
    element("h3", { text: "What the score means, one day after the dose" }),
    drawing,
    element("p", { text: share }),
  );
}
