// The worker of the static site: answers { id, name, body } with { id, found } or { id, error }. It has no static
// imports, so that all of its files are requested at once.

const MODULES = [
  "answers",
  "dose-events",
  "errors",
  "evidence-points",
  "kernel",
  "model",
  "output-times",
  "parse-errors",
  "parser",
  "people",
  "perturbations",
  "regimen",
  "scenario",
  "steady-state",
  "tracks",
  "treatment",
  "words",
];
const TABLES = ["kernel", "scenario", "dosing"];
const TOO_OLD = "This browser cannot run the compiled model. It needs a browser of 2023 or later.";

const file = (name) => new URL(name, import.meta.url);
const getJson = async (name) => (await fetch(file(name))).json();

const loading = load();
self.onmessage = async ({ data: { id, name, body } }) => {
  try {
    const answers = await loading;
    self.postMessage({ id, found: await answers[name](body) });
  } catch (error) {
    self.postMessage({ id, error: errorBody(error) });
  }
};

async function load() {
  const tables = Promise.all(TABLES.map(async (name) => [name, await getJson(`${name}.json`)]));
  const wasm = compiled();
  const [{ Answers }] = await Promise.all(MODULES.map((name) => import(`./${name}.js`)));
  const later = { people: loadPeople, published: () => getJson("published.json") };
  return Answers.load(await wasm, Object.fromEntries(await tables), later);
}

async function compiled() {
  const response = await fetch(file("kernel.wasm"));
  try {
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch {
    throw new Error(TOO_OLD);
  }
}

async function loadPeople() {
  const bytes = fetch(file("people.bin")).then((response) => response.arrayBuffer());
  return { people: await getJson("people.json"), draws: new Float32Array(await bytes) };
}

// As the server describes an error.
function errorBody({ name, message, what, key, expected, nearest, typeThis }) {
  if (name !== "InputError") return { error: message, text: message };
  return { error: what, text: message, key, expected, nearest, command: typeThis };
}
