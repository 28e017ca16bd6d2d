// Percentiles of many virtual patients for each case.

import { LatestTask, postJson } from "./api.js";
import { caseLetter, resultLabel } from "./case-list.js";
import { errorSentence, loadBasis } from "./compared-cases.js";
import { element, field, paragraph, select, tabContent, table, toolbar } from "./dom.js";
import { percentileBands, percentileSeries } from "./figure-data.js";
import { formatNumber, formatRange, formatTimeLong, interpolate } from "./format.js";
import { measureRedraw, TimeFigure } from "./time-figure.js";
import { isStaticSite, needsProgram } from "./static-site.js";
import { selectedTime } from "./time-slider.js";

const SIZES = [100, 200];
const SIZES_OF_SERVER = [1000, 2000];
const INTRODUCTION =
  "For each virtual patient, every parameter with a distribution is drawn at random: variability between people and " +
  "uncertainty of the model together. Such bands are not those of a clinic: wider for receptors and synapses, about as wide for mood, narrower for levels in blood.";
const NOTHING = "No case can be simulated: see the error at its field.";

export function populationTab(workbench) {
  const tracks = new Map(workbench.metadata.tracks.map((one) => [one.key, one]));
  const update = () => simulation.run();
  let lastValid = new WeakMap(); // of this track and size
  const updateAll = () => {
    lastValid = new WeakMap();
    update();
  };
  const track = select([...tracks.keys()], (key) => tracks.get(key).label, { onchange: updateAll });
  const sizes = [...SIZES, ...(isStaticSite ? [] : SIZES_OF_SERVER)];
  const size = select(sizes, (number) => number.toLocaleString("en"), { onchange: updateAll });
  track.value = "mood";
  size.value = String(workbench.metadata.story_patients);
  workbench.bindToLink("population.track", track);
  workbench.bindToLink("population.size", size);
  const figure = new TimeFigure({ title: "Virtual patients", height: 420 });
  const status = element("p", { class: "secondary", role: "status" });

  const comparison = element("div", {});
  let shown = { responses: [], unit: "" };
  let basis = null; // by what a difference of mood is judged
  const compare = () => {
    const { node, distances } = comparisonTable(workbench.cases, shown);
    const isJudged = basis && track.value === "mood" && distances.length > 0;
    comparison.replaceChildren(node, isJudged ? paragraph(errorSentence(basis, Math.max(...distances)), "secondary") : "");
  };
  selectedTime.onChange(() => comparison.isConnected && compare());

  const simulation = new LatestTask(async () => {
    figure.markStale();
    const request = { until: selectedTime.last, track: track.value, patients: Number(size.value) };
    const post = (scenario) => postJson("/api/population", { scenario, ...request });
    show(await workbench.caseList.ofEachCase(post, lastValid));
    measureRedraw("slider to band");
    if (basis || workbench.cases.length < 2) return;
    basis = await loadBasis();
    compare();
  });

  function show(responses) {
    const { label, unit } = tracks.get(track.value);
    figure.setTitle(`${label}, ${Number(size.value).toLocaleString("en")} virtual patients`);
    const outdated = (i) => (responses[i]?.isOutdated ? "(not updated) " : "");
    const prefix = (i) => `${responses.length > 1 ? `${caseLetter(i)} ` : ""}${outdated(i)}`;
    const ofEach = (make) => responses.flatMap((response, i) => (response ? make(response, i, prefix(i)) : []));
    figure.show({ unit, series: ofEach(percentileSeries), bands: ofEach(percentileBands) });
    shown = { responses, unit };
    compare();
    status.textContent = statusText(responses.filter(Boolean));
  }

  const fields = toolbar(field("Track", track), field("Patients", size, isStaticSite ? needsProgram("More people need") : null));
  return { node: tabContent("Population", INTRODUCTION, fields, figure.node, comparison, status), update };
}

// Percentiles of every case at the selected time, and how far its median is from that of the first case.
function comparisonTable(cases, { responses, unit }) {
  const { hours } = selectedTime;
  const known = responses.flatMap((response, i) => (response && cases[i] ? [{ response, i }] : []));
  if (!known.length) return { node: "", distances: [] };
  const at = ({ time, curves }, percent) => interpolate(time, curves[0].percentiles[percent], hours);
  const first = at(known[0].response, 50);
  const distances = [];
  const rows = known.map(({ response, i }, k) => {
    const [low, middle, high] = [5, 50, 95].map((percent) => at(response, percent));
    const isCompared = k && middle !== null && first !== null;
    if (isCompared) distances.push(Math.abs(middle - first));
    const distance = isCompared ? directed(middle - first) : "–";
    return [resultLabel(cases[i], i, response), formatNumber(middle), formatRange(low, high), distance];
  });
  const head = ["case", `median, ${unit}`, "5th to 95th percentile", `median, against ${caseLetter(known[0].i)}`];
  return { node: table(`${formatTimeLong(hours)} after the start`, head, rows), distances };
}

const directed = (value) => `${formatNumber(Math.abs(value), 2)} ${value < 0 ? "lower" : "higher"}`;

function statusText(responses) {
  if (!responses.length) return NOTHING;
  const times = responses.map(({ milliseconds }) => `${Math.round(milliseconds)} ms`).join(", ");
  const failed = responses.reduce((sum, response) => sum + response.failed, 0);
  return `Computed in ${times}.${failed ? ` ${failed} patients could not be solved and are left out.` : ""}`;
}
