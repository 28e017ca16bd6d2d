// Reads { dosing, parameters, regimens, phrases, horizon } and writes { regimens: treatments, dose events and sentences of each, or
// the error; phrases: the perturbation of each, or the error }. Arguments: the folder of the engine, the file of the request.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [engine, request] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${engine}/${name}`));
const { RegimenReader } = await load("regimen.js");
const { treatmentSentences } = await load("regimen-text.js");
const { doseEvents } = await load("dose-events.js");
const { applyPhrases } = await load("perturbations.js");
const { dosing, parameters, regimens, phrases, horizon } = JSON.parse(readFileSync(request, "utf8"));
const reader = new RegimenReader(dosing);

function regimen(text) {
  const treatments = reader.treatments([text]);
  const events = doseEvents(treatments, (name) => parameters[name], horizon, dosing);
  return { treatments: treatments.map(({ tables, ...given }) => given), events, sentences: treatmentSentences(treatments) };
}

const perturbations = (text) => applyPhrases(text.split("; ").map((one) => reader.phrase(one)), dosing, parameters);

function perturbation(text) {
  const found = perturbations(text).at(-1);
  return { ...found, events: found.events((name) => parameters[name]) };
}

const answer = (make) => (text) => {
  try {
    return make(text);
  } catch (error) {
    if (error.name !== "InputError") throw error;
    const { what, key, expected, nearest, typeThis } = error;
    return { error: { what, key, expected, nearest, type_this: typeThis } };
  }
};

const found = { regimens: regimens.map(answer(regimen)), phrases: phrases.map(answer(perturbation)) };
process.stdout.write(JSON.stringify(found));
