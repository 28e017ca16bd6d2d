// One endpoint at the selected time against the dose: of a drug by a route, or of the first treatment of a case.

import { LatestTask, postJson, ServerError } from "./api.js";
import { caseSelect } from "./case-list.js";
import { element, field, options, select, tabContent, toolbar } from "./dom.js";
import { DoseFigure } from "./dose-figure.js";
import { openEvidence } from "./evidence.js";
import { formatTimeLong, formatWithUnit, interpolate } from "./format.js";
import { selectedTime } from "./time-slider.js";
import { DOSE, doseNumber, regimenText } from "./treatment-form.js";

const SHARES = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.4, 2, 3, 4]; // of the dose of the case
const SAME = 1e-6;
const NEAR = 0.25; // of the selected time, between it and that of a published value
const PERCENTS = [5, 25, 50, 75, 95];
const INTRODUCTION =
  "The dose of a drug by a route, or of the first treatment of a case, is varied from none (the same visits without the drug) " +
  "to four times its usual value. Points are published values of about the selected time. Grey: no study of mood in the tables gave a dose this large.";
const REFUSED = "The case cannot be simulated: see the error at its field.";
const NO_DOSE = "The first treatment of this case has no dose that can be varied: write one such as 0.5 mg/kg or 84 mg.";

export function doseTab(workbench) {
  const tracks = new Map(workbench.metadata.tracks.map((one) => [one.key, one]));
  const update = () => {
    refillAll();
    simulation.run();
  };
  const { input, refill, scenario: chosenCase } = caseSelect(workbench);
  const singleDoses = new Map(scenariosOfRoutes(workbench.metadata.story));
  const titles = options([...singleDoses.keys()], (id) => singleDoses.get(id).title);
  const group = element("optgroup", { label: "A single dose of" }, titles);
  const scenario = () => singleDoses.get(input.value) ?? chosenCase();
  const refillAll = (chosen = input.value) => {
    refill();
    input.append(group);
    input.value = chosen;
    if (!input.value) input.value = "0";
  };
  input.addEventListener("change", update);
  const track = select([...tracks.keys()], (key) => tracks.get(key).label, { onchange: update });
  track.value = "mood";
  workbench.bindToLink("dose.track", track);
  refillAll("0");
  workbench.bindToLink("dose.case", input);
  const figure = new DoseFigure({ title: "Endpoint by dose", height: 380, openEvidence });
  const status = element("p", { class: "secondary", role: "status" });
  let found = null; // { row, unit, results: [{ dose, response, points }] }

  const simulation = new LatestTask(async (isNewerWaiting) => {
    const { caseList, metadata } = workbench;
    const i = Number(input.value); // not a number for a single dose
    found = null;
    figure.node.classList.add("stale");
    try {
      const varied = variedDoses(scenario(), metadata.story.routes);
      if (!varied) status.textContent = NO_DOSE;
      else found = await simulateDoses(varied, metadata.story_patients, isNewerWaiting);
      caseList.showError(i, null);
      show();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      caseList.showError(i, error);
      status.textContent = error.isUnavailable ? error.message : REFUSED;
    }
  });

  // The population and the published values of each dose; null where a newer request waits.
  async function simulateDoses(varied, patients, isNewerWaiting) {
    const request = { until: selectedTime.last, track: track.value, patients };
    const results = [];
    for (const { dose, keys, isControl } of varied.doses) {
      const response = await postJson("/api/population", { scenario: keys, ...request, control: isControl });
      if (isNewerWaiting()) return null;
      results.push({ dose, response, points: isControl ? [] : await publishedPoints(keys, track.value) });
      status.textContent = `Computed: ${results.length} of ${varied.doses.length} doses.`;
    }
    return { ...varied, results };
  }

  function show() {
    if (!found) return;
    const { hours } = selectedTime;
    const { results, unit: doseUnit, tested } = found;
    const { label, unit } = tracks.get(track.value);
    const at = (percent) => results.map(({ response: { time, curves } }) => interpolate(time, curves[0].percentiles[percent], hours));
    const values = Object.fromEntries(PERCENTS.map((percent) => [percent, at(percent)]));
    figure.setTitle(`${label} ${formatTimeLong(hours)} after the start, by dose`);
    const doses = results.map(({ dose }) => dose);
    const points = pointsNear(results, hours, doseUnit);
    figure.showDoses({ doses, values, points, tested, unit, xLabel: `dose, ${doseUnit}` });
    figure.setFinding(findingText(found, values, unit));
    figure.node.classList.remove("stale");
    status.textContent = statusText(found, points.length);
  }

  selectedTime.onChange(() => figure.node.isConnected && show());
  const fields = toolbar(field("Case, or drug and route", input), field("Endpoint", track));
  return { node: tabContent("Score by dose", INTRODUCTION, fields, figure.node, status), update };
}

// [id, scenario] of a single dose of each drug by each route in people.
function scenariosOfRoutes({ drugs, routes }) {
  const given = routes.filter(({ unit, species }) => unit && !species);
  return given.flatMap((route) => {
    const own = drugs.filter(({ id }) => !route.only_drug || id === route.only_drug);
    return own.map((drug) => {
      const treatments = [`${drug.id} ${route.usual} ${route.unit} ${route.regimen}`];
      const title = `${drug.description}, ${route.description}`;
      return [`${drug.id}.${route.id}`, { title, treatments, person: { weight: "70 kg" } }];
    });
  });
}

// { unit, tested, doses: [{ dose, keys, isControl }] } of a case; null where its first treatment has no dose. `tested`: the
// largest dose of a study of mood with the same drug and route, 0 where the tables have none.
function variedDoses(scenario, routes) {
  const text = regimenText(scenario.treatments[0]);
  const [, typed, written] = DOSE.exec(text) ?? [];
  if (!typed) return null;
  const number = doseNumber(typed);
  const unit = written.trim();
  const row = routes.find((one) => !one.species && one.unit === unit && routeOf(one).test(text));
  const studied = row?.tested_doses[drugOf(text)] ?? [];
  const most = SHARES.at(-1) * number;
  const doses = [...SHARES.map((share) => share * number), ...studied.filter((dose) => dose < most)];
  const distinct = [...new Set(doses.map((dose) => Number(dose.toPrecision(3))))].sort((a, b) => a - b);
  const keysOf = (dose) => {
    const first = text.replace(DOSE, `${dose}${written}`);
    return { ...scenario, treatments: [first, ...scenario.treatments.slice(1)] };
  };
  const control = { dose: 0, keys: scenario, isControl: true };
  const tested = scenario.species && scenario.species !== "human" ? 0 : (studied.at(-1) ?? 0);
  return { unit, tested, doses: [control, ...distinct.map((dose) => ({ dose, keys: keysOf(dose), isControl: false }))] };
}

const drugOf = (text) => /(esketamine|arketamine)/i.exec(text)?.[1].toLowerCase() ?? "racemic";

// The first word of the regimen of a route, e.g. IV or nasal.
const routeOf = ({ regimen }) => new RegExp(`\\b${regimen.split(" ")[0]}\\b`, "i");

async function publishedPoints(scenario, track) {
  const { published_values: values } = await postJson("/api/published-values", { scenario }).catch(() => ({ published_values: [] }));
  return values.filter((one) => one.track === track && one.value !== null);
}

// The values of about the selected time; one that fits several doses stands at the nearest of them.
function pointsNear(results, hours, doseUnit) {
  const near = ({ shape, start, end }) => shape !== "level" && start <= hours * (1 + NEAR) + SAME && end >= hours * (1 - NEAR) - SAME;
  const all = results.flatMap(({ dose, points }) => points.filter(near).map((one) => ({ ...one, dose, doseUnit })));
  return [...new Map(all.map((one) => [`${one.evidence} ${one.curve}`, one])).values()];
}

// The median without the drug and at the largest dose that was studied, or at the largest dose.
function findingText({ results, unit: doseUnit, tested }, values, unit) {
  const last = results.findLastIndex(({ dose }) => dose <= tested + SAME) || results.length - 1;
  const [without, most] = [0, last].map((i) => formatWithUnit(values[50][i], unit));
  const what = last < results.length - 1 ? ", the largest dose studied" : "";
  return values[50][0] === null ? "The selected time lies after the horizon of this case" : `Median ${without} without the drug, ${most} at ${results[last].dose} ${doseUnit}${what}`;
}

function statusText({ unit: doseUnit, tested }, count) {
  const published = `${count} published ${count === 1 ? "value" : "values"} of about this time.`;
  if (!tested) return `${published} No study of mood in the tables gave this drug by this route in this unit.`;
  return `${published} The largest dose of a study of mood in the tables is ${tested} ${doseUnit}.`;
}
