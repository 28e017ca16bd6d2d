// Reads { dosing, parameters, regimens, horizon } and writes the treatments and dose events of each regimen, or the
// error. Arguments: the folder of the engine, the file of the request.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [engine, request] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${engine}/${name}`));
const { RegimenReader } = await load("regimen.js");
const { doseEvents } = await load("dose-events.js");
const { dosing, parameters, regimens, horizon } = JSON.parse(readFileSync(request, "utf8"));
const reader = new RegimenReader(dosing);

function answer(text) {
  try {
    const treatments = reader.treatments([text]);
    const events = doseEvents(treatments, (name) => parameters[name], horizon, dosing);
    return { treatments: treatments.map(({ tables, ...given }) => given), events };
  } catch (error) {
    if (error.name !== "InputError") throw error;
    const { what, key, expected, nearest, typeThis } = error;
    return { error: { what, key, expected, nearest, type_this: typeThis } };
  }
}

process.stdout.write(JSON.stringify(regimens.map(answer)));
