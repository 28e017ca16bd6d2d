// The worker of a page: answers { id, name, body } with { id, found } or { id, error }; with `unavailable` where the model
// cannot be loaded ("network": now; "model": ever). It has no static imports, so that its files are requested at once.

const MODULES = [
  "answers",
  "attribution",
  "dose-events",
  "errors",
  "evidence-points",
  "kernel",
  "model",
  "output-times",
  "parse-errors",
  "parser",
  "perturbations",
  "regimen",
  "regimen-text",
  "scenario",
  "shapley",
  "steady-state",
  "tracks",
  "treatment",
  "units",
  "virtual-patients",
  "words",
];
const TABLES = ["kernel", "scenario", "dosing"];
const TOO_OLD = "This browser cannot run the compiled model. It needs a browser of 2023 or later.";

const NOT_LOADED = "The program could not be loaded. Reload the page.";

class Unavailable extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

async function file(name) {
  let response;
  try {
    response = await fetch(new URL(name, import.meta.url));
  } catch {
    throw new Unavailable("network", NOT_LOADED);
  }
  if (!response.ok) throw new Unavailable("model", NOT_LOADED);
  return response;
}

const getJson = async (name) => (await file(name)).json();

let loading = load();
loading.catch(() => {}); // reported with each answer
self.onmessage = async ({ data: { id, name, body } }) => {
  try {
    const answers = await loaded();
    self.postMessage({ id, found: await answers[name](body) });
  } catch (error) {
    self.postMessage({ id, error: errorBody(error), unavailable: error.reason });
  }
};

// The model; loaded again where the connection was lost.
async function loaded() {
  try {
    return await loading;
  } catch (error) {
    if (error.reason !== "network") throw error;
    loading = load();
    return loading;
  }
}

async function load() {
  const tables = Promise.all(TABLES.map(async (name) => [name, await getJson(`${name}.json`)]));
  const wasm = compiled();
  const [{ Answers }] = await Promise.all(MODULES.map(module));
  const later = {
    people: loadPeople,
    published: () => getJson("published.json"),
    outputs: () => getJson("outputs.json"),
    endpoints: () => getJson("endpoints.json"),
    files: readersOfFiles,
  };
  return Answers.load(await wasm, Object.fromEntries(await tables), later);
}

async function module(name) {
  try {
    return await import(`./${name}.js`);
  } catch {
    throw new Unavailable("network", NOT_LOADED);
  }
}

async function compiled() {
  const bytes = await (await file("kernel.wasm")).arrayBuffer();
  try {
    return await WebAssembly.compile(bytes);
  } catch {
    throw new Unavailable("model", TOO_OLD);
  }
}

async function readersOfFiles() {
  const modules = [import("../files/scenario-file.js"), import("../files/dose-table.js"), getJson("files.json")];
  const [scenario, doseTable, tables] = await Promise.all(modules);
  return { ...scenario, ...doseTable, tables };
}

async function loadPeople() {
  const bytes = async () => (await file("people.bin")).arrayBuffer();
  const [people, draws] = await Promise.all([getJson("people.json"), bytes()]);
  return { people, draws: new Float32Array(draws) };
}

// As the server describes an error.
function errorBody({ name, message, what, key, expected, nearest, typeThis }) {
  if (name !== "InputError") return { error: message, text: message };
  return { error: what, text: message, key, expected, nearest, command: typeThis };
}
