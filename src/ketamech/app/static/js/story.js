// The story page: one treatment, one selected time, ten chapters. Figures in view are computed first.

import { getJson, LatestTask, onConnectionChange, postJson, ServerError } from "./api.js";
import { announce, debounce, element, find, findAll, linkButton } from "./dom.js";
import { loadBadges, openEvidence } from "./evidence.js";
import { percentileBands, trackSeries } from "./figure-data.js";
import { formatCount } from "./format.js";
import { setUpPage } from "./page-setup.js";
import { linkTo } from "./share-link.js";
import { CAPTIONS, pathwayContributions, treatmentComparison } from "./story-chapters.js";
import { dosePanel, StoryState } from "./story-scenario.js";
import { measureRedraw, TimeFigure } from "./time-figure.js";
import { MONTH, selectedTime, timeControls } from "./time-slider.js";

const NO_RATING_IN_RATS =
  "This rating exists for people only. The behaviour of a rat is shown as forced-swim immobility.";

const figures = new Map(); // by track id
const tracks = {}; // by track id: the latest curves, with their times and doses
const tracksInView = new Set();
let state; // of the treatment; set when the server's tables arrive
let trackInfo = new Map(); // by track id, from the server
let reference = null; // curves of the default treatment by track id
let points = []; // published values of the current treatment
let population = { shown: false, bands: [] };

const viewObserver = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) tracksInView.add(target.dataset.track);
      else tracksInView.delete(target.dataset.track);
    }
  },
  { rootMargin: "25% 0px" },
);

async function start() {
  setUpPage();
  listChapters();
  find("#time-bar").append(...timeControls());
  const metadata = await getJson("/api/metadata");
  state = new StoryState(metadata);
  trackInfo = new Map(metadata.tracks.map((track) => [track.key, track]));
  const firstCurves = fetchCurves(state.scenario, ["plasma"]);
  find("#time-bar").append(currentScenario());
  for (const place of findAll("[data-controls]")) {
    place.replaceWith(dosePanel(place.dataset.controls, { state, showPopulation }));
  }
  findAll("[data-tracks]").forEach(addFigures);
  store(await firstCurves);
  showTrack("plasma");
  const chapters = [treatmentComparison(state), pathwayContributions(state, metadata.components)];
  const updateChapters = () => chapters.forEach((simulateChapter) => simulateChapter());
  selectedTime.onChange(showCaptions);
  onConnectionChange((connected) => connected && update());
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
    announce(`Back to ${state.defaultDose} with all pathways on`);
  };
  const button = linkButton("Reset", reset, { id: "reset" });
  const link = element("a", { class: "needs-server", text: "Open in workbench" });
  const show = () => {
    description.textContent = state.description;
    changed.textContent = state.changes.join(", ");
    button.hidden = state.isDefault;
    link.href = `workbench${linkTo({ cases: [state.scenario] })}`;
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
  measureRedraw("slider to redraw");
  if (!isNewerWaiting()) simulateAllSoon();
});

const simulateAllSoon = debounce(120, () => fullSimulation.run());

const fullSimulation = new LatestTask(async () => {
  const { scenario } = state;
  await simulate(scenario, [...figures.keys()]);
  const published = await postJson("/api/published-values", { scenario });
  if (JSON.stringify(state.scenario) !== JSON.stringify(scenario)) return;
  points = published.published_values;
  figures.forEach((_, key) => showTrack(key));
  if (population.shown) await fetchPopulation();
});

function fetchCurves(scenario, keys) {
  return postJson("/api/curves", { scenario, until: MONTH, tracks: keys });
}

function store({ tracks: found, time, treatment_times: doses }) {
  for (const track of found) tracks[track.key] = { ...track, time, doses };
}

async function simulate(scenario, keys) {
  try {
    store(await fetchCurves(scenario, keys));
    keys.forEach(showTrack);
    showCaptions();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    for (const key of keys) figures.get(key)?.show({ series: [], caption: error.message });
  }
}

async function fetchReference() {
  const found = await fetchCurves(state.defaultScenario, []);
  reference = Object.fromEntries(found.tracks.map((track) => [track.key, { ...track, time: found.time }]));
  if (!state.isDefault) figures.forEach((_, key) => showTrack(key));
}

// Virtual patients

const populationSimulation = new LatestTask(() => fetchPopulation());

async function fetchPopulation() {
  const found = await postJson("/api/population", { scenario: state.scenario, until: MONTH, track: "mood" });
  population.bands = percentileBands(found, 0, "", ` of ${formatCount(found.patients)}`);
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
  const series = trackSeries(track, track.time);
  const before = reference?.[key];
  if (before && !state.isDefault) {
    const label = `${state.defaultDose}, all pathways on`;
    series.push({ time: before.time, y: before.curves[0].treated, label, kind: "reference" });
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
