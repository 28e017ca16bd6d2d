// Simulated people: single curves behind the mood curve, ten people as figures, and the score in words.

import { postJson } from "./api.js";
import { element, svgElement } from "./dom.js";
import { formatNumber, interpolate } from "./format.js";
import { MONTH } from "./time-slider.js";

const SHOWN = 30;
const DAY = 24; // h
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

export const countResponders = (found) => fallsOf(found).filter((fall) => fall >= RESPONSE).length;

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
  const words = `${responders} of 10 at least half better, ${rest} better by less than half, ${little} little or not at all better`;
  const figures = falls.map((fall, i) => {
    const responds = fall >= RESPONSE;
    const text = element("span", { class: responds ? "responds-text" : null, text: percent(-fall) });
    return element("li", { class: `ten-person${responds ? " responds" : ""}` }, person(fall, i), text);
  });
  return element(
    "div",
    { class: "people-row" },
    element("h4", { text: `${title.charAt(0).toUpperCase()}${title.slice(1)}: ${words}` }),
    element("ol", {}, figures),
  );
}

const percent = (value) => `${value > 0.005 ? "+" : value < -0.005 ? "−" : ""}${Math.abs(Math.round(100 * value))}%`;

// Of ten people, how many respond, beside ten without the drug.
export function tenPeople({ description, treated, control }) {
  const n = countResponders(treated);
  const intro = `Each figure is one simulated person, one day after the dose. It is filled by as much as that person's score fell. Full green: the score fell by half or more.`;
  return element(
    "div",
    { class: "ten-people" },
    element("h3", { text: `Of 10 people like these, ${n} respond after a day` }),
    element("p", { class: "secondary", text: intro }),
    element(
      "div",
      { class: "people-rows" },
      row(description, treated),
      control ? row("No drug, the same visits and expectation", control) : null,
    ),
  );
}

// The bands of the score with its values before, after a day, and without the drug.
export function scoreBar({ bands, before, treated, control }) {
  const left = (score) => 10 + (580 * score) / 60;
  const shades = [0.05, 0.12, 0.2, 0.32];
  const band = ({ band: name, from, to }, i) => [
    svgElement("rect", {
      x: left(from),
      y: 58,
      width: left(to) - left(from) - 2,
      height: 30,
      fill: "currentColor",
      "fill-opacity": shades[i],
    }),
    svgElement("text", { x: (left(from) + left(to)) / 2, y: 78, "text-anchor": "middle" }, name),
    svgElement(
      "text",
      { x: left(from), y: 106, class: "muted", "text-anchor": from ? "middle" : "start" },
      String(from),
    ),
  ];
  const marks = [
    [treated, "drug", 0],
    [control, "no drug", 0],
    [before, "before", 0],
  ].filter(([score]) => Number.isFinite(score));
  const sorted = marks.sort((a, b) => a[0] - b[0]);
  const close = sorted.map(([score], i) => i > 0 && left(score) - left(sorted[i - 1][0]) < 58);
  const mark = ([score, name], i) => {
    const y = close[i] && !close[i - 1] ? 14 : 36;
    return [
      svgElement("text", { x: left(score), y, "text-anchor": "middle" }, `${name} ${Math.round(score)}`),
      svgElement("path", { d: `M${left(score) - 6} 44h12l-6 10z`, fill: "currentColor" }),
      y < 30 ? svgElement("line", { x1: left(score), x2: left(score), y1: 18, y2: 44, stroke: "currentColor" }) : null,
    ].filter(Boolean);
  };
  const nodes = [
    ...bands.flatMap(band),
    svgElement("text", { x: 590, y: 106, class: "muted", "text-anchor": "end" }, "60"),
    ...sorted.flatMap(mark),
  ];
  const text = `MADRS bands: ${bands.map(({ band: name, from, to }) => `${name} ${from} to ${to}`).join(", ")}. Before the dose ${Math.round(before)}; a day after it ${formatNumber(Math.round(treated))}; without the drug ${formatNumber(Math.round(control))}.`;
  const svg = svgElement("svg", { viewBox: "0 0 600 112", role: "img", "aria-label": text }, nodes);
  const [all, expected, drug] = [before - treated, before - control, control - treated].map((fall) => fall.toFixed(1));
  const share = `A typical person's score has fallen by ${all} points: ${expected} of them come with expectation alone, and ${drug} more with the drug.`;
  return element(
    "div",
    { class: "score-bar" },
    element("h3", { text: "What the score means, one day after the dose" }),
    svg,
    element("p", { text: share }),
  );
}
