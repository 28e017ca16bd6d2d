// Two chapters of the story with figures of their own: the comparison of treatments and the pathway contributions.

import { DAY } from "../engine/units.js";
import { getJson, LatestTask, postJson, runJob, ServerError } from "./api.js";
import { button, checkbox, element, emptyState, find, findAll, linkButton, loading, paragraph, setText, svgElement, table } from "./dom.js";
import { evidenceBadges, openEvidence, withValues } from "./evidence.js";
import { stackedContributions } from "./figure-data.js";
import { formatNumber, formatTime, interpolate } from "./format.js";
import { at } from "./mood-runs.js";
import { writeCaption } from "./story-findings.js";
import { pathwayWords } from "./story-scenario.js";
import { TimeFigure } from "./time-figure.js";
import { isStaticSite } from "./static-site.js";
import { RANGES, selectedTime } from "./time-slider.js";
import { NOTHING, points } from "./ways.js";

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
  const place = find('[data-caption="comparison"]');
  const showCaption = (hours) => {
    if (!curves.has("ketamine")) return;
    const value = (id) => formatNumber(interpolate(curves.get(id).time, curves.get(id).y, hours));
    const inSentence = (id) => (id.length > 3 ? id : id.toUpperCase()); // abbreviations keep their capitals
    const others = hours < WEEK ? [] : shown();
    const given = state.tables.schedules.get(state.schedule).description || "one dose"; // the others go on for weeks
    const values = [`ketamine (${given}) ${value("ketamine")}`, ...others.map(({ id }) => `${inSentence(id)} ${value(id)}`)];
    const later = others.length ? "" : " Other treatments take weeks; their scores are stated from the first week on.";
    writeCaption(place, `the MADRS score is: ${values.join(", ")} points.${later}`);
  };
  selectedTime.whileNear(place, { onChange: showCaption });

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
      const { time, y, control } = curves.get(id);
      const [before, after, without] = [y[0], interpolate(time, y, course), interpolate(time, control ?? y, course)];
      const open = () => openEvidence(evidence.split(";"), label);
      const model = `from ${formatNumber(before)} to ${formatNumber(after)} points, and to ${formatNumber(without)} with the same visits alone: ${departure}`;
      return [label, element("span", {}, withValues(published, rows), " ", linkButton("open", open)), model];
    };
    const known = treatments.filter(({ id }) => curves.has(id));
    node.replaceChildren(table("What trials found at the end of the course, beside the model", ["treatment", "trials found", "the model gives"], known.map(line)));
  };
  return { node, fill };
}

// MADRS of a scenario with its published values.
async function madrsOf(scenario, index, label) {
  const [{ tracks, time }, published] = await Promise.all([
    postJson("/api/curves", { scenario, until: RANGES.course.last, tracks: ["mood"] }),
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
const BAR_WIDTH = 60;
const NO_RATING = "MADRS does not apply to a rat. Choose a route in people to see the contributions of the pathways.";
const METHOD =
  "Shapley values divide joint effects evenly, so that the contributions add up to the whole effect. All combinations " +
  "of pathways are simulated; this takes a few seconds.";

// Returns the task that simulates the chapter again, with the sentences of the chapters that follow one mechanism.
export function pathwayContributions(state, { runs, ways }, components) {
  const place = element("div", {}, loading("Simulating with each pathway off …"));
  const shares = element("div", {});
  const [shareTitle, title] = [element("h3", {}), element("h3", { text: "Loss of effect on MADRS with one pathway off" })];
  find("#pathways-figures").append(element("div", {}, shareTitle, shares), element("div", {}, title, place));
  find("#pathways-figures").append(attributionOfStory(state, components));

  return async (isNewerWaiting) => {
    if (state.species) {
      for (const one of [shareTitle, shares, ...findAll("[data-mechanism]")]) one.replaceChildren();
      return place.replaceChildren(emptyState(NO_RATING));
    }
    const whole = atLossHours(await runs.of());
    const losses = [];
    for (const pathway of state.pathways.values()) {
      const left = atLossHours(await runs.of({ pathwaysOff: new Set([...state.pathwaysOff, pathway.name]) }));
      losses.push({ pathway, isOff: state.pathwaysOff.has(pathway.name), lost: whole.map((value, i) => value - left[i]) });
      if (isNewerWaiting()) return;
    }
    losses.sort((a, b) => Math.max(...b.lost) - Math.max(...a.lost));
    const felt = LOSS_HOURS.map((hours) => ways.pointsOf("felt", hours));
    place.replaceChildren(lossTable(state, whole, losses, felt));
    shares.replaceChildren(shareTable(ways));
    const text = largestLosses(whole, losses);
    title.textContent = text;
    shareTitle.textContent = largestShares(ways);
    find('[data-caption="pathways"]').textContent = `${largestShares(ways)}. ${text}. ${NO_SHARE}`;
    await showMechanisms(state, { runs, ways }, whole, losses);
  };
}

const LOSS_HOURS = [1, DAY, 3 * DAY, WEEK];
const LOSS_TIMES = ["1 h", "1 day", "3 days", "7 days"];
const [AFTER_DAY, AFTER_WEEK] = [1, 3]; // places in LOSS_HOURS
const atLossHours = ({ drug }) => LOSS_HOURS.map((hours) => at(drug, hours));
const NO_SHARE = "What is lost is not a share of the whole: other steps can stand in for the one that is missing, or need it.";
const lowerFirst = (text) => text.charAt(0).toLowerCase() + text.slice(1);

// In the chapters of a mechanism: the points lost without it after a day and after a week, beside what its whole way and
// the habenula bring.
async function showMechanisms(state, { runs, ways }, whole, losses) {
  const lossOf = (id) => losses.find(({ pathway }) => pathway.name === id);
  const isShown = ways.found && whole[AFTER_DAY] >= 1;
  for (const place of findAll("[data-mechanism]")) {
    const [kind, id] = place.dataset.mechanism.split(":");
    if (!isShown || (kind === "off" ? lossOf(id).isOff : state.perturbations.has(id))) {
      place.replaceChildren();
      continue;
    }
    const left = kind === "block" && atLossHours(await runs.of({ perturbations: new Set([...state.perturbations, id]) }));
    const lost = left ? whole.map((value, i) => value - left[i]) : lossOf(id).lost;
    const without = kind === "off" ? lowerFirst(state.tables.pathway_words.get(id).switch) : `when ${state.tables.perturbations.get(id).without}`;
    const shown = mechanismTable(ways, place.dataset.of, { without, lost });
    shown.setAttribute("aria-label", `What the drug adds: ${find("h2", place.closest(".chapter")).textContent}`); // one in each chapter
    place.replaceChildren(shown);
  }
}

function mechanismTable(ways, id, { without, lost }) {
  const [day, week] = [AFTER_DAY, AFTER_WEEK].map((i) => ways.pointsAt(LOSS_HOURS[i]));
  const of = (name) => {
    const i = ways.indexOf(name);
    return [`of these from ${ways.rows[i].by}`, points(day.ways[i]), points(week.ways[i])];
  };
  const rows = [
    ["the drug adds", points(day.drug), points(week.drug)],
    of(id),
    of("habenula"),
    [`lost ${without}`, points(lost[AFTER_DAY]), points(lost[AFTER_WEEK])],
  ];
  const node = table(`What the drug adds to the fall of the score in this model, in points. ${NO_SHARE}`, ["", "after a day", "after a week"], rows);
  node.classList.add("losses");
  return node;
}

// Expectancy and the ways, which add up to the fall of the score.
function shareTable(ways) {
  if (!ways.found) return "";
  const found = LOSS_HOURS.map((hours) => ways.pointsAt(hours));
  const row = (label, words, values) => [element("div", { class: "pathway" }, label, element("small", { text: words })), ...values.map(points)];
  const rows = [
    row("expectancy", "the same visits without the drug", found.map(({ expected }) => expected)),
    ...ways.rows.map(({ label, means }, i) => row(label, means, found.map(({ ways: values }) => values[i]))),
    row("together", "the fall of the score", found.map(({ fall }) => fall)),
  ];
  const node = table("Points by which the score has fallen, divided among expectancy and the ways of the drug, as in the bar below the drawing.", ["from", ...LOSS_TIMES], rows);
  node.classList.add("losses");
  return node;
}

// Which way brings most after a day and after a week.
function largestShares(ways) {
  if (!ways.found || ways.isSmall) return NOTHING.slice(0, -1);
  const largestAt = (i) => {
    const { drug, ways: values } = ways.pointsAt(LOSS_HOURS[i]);
    const most = values.indexOf(Math.max(...values));
    return `${ways.rows[most].by} after ${LOSS_TIMES[i]} (${points(values[most])} of ${points(drug)} points)`;
  };
  return `Most of what the drug adds comes from ${largestAt(AFTER_DAY)} and ${largestAt(AFTER_WEEK)}`;
}

const listOf = (texts) => `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;

function lossTable(state, whole, losses, felt) {
  const largest = Math.max(0.5, ...losses.flatMap(({ lost }) => lost.map(Math.abs)));
  const cell = (value, { colour }) => element("div", { class: "loss" }, points(value), bar(value, largest, colour));
  const row = ({ pathway, isOff, lost }) => {
    const label = element("div", { class: "pathway" }, pathway.label, ...pathwayWords(state, pathway.name), evidenceBadges(pathway));
    return [label, ...lost.map((value) => (isOff ? "off" : cell(value, pathway)))];
  };
  const caption = `Points of MADRS lost with one pathway off. With all on, the drug adds ${listOf(whole.map(points))} points at these times; with all off, ${listOf(felt.map(points))} are left, by the felt effects.`;
  const node = table(caption, ["pathway off", ...LOSS_TIMES], losses.map(row));
  node.classList.add("losses");
  return node;
}

function bar(value, largest, colour) {
  const width = Math.max(1, (Math.abs(value) / largest) * BAR_WIDTH);
  const rect = svgElement("rect", { fill: colour, x: 0, y: 2, width, height: 8, rx: 2 });
  const frame = { viewBox: `0 0 ${BAR_WIDTH} 12`, class: "figure", "aria-hidden": "true" };
  return svgElement("svg", { ...frame, preserveAspectRatio: "none" }, rect);
}

// The largest loss after a day and after a week.
function largestLosses(whole, losses) {
  const largestAt = (i) => {
    const most = losses.reduce((a, b) => (b.lost[i] > a.lost[i] ? b : a));
    return `with “${most.pathway.label}” off after ${LOSS_TIMES[i]} (${points(most.lost[i])} of ${points(whole[i])} points)`;
  };
  return `The largest loss is ${largestAt(AFTER_DAY)} and ${largestAt(AFTER_WEEK)}`;
}

// Beside every switch: the score at the clock's time with its box ticked and not. Returns the task that simulates.
export function withAndWithout(state, runs) {
  const scores = new Map(); // { off, on } of a switch, by its `data-with`
  let places = []; // in controls that are open
  const show = (hours) => {
    for (const place of places) {
      const own = scores.get(place.dataset.with);
      const [off, on] = ["off", "on"].map((side) => own && points(at(own[side], hours)));
      const change = on === off ? `stays ${on}` : `is ${on}, not ${off}`;
      const text = own ? `Ticked, the score after ${formatTime(hours)} ${change}.` : "";
      setText(place, text);
    }
  };
  selectedTime.onChange(show);
  const findPlaces = () => {
    places = findAll("[data-with]").filter((place) => !place.closest("details:not([open])"));
    show(selectedTime.hours);
  };
  const showLater = () => setTimeout(findPlaces); // the opened controls are made by now
  find("#chapters").addEventListener("toggle", showLater, true);
  return async (isNewerWaiting) => {
    scores.clear();
    const places = findAll("[data-with]").map((place) => place.dataset.with);
    const variants = state.species ? [] : new Set([...places, ...[...state.pathways.keys()].map((id) => `off:${id}`)]);
    for (const what of variants) {
      const [kind, id] = what.split(":");
      const name = kind === "off" ? "pathwaysOff" : "perturbations";
      const others = [...state[name]].filter((one) => one !== id);
      const [bare, added] = [await runs.of({ [name]: new Set(others) }), await runs.of({ [name]: new Set([...others, id]) })];
      scores.set(what, { off: bare.score, on: added.score });
      if (isNewerWaiting()) return;
    }
    findPlaces();
  };
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
