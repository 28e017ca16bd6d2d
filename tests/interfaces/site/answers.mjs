// Reads [[name, body]] and writes the answers of the engine, or its errors. Arguments: the folder `engine` of a site,
// the file of the requests.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [engine, requests] = process.argv.slice(2);
const { Answers } = await import(pathToFileURL(`${engine}/answers.js`));
const json = (name) => JSON.parse(readFileSync(`${engine}/${name}.json`, "utf8"));
const draws = () => new Float32Array(new Uint8Array(readFileSync(`${engine}/people.bin`)).buffer);
const opened = (name) => import(pathToFileURL(`${engine}/../files/${name}.js`));
const later = {
  people: async () => ({ people: json("people"), draws: draws() }),
  published: async () => json("published"),
  outputs: async () => json("outputs"),
  endpoints: async () => json("endpoints"),
  files: async () => ({ ...(await opened("scenario-file")), ...(await opened("dose-table")), tables: json("files") }),
};
const tables = { kernel: json("kernel"), scenario: json("scenario"), dosing: json("dosing") };
const wasm = await WebAssembly.compile(readFileSync(`${engine}/kernel.wasm`));
const answers = await Answers.load(wasm, tables, later);

const found = [];
for (const [name, body] of JSON.parse(readFileSync(requests, "utf8"))) {
  try {
    found.push(await answers[name](body));
  } catch (error) {
    if (error.name !== "InputError") throw error;
    found.push({ error: error.what, key: error.key, expected: error.expected });
  }
}
process.stdout.write(JSON.stringify(found));
