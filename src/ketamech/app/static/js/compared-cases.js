// Whether a difference between two cases means anything: the error of the model, the trials, and the virtual patients.

import { getJson, postJson } from "./api.js";
import { caseLetter } from "./case-list.js";
import { formatRange, formatTimeLong, interpolate } from "./format.js";
import { selectedTime } from "./time-slider.js";

const NOT_IN_A_TRIAL = ["perturbations", "pathways", "species", "variant", "parameters"];
const COMPUTING = "How large the error of the model is for such a difference is being computed.";
const SMALLEST = 0.05; // points that are written as 0.1

// { error, rows, fitted, trials: [{ title, arms }] }; null where it cannot be loaded.
export const loadBasis = () => getJson("/api/comparison").catch(() => null);

// Percentiles of the difference between two scenarios in each virtual patient; null where it cannot be simulated.
export function pairedDifference({ metadata }, scenario, reference, track) {
  const request = { until: selectedTime.last, patients: metadata.story_patients, track };
  return postJson("/api/population", { scenario, reference, ...request }).catch(() => null);
}

// About case `k` and the first (`basis` is undefined until it is loaded): the difference of the typical patient, of virtual patients, and what it is worth.
export function differenceSentence({ basis, cases, responses, tracks, differences, k }, hours) {
  if (!tracks[0] || !tracks[k] || responses[0].isOutdated || responses[k].isOutdated) return "";
  const valueOf = (i) => interpolate(responses[i].time, tracks[i].curves[0].treated, hours);
  const difference = valueOf(k) - valueOf(0);
  if (valueOf(k) === null || valueOf(0) === null) return "";
  const [a, b] = [caseLetter(0), caseLetter(k)];
  const size = Math.abs(difference);
  const apart = size < SMALLEST ? `${b} and ${a} give the same score` : `the score on ${b} is ${size.toFixed(1)} points ${difference < 0 ? "lower" : "higher"} than on ${a}`;
  const found = differences[k];
  const at = (percent) => interpolate(found.time, found.curves[0].percentiles[percent], hours);
  const band = found ? ` In 90 of 100 virtual patients who get both, ${b} minus ${a} is ${formatRange(round(at(5)), round(at(95)))} points.` : "";
  return `${formatTimeLong(hours)} after the start ${apart}.${band} ${worth({ basis, size, cases, responses, k, pair: `${a} and ${b}` })}`;
}

const round = (value) => Number(value.toFixed(1));

function worth({ basis, size, cases, responses, k, pair }) {
  if (!basis) return basis === undefined ? COMPUTING : "";
  const together = basis.trials.filter(({ arms }) => [0, k].every((i) => isArm(cases[i], responses[i], arms)));
  const compared = together.length
    ? `Treatments ${pair} were compared in: ${together.map(({ title }) => title).join("; ")}.`
    : `No trial in the tables compared ${pair}.`;
  return `${errorSentence(basis, size)} ${compared}`;
}

// A difference of this size beside the error of the model.
export function errorSentence({ error, rows, fitted }, size) {
  const points = `about ${Math.round(error)} points (${rows} published differences, ${fitted} of them used to fit it)`;
  const what = "the error of the model for differences between arms of trials";
  return `${size < error ? `This is less than ${what}, ${points}` : `For comparison, ${what} is ${points}`}; see the tab Scorecard.`;
}

function isArm(scenario, { treatments }, arms) {
  const isPlain = NOT_IN_A_TRIAL.every((name) => !Object.keys(scenario[name] ?? {}).length);
  const text = treatments.join("; ");
  return isPlain && arms.some((arm) => arm.join("; ") === text);
}
