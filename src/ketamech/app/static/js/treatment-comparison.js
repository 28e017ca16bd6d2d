// Chapter 9: the simulated ketamine treatment compared with treatments that take weeks.

import { LatestTask, postJson, ServerError } from "./api.js";
import { element, find, uniqueId } from "./dom.js";
import { openEvidence } from "./evidence-dialog.js";
import { formatNumber, formatTimeLong, interpolate } from "./format.js";
import { StoryState } from "./story-state.js";
import { TimeFigure } from "./time-figure.js";
import { MONTH, selectedTime } from "./time-slider.js";

const TREATMENTS = [
  { id: "antidepressant", label: "Antidepressant", schedule: "daily", regimen: "antidepressant daily for 6 weeks" },
  { id: "psychotherapy", label: "Psychotherapy", schedule: "weekly", regimen: "psychotherapy weekly for 12 weeks" },
  { id: "ect", label: "ECT", schedule: "twice weekly", regimen: "ECT twice weekly for 4 weeks" },
  { id: "tms", label: "TMS", schedule: "5 times weekly", regimen: "TMS 5 times a week for 6 weeks" },
];
const CAPTION =
  "Each curve includes the expectancy from its visits; one typical patient with MADRS 33 before treatment. " +
  "Points in a curve’s own shape and colour are published means of such treatments. Most trials of the other " +
  "treatments end after the month that is shown.";

// Returns a function that simulates the comparison again.
export function treatmentComparison(state) {
  const figure = new TimeFigure({ title: "Depression (MADRS)", unit: "points, 0 to 60", height: 360, openEvidence });
  find("#comparison-figure").append(figure.node);
  const curves = new Map(); // by treatment id
  const chosen = new Set(TREATMENTS.map(({ id }) => id));
  find("#comparison-controls").replaceWith(treatmentCheckboxes(chosen, () => show()));

  const shown = () => TREATMENTS.filter(({ id }) => chosen.has(id) && curves.has(id));
  const show = () => {
    if (!curves.has("ketamine")) return;
    const label = state.species ? "Ketamine infusion, in people" : "Ketamine, current scenario";
    const series = [
      { ...curves.get("ketamine"), label, kind: "main" },
      ...shown().map((one) => ({ ...curves.get(one.id), label: `${one.label}, ${one.schedule}`, kind: "minor" })),
    ];
    figure.show({ series, points: series.flatMap((one) => one.points), caption: CAPTION });
    showCaption(selectedTime.hours);
  };
  const showCaption = (hours) => {
    if (!curves.has("ketamine")) return;
    const value = (id) => formatNumber(interpolate(curves.get(id).time, curves.get(id).y, hours));
    const values = ["ketamine", ...shown().map(({ id }) => id)].map((id) => `${inSentence(id)} ${value(id)}`);
    find('[data-caption="comparison"]').textContent =
      `MADRS ${formatTimeLong(hours)} after the start: ${values.join(", ")} points.`;
  };
  selectedTime.onChange(showCaption);

  const simulation = new LatestTask(async () => {
    try {
      for (const [i, { id, label, regimen }] of TREATMENTS.entries()) {
        const scenario = { treatments: [regimen], horizon: "84 days" };
        if (!curves.has(id)) curves.set(id, await simulate(scenario, i + 1, label));
      }
      const scenario = state.species ? new StoryState().scenario : state.scenario;
      curves.set("ketamine", await simulate(scenario, 0, "Ketamine"));
      show();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      figure.show({ series: [], caption: error.message });
    }
  });
  return () => simulation.run();
}

// Abbreviations keep their capitals.
const inSentence = (id) => (id.length > 3 ? id : id.toUpperCase());

function treatmentCheckboxes(chosen, changed) {
  const group = element("div", { role: "group", "aria-label": "Compare treatments" });
  for (const { id, label, schedule } of TREATMENTS) {
    const inputId = uniqueId("comparison");
    const toggle = () => {
      if (input.checked) chosen.add(id);
      else chosen.delete(id);
      changed();
    };
    const input = element("input", { type: "checkbox", id: inputId, checked: true, onchange: toggle });
    const text = element("span", { text: `${label}, ${schedule}` });
    group.append(element("label", { class: "checkbox", for: inputId }, input, text));
  }
  return group;
}

// MADRS of a scenario with its published points.
async function simulate(scenario, index, label) {
  const [curves, published] = await Promise.all([
    postJson("/api/curves", { scenario, until: MONTH, tracks: ["mood"] }),
    postJson("/api/points", { scenario }).catch(() => ({ points: [] })),
  ]);
  const [madrs] = curves.figures[0].curves;
  const points = published.points
    .filter((point) => point.track === "mood" && point.curve === madrs.key)
    .map((point) => ({ ...point, index, label: `${label}: ${point.label}` }));
  return { time: curves.time, y: madrs.treated, index, points };
}
