// Outputs of the typical patient over time, for every figure of the story.

import { postJson } from "./js/api.js";

const DEFAULT_PERSON = { weight: "70 kg" };

// `regimen`: a sentence, or `scenario`: the keys of a scenario file. `outputs`: names; `times`: hours from the start,
// rising. `settings`: further keys of a scenario file (person, species, pathways, perturbations, horizon ...).
// Returns { times, values, control }: `values` and `control` { output: Float64Array } in the units of the model;
// `control` is the same patient with the same visits and no drug. Throws ServerError for a scenario with an error.
export async function simulate({ regimen, scenario, outputs, times, settings = {} }) {
  const keys = { ...(scenario ?? { treatments: [regimen], person: DEFAULT_PERSON }), ...settings };
  const found = await postJson("/api/outputs", { scenario: keys, outputs, times: Array.from(times) });
  return { times: Float64Array.from(found.times), values: arrays(found.values), control: arrays(found.control ?? {}) };
}

function arrays(values) {
  const numbers = (list) => Float64Array.from(list, (value) => value ?? NaN);
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, numbers(list)]));
}
