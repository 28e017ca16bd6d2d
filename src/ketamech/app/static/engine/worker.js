// The worker of the static site: answers { id, name, body } with { id, found } or { id, error }.

import { Answers } from "./answers.js";
import { InputError } from "./errors.js";

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
  const names = ["kernel", "scenario", "dosing"];
  const [wasm, ...parts] = await Promise.all([compiled(), ...names.map((name) => getJson(`${name}.json`))]);
  const later = { people: loadPeople, published: () => getJson("published.json") };
  return Answers.load(wasm, Object.fromEntries(names.map((name, i) => [name, parts[i]])), later);
}

async function compiled() {
  const response = await fetch(file("kernel.wasm"));
  try {
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch {
    throw new Error("This browser cannot run the compiled model. It needs a browser of 2023 or later.");
  }
}

async function loadPeople() {
  const bytes = fetch(file("people.bin")).then((response) => response.arrayBuffer());
  return { people: await getJson("people.json"), draws: new Float32Array(await bytes) };
}

// As the server describes an error.
function errorBody(error) {
  const { what, key, expected, nearest, typeThis } = error;
  if (error instanceof InputError)
    return { error: what, text: error.message, key, expected, nearest, command: typeThis };
  return { error: error.message, text: error.message };
}
