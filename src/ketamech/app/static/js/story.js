// The story: one course, one clock, ten chapters. Figures in view are drawn first, the others when the hand rests.

import { ask, get, Latest, onConnection, Problem } from "./api.js";
import { beside } from "./beside.js";
import { clock, clockwork, LAST } from "./clock.js";
import { Course } from "./course.js";
import { all, find, later, make, say } from "./dom.js";
import { dressBadges, openRows } from "./evidence.js";
import { Figure } from "./figure.js";
import { NOW } from "./now.js";
import { pushPanel } from "./pushing.js";
import { dress } from "./theme.js";
import { ways } from "./ways.js";

const course = new Course();
const figures = new Map(); // lane -> Figure
const found = {}; // lane -> what the server last said
const seen = new Set(); // lanes in view
const HUMAN_SCALES = new Set(["mood", "suicidality", "dissociation"]);
let before = null; // the usual dose, for the dotted line
let points = [], wantBand = false, band = null;

dress();
contents();
find("#dock").append(...clockwork(), following());
for (const place of all("[data-push]")) place.replaceWith(pushPanel(place.dataset.push, course, showBand));
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) seen.add(entry.target.dataset.lane); else seen.delete(entry.target.dataset.lane);
}, { rootMargin: "25% 0px" });

function contents() {
  find("#contents").append(...all("[data-chapter]").map((part, i) => make("li", {}, make("a", { href: `#${part.id}` }, make("span", { text: i + 1 }), part.dataset.chapter))));
}

function following() {
  const given = make("strong", {}), changes = make("span", {});
  const back = make("button", { class: "plain", type: "button", id: "reset", onclick: () => { course.reset(); say("Back to 0.5 mg/kg over 40 minutes, everything on"); }, text: "Start over" });
  const bench = make("a", { text: "Open on the bench" });
  const show = () => {
    given.textContent = course.inWords;
    changes.textContent = course.changes.join(", ");
    back.hidden = course.usual;
    bench.href = `/bench#s=${btoa(unescape(encodeURIComponent(JSON.stringify({ cases: [course.scenario] })))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
  };
  course.listen(show);
  show();
  return make("div", { class: "following" }, make("span", { text: "Following" }), given, changes, back, bench);
}

async function begin() {
  const first = ask("/api/curves", { scenario: course.scenario, until: LAST, lanes: ["plasma"] }); // while the names are on their way
  const about = await get("/api/about");
  const known = new Map(about.lanes.map((lane) => [lane.key, lane]));
  for (const place of all("[data-lanes]")) {
    for (const key of place.dataset.lanes.split(" ")) {
      const lane = known.get(key);
      if (!lane) continue;
      const figure = new Figure({ title: lane.label, unit: lane.unit, openEvidence: openRows, height: key === "mood" || key === "plasma" ? 300 : 230 });
      figure.node.dataset.lane = key;
      figures.set(key, figure);
      place.append(figure.node);
      watcher.observe(figure.node);
    }
  }
  const told = await first;
  found.plasma = { ...told.figures[0], time: told.time, doses: told.doses };
  show("plasma");
  const more = [beside(course, find("#beside-push"), find("#beside-figure")), ways(course, find("#ways-figure"), about.parts)];
  for (const sentence of all("[data-now]")) if (NOW[sentence.dataset.now]) clock.listen(() => tell(sentence));
  dressBadges();
  course.listen(() => push());
  course.listen(later(350, () => more.forEach((part) => part())));
  push();
  setTimeout(reference, 900);
  setTimeout(() => more.forEach((part) => part()), 700);
}

const drawing = new Latest(async (_, newer) => {
  const scenario = course.scenario;
  const first = [...figures.keys()].filter((key) => seen.has(key));
  await fetchLanes(scenario, first.length ? first : ["plasma"]);
  performance.measure("slider to redraw", { start: performance.getEntriesByName("pushed").at(-1)?.startTime ?? performance.now(), end: performance.now() });
  if (!newer()) rest();
});
const rest = later(120, () => others.push(null));
const others = new Latest(async () => {
  const scenario = course.scenario;
  await fetchLanes(scenario, [...figures.keys()]);
  const told = await ask("/api/points", { scenario });
  if (JSON.stringify(course.scenario) !== JSON.stringify(scenario)) return;
  points = told.points;
  figures.forEach((_, key) => show(key));
  if (wantBand) await fetchBand();
});

// The usual dose, for the dotted line once something is changed.
async function reference() {
  const told = await ask("/api/curves", { scenario: new Course().scenario, until: LAST });
  before = Object.fromEntries(told.figures.map((figure) => [figure.key, { ...figure, time: told.time }]));
  if (!course.usual) figures.forEach((_, key) => show(key));
}

function push() {
  points = [];
  drawing.push(null);
  if (wantBand) bands.push(null);
}

async function fetchLanes(scenario, lanes) {
  try {
    const told = await ask("/api/curves", { scenario, until: LAST, lanes });
    for (const figure of told.figures) found[figure.key] = { ...figure, time: told.time, doses: told.doses };
    for (const key of lanes) show(key);
    for (const sentence of all("[data-now]")) tell(sentence);
  } catch (error) {
    if (error instanceof Problem) for (const key of lanes) figures.get(key)?.show({ series: [], say: error.message });
    else throw error;
  }
}

function show(key) {
  const lane = found[key], figure = figures.get(key);
  if (!lane || !figure) return;
  const series = lane.curves.map((curve, i) => ({ time: lane.time, y: curve.treated, label: curve.label, slot: i % 6, kind: i ? "minor" : "main" }));
  const control = lane.curves[0].control;
  if (control && Math.max(...control) - Math.min(...control) > 0.01 * Math.abs(Math.max(...control))) series.push({ time: lane.time, y: control, label: "same hopes, no drug", kind: "control" });
  if (before?.[key] && !course.usual) series.push({ time: before[key].time, y: before[key].curves[0].treated, label: "0.5 mg/kg infusion, all on", kind: "before" });
  const say = course.species && HUMAN_SCALES.has(key) ? "A rat fills in no questionnaire: this is the model’s drive on the scale of people." : "";
  figure.show({ say, unit: lane.unit, series, doses: lane.doses, points: points.filter((p) => p.lane === key), areas: key === "mood" && wantBand && band ? band : [] });
}

const bands = new Latest(() => fetchBand());
async function fetchBand() {
  const told = await ask("/api/band", { scenario: course.scenario, until: LAST, lane: "mood" });
  const q = told.curves[0].quantiles;
  band = [{ time: told.time, low: q["0.05"], high: q["0.95"], kind: "outer", slot: 0, label: "nine in ten of 1,000" }, { time: told.time, low: q["0.25"], high: q["0.75"], kind: "inner", slot: 0, label: "half of them" }];
  show("mood");
}

function showBand(on) {
  wantBand = on;
  band = null;
  if (on) bands.push(null); else show("mood");
}

function tell(sentence) {
  try { sentence.textContent = NOW[sentence.dataset.now]?.(found, clock.hours) ?? sentence.textContent; } catch { /* a lane is not here yet */ }
}

onConnection((now) => now && push());
begin().catch((error) => { if (error instanceof Problem) find("#notice").textContent = error.message; else setTimeout(() => location.reload(), 3000); });
