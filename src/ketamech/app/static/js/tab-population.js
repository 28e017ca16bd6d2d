// Percentiles of many virtual patients for each case.

import { LatestTask, postJson, ServerError } from "./api.js";
import { caseLetter } from "./case-list.js";
import { element, field, options } from "./dom.js";
import { TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const SIZES = [100, 1000, 2000];
const INTRODUCTION =
  "For each virtual patient, every parameter with a distribution is drawn at random: variability between people and " +
  "uncertainty of the model together. The bands are therefore wider than those of a clinic.";
const NOTHING = "No case can be simulated: see the error at its field.";

export function populationTab(workbench) {
  const { about, caseList } = workbench;
  const track = element(
    "select",
    {},
    about.tracks.map(({ key, label }) => element("option", { value: key, text: label })),
  );
  const size = element(
    "select",
    {},
    options(SIZES, (number) => number.toLocaleString("en")),
  );
  track.value = "mood";
  size.value = "1000";
  workbench.keepInLink("population.track", track);
  workbench.keepInLink("population.size", size);
  const figure = new TimeFigure({ title: "Virtual patients", height: 420 });
  const status = element("p", { class: "secondary", role: "status" });
  const node = element(
    "div",
    {},
    element("h2", { text: "Population" }),
    element("p", { class: "secondary", text: INTRODUCTION }),
    element("div", { class: "toolbar" }, field("Track", track), field("Patients", size)),
    figure.node,
    status,
  );

  const simulateCase = async (scenario, i) => {
    try {
      const request = { scenario, until: selectedTime.last, track: track.value, patients: Number(size.value) };
      const response = await postJson("/api/band", request);
      caseList.showError(i, null);
      return response;
    } catch (error) {
      caseList.showError(i, error);
      if (!(error instanceof ServerError)) throw error;
      return null;
    }
  };

  const simulation = new LatestTask(async () => {
    figure.markStale();
    show(await Promise.all(workbench.cases.map(simulateCase)));
    const start = performance.getEntriesByName("dose changed").at(-1)?.startTime ?? performance.now();
    performance.measure("slider to band", { start, end: performance.now() });
  });

  function show(responses) {
    const { label, unit } = about.tracks.find((one) => one.key === track.value);
    figure.setTitle(`${label}, ${Number(size.value).toLocaleString("en")} virtual patients`);
    const prefix = (i) => (responses.length > 1 ? `${caseLetter(i)} ` : "");
    figure.show({
      unit,
      series: responses.flatMap((response, i) => (response ? percentileCurves(response, i, prefix(i)) : [])),
      bands: responses.flatMap((response, i) => (response ? percentileBands(response, i, prefix(i)) : [])),
    });
    status.textContent = statusText(responses.filter(Boolean));
  }

  const update = () => simulation.run();
  track.addEventListener("change", update);
  size.addEventListener("change", update);
  return { node, update };
}

function percentileCurves({ time, curves }, index, prefix) {
  const { quantiles } = curves[0];
  const curve = (quantile, label, kind) => ({ time, y: quantiles[quantile], label: `${prefix}${label}`, index, kind });
  return [
    curve("0.5", "median", "main"),
    curve("0.05", "5th percentile", "edge"),
    curve("0.95", "95th percentile", "edge"),
  ];
}

function percentileBands({ time, curves }, index, prefix) {
  const { quantiles } = curves[0];
  const band = (low, high, kind, label) => {
    return { time, low: quantiles[low], high: quantiles[high], kind, index, label: `${prefix}${label}` };
  };
  return [
    band("0.05", "0.95", "outer", "5th to 95th percentile"),
    band("0.25", "0.75", "inner", "25th to 75th percentile"),
  ];
}

function statusText(responses) {
  if (!responses.length) return NOTHING;
  const times = responses.map(({ milliseconds }) => `${Math.round(milliseconds)} ms`).join(", ");
  const failed = responses.reduce((sum, response) => sum + response.failed, 0);
  return `Computed in ${times}.${failed ? ` ${failed} patients could not be solved and are left out.` : ""}`;
}
