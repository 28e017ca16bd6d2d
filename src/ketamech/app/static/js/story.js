// The story page: one treatment, one selected time, ten chapters. Figures in view are computed first.

import { getJson, LatestTask, onConnectionChange, postJson, ServerError } from "./api.js";
import { CAPTIONS } from "./chapter-captions.js";
import { announce, debounce, element, find, findAll } from "./dom.js";
import { dosePanel } from "./dose-panel.js";
import { loadBadges, openEvidence } from "./evidence-dialog.js";
import { changes } from "./format.js";
import { COLOURS } from "./figure.js";
import { setUpPage } from "./page-setup.js";
import { pathwayChapter } from "./pathways.js";
import { linkTo } from "./share-link.js";
import { DEFAULT_DOSE, StoryState } from "./story-state.js";
import { TimeFigure } from "./time-figure.js";
import { MONTH, selectedTime, timeControls } from "./time-slider.js";
import { treatmentComparison } from "./treatment-comparison.js";

const NO_RATING_IN_RATS =
  "This rating exists for people only. The behaviour of a rat is shown as forced-swim immobility.";

const state = new StoryState();
const figures = new Map(); // by track id
const tracks = {}; // by track id: the latest curves, with their times and doses
const tracksInView = new Set();
let trackInfo = new Map(); // by track id, from the server
let reference = null; // curves of the default treatment by track id
let points = []; // published points of the current treatment
let population = { shown: false, bands: [] };

const about = getJson("/api/about");
const pathwayRows = about.then((found) => found.pathways);
pathwayRows.catch(() => {}); // reported by start()

setUpPage();
listChapters();
find("#time-bar").append(...timeControls(), currentScenario());
for (const place of findAll("[data-controls]")) {
  place.replaceWith(dosePanel(place.dataset.controls, { state, pathways: pathwayRows, showPopulation }));
}
const viewObserver = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) tracksInView.add(target.dataset.track);
      else tracksInView.delete(target.dataset.track);
    }
  },
  { rootMargin: "25% 0px" },
);
onConnectionChange((connected) => connected && trackInfo.size && update());

async function start() {
  const firstCurves = fetchCurves(state.scenario, ["plasma"]); // while the names are on their way
  const found = await about;
  trackInfo = new Map(found.tracks.map((track) => [track.key, track]));
  state.pathwayLabels = new Map(found.pathways.map((row) => [row.name, row.label]));
  findAll("[data-tracks]").forEach(addFigures);
  keep(await firstCurves);
  showTrack("plasma");
  const chapters = [treatmentComparison(state), pathwayChapter(state, found)];
  const updateChapters = () => chapters.forEach((simulate) => simulate());
  selectedTime.onChange(showCaptions);
  loadBadges();
  state.onChange(update);
  state.onChange(debounce(350, updateChapters));
  update();
  setTimeout(fetchReference, 900);
  setTimeout(updateChapters, 700);
}

function listChapters() {
  const entry = ({ id, dataset }, i) =>
    element("li", {}, element("a", { href: `#${id}` }, element("span", { text: i + 1 }), dataset.chapter));
  find("#chapter-list").append(...findAll("[data-chapter]").map(entry));
}

function currentScenario() {
  const description = element("strong", {});
  const changed = element("span", {});
  const reset = () => {
    state.reset();
    announce(`Back to ${DEFAULT_DOSE} with all pathways on`);
  };
  const button = element("button", {
    class: "link-button",
    type: "button",
    id: "reset",
    onclick: reset,
    text: "Reset",
  });
  const link = element("a", { text: "Open in workbench" });
  const show = () => {
    description.textContent = state.description;
    changed.textContent = state.changes.join(", ");
    button.hidden = state.isDefault;
    link.href = `/workbench${linkTo({ cases: [state.scenario] })}`;
  };
  state.onChange(show);
  show();
  const label = element("span", { text: "Scenario:" });
  return element("div", { class: "current-scenario" }, label, description, changed, button, link);
}

function addFigures(place) {
  for (const key of place.dataset.tracks.split(" ")) {
    const track = trackInfo.get(key);
    if (!track) continue;
    const height = track.relative_height > 1.1 && !track.unit.startsWith("relative") ? 300 : 230;
    const figure = new TimeFigure({ title: track.label, unit: track.unit, height, openEvidence });
    figure.node.dataset.track = key;
    figures.set(key, figure);
    place.append(figure.node);
    viewObserver.observe(figure.node);
  }
}

// Simulation: what is in view first, everything else when no newer change waits.

function update() {
  points = [];
  simulationInView.run();
  if (population.shown) populationSimulation.run();
}

const simulationInView = new LatestTask(async (isNewerWaiting) => {
  const visible = [...figures.keys()].filter((key) => tracksInView.has(key));
  await simulate(state.scenario, visible.length ? visible : ["plasma"]);
  measureRedraw();
  if (!isNewerWaiting()) simulateAllSoon();
});

const simulateAllSoon = debounce(120, () => fullSimulation.run());

const fullSimulation = new LatestTask(async () => {
  const { scenario } = state;
  await simulate(scenario, [...figures.keys()]);
  const published = await postJson("/api/points", { scenario });
  if (JSON.stringify(state.scenario) !== JSON.stringify(scenario)) return;
  points = published.points;
  figures.forEach((_, key) => showTrack(key));
  if (population.shown) await fetchPopulation();
});

function measureRedraw() {
  const start = performance.getEntriesByName("dose changed").at(-1)?.startTime ?? performance.now();
  performance.measure("slider to redraw", { start, end: performance.now() });
}

function fetchCurves(scenario, tracks) {
  return postJson("/api/curves", { scenario, until: MONTH, tracks });
}

function keep({ figures: found, time, doses }) {
  for (const track of found) tracks[track.key] = { ...track, time, doses };
}

async function simulate(scenario, keys) {
  try {
    keep(await fetchCurves(scenario, keys));
    keys.forEach(showTrack);
    showCaptions();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    for (const key of keys) figures.get(key)?.show({ series: [], caption: error.message });
  }
}

async function fetchReference() {
  const found = await fetchCurves(new StoryState().scenario, []);
  reference = Object.fromEntries(found.figures.map((track) => [track.key, { ...track, time: found.time }]));
  if (!state.isDefault) figures.forEach((_, key) => showTrack(key));
}

// 1,000 virtual patients

const populationSimulation = new LatestTask(() => fetchPopulation());

async function fetchPopulation() {
  const found = await postJson("/api/band", { scenario: state.scenario, until: MONTH, track: "mood" });
  const { quantiles } = found.curves[0];
  const band = (low, high, kind, label) => ({
    time: found.time,
    low: quantiles[low],
    high: quantiles[high],
    kind,
    index: 0,
    label,
  });
  population.bands = [
    band("0.05", "0.95", "outer", "5th to 95th percentile of 1,000"),
    band("0.25", "0.75", "inner", "25th to 75th percentile"),
  ];
  showTrack("mood");
}

function showPopulation(shown) {
  population = { shown, bands: [] };
  if (shown) populationSimulation.run();
  else showTrack("mood");
}

// Drawing

function showTrack(key) {
  const track = tracks[key];
  const figure = figures.get(key);
  if (!track || !figure) return;
  if (state.species && trackInfo.get(key).rating_scale) {
    figure.show({ series: [], unit: track.unit, caption: NO_RATING_IN_RATS });
    return;
  }
  const { time } = track;
  const series = track.curves.map(({ treated, label }, i) => {
    return { time, y: treated, label, index: i % COLOURS, kind: i ? "minor" : "main" };
  });
  const { control } = track.curves[0];
  if (control && changes(control))
    series.push({ time, y: control, label: "same expectancy, no drug", kind: "control" });
  const before = reference?.[key];
  if (before && !state.isDefault) {
    series.push({
      time: before.time,
      y: before.curves[0].treated,
      label: `${DEFAULT_DOSE}, all pathways on`,
      kind: "reference",
    });
  }
  figure.show({
    series,
    unit: track.unit,
    doses: track.doses,
    points: points.filter((point) => point.track === key),
    bands: key === "mood" && population.shown ? population.bands : [],
  });
}

function showCaptions() {
  for (const place of findAll("[data-caption]")) {
    const caption = CAPTIONS[place.dataset.caption];
    try {
      if (caption) place.textContent = caption(tracks, selectedTime.hours);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a track has not arrived yet
    }
  }
}

start().catch((error) => {
  if (error instanceof ServerError) find("#page-message").textContent = error.message;
  else setTimeout(() => location.reload(), 3000);
});
