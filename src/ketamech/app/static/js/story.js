// The story page: one treatment, one clock, one drawing. The mood curve and the drawing are computed first, then the
// figures in view, then everything else.

import { MONTH } from "../engine/units.js";
import { simulate as simulateOutputs } from "../simulate.js";
import { getJson, LatestTask, onConnectionChange, postJson, ServerError } from "./api.js";
import { allClaims, loadBadges, openEvidence, showOpenClaims } from "./evidence.js";
import { announce, debounce, element, find, findAll, linkButton, nextFrame } from "./dom.js";
import { trackSeries } from "./figure-data.js";
import { drawingButtons, setPictureSource } from "./figure.js";
import { formatTimeLong } from "./format.js";
import { glossary } from "./glossary.js";
import { Hero } from "./hero.js";
import { setUpPage } from "./page-setup.js";
import { markUnmeasured, measuredIn } from "./measurement-notes.js";
import { BEFORE, MoodRuns } from "./mood-runs.js";
import { chapterListButton, ChapterScroll, followChapterLinks, landOn, ReadingPlace, setUpChapterList } from "./chapter-scroll.js";
import { Scene } from "./scene/scene.js";
import { linkFigures, setUpPresentation } from "./presentation.js";
import { readingLevel, setUpReadingLevel } from "./reading-level.js";
import { linkTo } from "./share-link.js";
import { StoryAddress } from "./story-address.js";
import { pathwayContributions, treatmentComparison, withAndWithout } from "./story-chapters.js";
import { CAPTIONS, finding, writeCaption } from "./story-findings.js";
import { buildChapters } from "./story-page.js";
import { StoryState } from "./story-scenario.js";
import { measureRedraw } from "./time-figure.js";
import { evenClockButton, playSpeedButton, RANGES, selectedTime, showDrugPresent, timeControls, timeScaleNote } from "./time-slider.js";

const NO_RATING_IN_RATS =
  "This rating exists for people only. The behaviour of a rat is shown as forced-swim immobility.";

const figures = new Map(); // by track id
const tracks = {}; // by track id: the latest curves, with their times and doses
const tracksInView = new Set();
const LATEST_LANDING = 1500; // ms after the chapters are built, in which the chapter of the address waits for what is above it

let state; // of the treatment; set when the server's tables arrive
let scene;
let hero;
let chapters = [];
let trackInfo = new Map(); // by track id, from the server
let reference = null; // curves of the default treatment by track id
let points = []; // published values of the current treatment
let address;
const population = { shown: true, bands: [] };
const leftOut = new Set(); // treatments that the comparison does not show
let comparison = null; // of treatments; set with the chapters

const captionsInView = new Set();
const captionObserver = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) captionsInView.add(target);
      else captionsInView.delete(target);
    }
    showCaptions(captionsInView);
  },
  { rootMargin: "50% 0px" },
);

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
  find("#time-bar").append(...timeControls(), timeScaleNote(), chapterListButton());
  const metadata = await getJson("/api/metadata");
  state = new StoryState(metadata);
  trackInfo = new Map(metadata.tracks.map((track) => [track.key, track]));
  scene = new Scene(find("#scene"), metadata.story.bindings);
  address = new StoryAddress(state, VIEW);
  linkFigures(address, state, trackInfo);
  find(".scene-head").append(drawingButtons(sceneDrawing));
  setUpReadingLevel(() => address.replace());
  setPictureSource(() => ({ treatment: [state.description, ...state.changes].join("; "), version: metadata.version }));
  const runs = new MoodRuns(state);
  const { glossary: terms, crisis_lines: crisisLines } = metadata.story;
  const withTerms = glossary(terms);
  hero = new Hero(metadata.story, { state, runs, scene, openEvidence, showBands, withTerms });
  scene.moodPlace.append(timeScaleNote());
  find("#mood-figure").append(timeScaleNote(evenClockButton(() => address.replace())));
  selectedTime.onFrame((hours) => scene.move(hours));
  selectedTime.onChange(() => scene.write());
  scene.show(selectedTime.hours);
  find("#time-bar").append(currentScenario());
  await overview.run();
  await nextFrame(); // the mood curve is on the screen before the drawing, and both before the chapters
  scene.start();
  await nextFrame();
  selectedTime.onRangeChange(() => showDrugPresent(hero.drugIsPresentUntil));
  const context = { state, population, showPopulation, openEvidence, trackInfo, withTerms, crisisLines };
  chapters = buildChapters(metadata.story, context);
  for (const { figures: ones } of chapters) for (const [key, figure] of ones) addFigure(key, figure);
  chapters.forEach(({ steps }) => steps.show(scene, hero));
  for (const place of findAll("[data-caption]")) captionObserver.observe(place);
  new ChapterScroll(chapters, scene, address.hasTime);
  const nodes = chapters.map(({ node }) => node);
  const reading = new ReadingPlace(nodes, address);
  setUpChapterList(nodes);
  setUpPresentation([find("#start"), ...nodes]);
  comparison = treatmentComparison(state, leftOut, () => address.replace());
  const contributions = pathwayContributions(state, { runs, ways: hero.ways }, metadata.components);
  hero.ways.onChange(() => showCaptions());
  const rest = [(isNewerWaiting) => hero.ways.simulate(isNewerWaiting), contributions, withAndWithout(state, runs)];
  const more = new LatestTask(async (isNewerWaiting) => {
    try {
      for (const part of rest) if (!isNewerWaiting()) await part(isNewerWaiting);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error; // shown beside the mood curve
    }
    if (!isNewerWaiting()) await comparison.simulate();
  });
  const updateMore = () => more.run();
  selectedTime.onChange(() => showCaptions(captionsInView));
  onConnectionChange((connected) => connected && update());
  const badges = loadBadges().then(() => showOpenClaims(find("#open-claims"), allClaims()));
  state.onChange(update);
  state.onChange(debounce(350, updateMore));
  const computed = new Promise((done) => setTimeout(() => updateMore().finally(done), 700));
  followChapterLinks(computed);
  computed.then(() => scene.buildOthers());
  address.onAddress(() => landOn(document.getElementById(address.chapter) ?? find("#start"), computed));
  const linked = address.chapter && document.getElementById(address.chapter);
  const goal = reading.former ?? (linked ? { node: linked } : null);
  if (goal) landSoon(goal, [badges, fullSimulation.run()], computed);
  else simulationInView.run();
  setTimeout(fetchReference, 900);
}

// Leads to where the reader was, or to the chapter of the address, when the cards and curves above it have their size, unless
// the reader moves before.
async function landSoon({ node, lead }, growing, computed) {
  await Promise.race([Promise.all(growing), new Promise((resolve) => setTimeout(resolve, LATEST_LANDING))]);
  await nextFrame();
  if (scrollY === 0) landOn(node, computed, lead);
}

function addFigure(key, figure) {
  figures.set(key, figure);
  viewObserver.observe(figure.node);
}

// Hands the level that the scene shows to `use`, at the height that it has without the table below it, which stays open; as
// a sheet to label where it is `isNameless`.
function sceneDrawing(use, isNameless) {
  const [place, values] = [find("#scene"), find(".scene-values > div")];
  const { scrollTop } = place;
  const hide = (isHidden) => {
    values.hidden = isHidden;
    scene.fit();
  };
  hide(true);
  const svg = find(".drawing[data-state=shown]") ?? find(".stage-mood .figure > svg");
  const { clientWidth, clientHeight } = find(".stage");
  const size = svg.matches(".drawing") ? [clientWidth, clientHeight] : null; // the curve has that of its view box
  const shownTime = `${formatTimeLong(selectedTime.hours)} after the start. ${find("#scene-sentence").textContent}`;
  const note = "Drawn from computed curves, not to scale.";
  const drawn = { svg, title: scene.title, note, legend: find(".scene-legend"), shownTime, size };
  if (isNameless && size) {
    const names = new NamesOf(svg);
    use({ ...drawn, title: `${drawn.title}, to label`, note: `Write at each number one of these names: ${names.words}.`, legend: element("ul", {}) });
    names.restore();
  } else use(drawn);
  hide(false);
  place.scrollTop = scrollTop;
}

// Numbers stand in place of the names in a drawing, until they are restored.
class NamesOf {
  constructor(svg) {
    const isShown = (text) => text.textContent && getComputedStyle(text.parentNode).display !== "none" && !text.querySelector("[data-id=value]");
    this.former = findAll(".label text", svg).filter(isShown).map((text) => ({ text, parts: [...text.childNodes] }));
    const names = this.former.map(({ parts }) => parts.map(({ textContent }) => textContent).join(" "));
    this.words = [...new Set(names)].sort((a, b) => a.localeCompare(b)).join(", ");
    this.former.forEach(({ text }, i) => (text.textContent = String(i + 1)));
  }

  restore() {
    for (const { text, parts } of this.former) text.replaceChildren(...parts);
  }
}

function currentScenario() {
  const description = element("strong", {});
  const changed = element("span", {});
  const reset = () => {
    state.reset();
    announce(`Back to ${state.defaultDose} with all pathways on`);
  };
  const button = linkButton("Reset", reset, { id: "reset" });
  const link = element("a", { text: "Open in workbench" });
  const show = () => {
    description.textContent = state.description;
    changed.textContent = state.changes.join(", ");
    button.hidden = state.isDefault;
    const place = `workbench.html${linkTo({ cases: [state.scenario] })}`;
    link.href = place;
    find('nav a[href^="workbench"]').href = state.isDefault ? "workbench.html" : place; // a phone shows only this one
  };
  state.onChange(show);
  show();
  const label = element("span", { text: "Scenario:" });
  const undo = linkButton("Undo", () => address.undo(), { id: "undo" });
  address.onSteps((steps) => (undo.hidden = steps === 0));
  const even = evenClockButton(() => address.replace(), { id: "even-clock" });
  return element("div", { class: "current-scenario" }, label, description, changed, undo, button, playSpeedButton(), even, link);
}

// Simulation: mood curve and drawing, then what is in view, then everything else when no newer change waits.

function update() {
  points = [];
  for (const figure of figures.values()) figure.markStale();
  hero.markStale();
  overview.run();
  simulationInView.run();
  simulateAllSoon(); // later than before: the next move of a slider must not wait for figures out of view
}

const overview = new LatestTask(async () => {
  try {
    await hero.simulate();
    showDrugPresent(hero.drugIsPresentUntil);
    chapters.forEach(({ steps }) => steps.show(scene, hero));
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    find("#page-message").textContent = error.message;
    hero.showError(error.message);
  }
});

const simulationInView = new LatestTask(async (isNewerWaiting) => {
  const visible = [...figures.keys()].filter((key) => tracksInView.has(key));
  await simulate(state.scenario, visible.length ? visible : ["plasma"]);
  measureRedraw("slider to redraw");
  if (!isNewerWaiting()) simulateAllSoon();
});

const simulateAllSoon = debounce(200, () => fullSimulation.run());

const fullSimulation = new LatestTask(async () => {
  const { scenario } = state;
  const isLatest = () => JSON.stringify(state.scenario) === JSON.stringify(scenario);
  const fetchPoints = async () => {
    const published = await postJson("/api/published-values", { scenario });
    if (!isLatest()) return;
    points = published.published_values;
    hero.showPoints(points);
  };
  await simulate(scenario, [...figures.keys()], { before: fetchPoints, isWanted: isLatest });
});

function fetchCurves(scenario, keys) {
  return postJson("/api/curves", { scenario, until: MONTH, tracks: keys });
}

function store({ tracks: found, time, treatment_times: doses }, scenario) {
  for (const track of found) tracks[track.key] = { ...track, time, doses, scenario: JSON.stringify(scenario) };
}

// Where a block is given before the dose, curves are compared with the level before it, not with that at 0 h.
async function withRest(found, scenario) {
  if (!scenario.perturbations.length) return found;
  const namesIn = ({ key }) => key.split(" + ");
  const curves = found.tracks.flatMap(({ curves: ones, unit }) => ones.map((curve) => ({ curve, unit })));
  const outputs = [...new Set(curves.flatMap(({ curve }) => namesIn(curve)))];
  const { values } = await simulateOutputs({ scenario, outputs, times: [BEFORE, 0] });
  for (const { curve, unit } of curves) {
    const [rest, now] = [0, 1].map((i) => namesIn(curve).reduce((sum, name) => sum + values[name][i], 0));
    if (!(rest > 0 && now > 0)) continue;
    const scaled = (y) => y?.map((value) => (value * now) / rest);
    if (unit === "relative to baseline") Object.assign(curve, { treated: scaled(curve.treated), control: scaled(curve.control) });
    curve.rest = (curve.treated[0] * rest) / now;
  }
  return found;
}

// `before` is awaited, so that the figures are drawn once, and only where they are still wanted.
async function simulate(scenario, keys, { before = async () => {}, isWanted = () => true } = {}) {
  try {
    store(await withRest(await fetchCurves(scenario, keys), scenario), scenario);
    try {
      await before();
    } finally {
      if (isWanted()) keys.forEach(showTrack);
      showCaptions();
    }
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

function showBands(bands) {
  population.bands = bands;
  showTrack("mood");
}

function showPopulation(shown) {
  population.shown = shown;
  for (const box of findAll("[data-people]")) box.checked = shown;
  showTrack("mood");
  address.replace();
}

// What the address holds besides the treatment and the time.
const VIEW = {
  read: {
    get: () => (readingLevel.level === "plain" ? null : readingLevel.level),
    set: (level) => readingLevel.set(level),
  },
  without: {
    get: () => (leftOut.size ? [...leftOut].join(" ") : null),
    set(text) {
      leftOut.clear();
      for (const id of text?.split(" ") ?? []) if (state.tables.compared_treatments.has(id)) leftOut.add(id);
      comparison?.show();
    },
  },
  clock: {
    get: () => (selectedTime.range === RANGES.even ? "even" : null),
    set: (text) => selectedTime.setRange(text === "even" ? "even" : "month"),
  },
  people: {
    get: () => (population.shown ? null : "hidden"),
    set(text) {
      population.shown = text !== "hidden";
      for (const box of findAll("[data-people]")) box.checked = population.shown;
    },
  },
};

// Drawing

// A further curve of a track that stays at zero is left out: its drug is not given.
const isPresent = ({ kind, y }) => kind !== "minor" || y.some((value) => Math.abs(value) > 1e-6);

function showTrack(key) {
  const figure = figures.get(key);
  if (!figure) return;
  const { measured, rating_scale: isRating, unit } = trackInfo.get(key);
  if (state.species && isRating) return figure.show({ series: [], unit, caption: NO_RATING_IN_RATS }); // never simulated
  const track = tracks[key];
  if (!track) return;
  const series = markUnmeasured(trackSeries(track, track.time), track, measured).filter(isPresent);
  const before = reference?.[key];
  if (before && !state.isDefault) {
    const label = `${state.defaultDose}, all pathways on`;
    series.push({ time: before.time, y: before.curves[0].treated, label, kind: "reference" });
  }
  const own = points.filter((point) => point.track === key);
  figure.show({
    series,
    unit: track.unit,
    doses: track.doses,
    points: own,
    bands: key === "mood" && population.shown ? population.bands : [],
  });
  if (track.scenario !== JSON.stringify(state.scenario)) figure.markStale();
  figure.setFinding(finding(track, own));
  figure.setNote(measuredIn(track, measured));
}

// All captions after new curves; those in view while the clock runs.
function showCaptions(places = findAll("[data-caption]")) {
  for (const place of places) {
    const caption = CAPTIONS[place.dataset.caption];
    try {
      if (!caption) continue;
      const share = place.dataset.way && hero.ways.shareSentence(place.dataset.way, selectedTime.hours);
      writeCaption(place, [caption(tracks, selectedTime.hours), share].filter(Boolean).join(" "));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a track has not arrived yet
    }
  }
}

start().catch((error) => {
  if (error instanceof ServerError) find("#page-message").textContent = error.message;
  else {
    console.error(error);
    setTimeout(() => location.reload(), 3000);
  }
});
