// The keys of a scenario file (YAML or JSON, which is YAML), with the checks of load_scenario.py and scenario_schema.py.

import * as imported from "./js-yaml.min.js";
import { fileError, InputError, misspelled } from "../engine/errors.js";

const yaml = imported.default ?? globalThis.jsyaml;
const SCHEMA = yaml.CORE_SCHEMA.extend({ implicit: [yaml.types.timestamp] });
const isText = (value) => typeof value === "string";
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Date);
const isObjectOf = (check) => (value) => isObject(value) && Object.values(value).every(check);
const isListOf = (check) => (value) => Array.isArray(value) && value.every(check);
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isQuantity = (value) => isText(value) || isNumber(value);
const isShorterThan = (most) => (value) => isText(value) && value.length <= most;

// What a key holds: [check, the expectation in words].
const KEYS = {
  title: [isShorterThan(201), "text of at most 200 characters"],
  description: [isShorterThan(5001), "text of at most 5000 characters"],
  treatments: [(value) => isListOf((one) => isText(one) || isObject(one))(value) && value.length > 0 && value.length <= 500, "a list, one item a line after '- '"],
  person: [isObjectOf((value) => value === null || isQuantity(value)), "keys and values (e.g. weight: 82 kg)"],
  pathways: [isObject, "keys and values (e.g. habenula: off)"],
  species: [isText, "text (human, rat or mouse)"],
  variant: [isText, "text (a model variant by name)"],
  perturbations: [(value) => isListOf(isText)(value) || isObjectOf(isNumber)(value), "a list of texts, or constant fractions"],
  parameters: [isObjectOf(isQuantity), "keys and values"],
  horizon: [isText, "text (simulated time, e.g. 28 days)"],
  control: [(value) => switchOf(value) !== undefined, "on or off"],
  seed: [(value) => Number.isInteger(value) && value >= 0, "a whole number"],
};
const FILES = ["connectome", "receptors"];
const TREATMENT_KEYS = ["drug", "dose", "route", "over", "at", "schedule", "lag", "missing", "steady_state", "salt"];
const ON = ["1", "on", "t", "true", "y", "yes"];
const OFF = ["0", "off", "f", "false", "n", "no"];

// true or false of a value that means one; undefined for any other.
function switchOf(value) {
  const word = String(value).toLowerCase();
  return ON.includes(word) ? true : OFF.includes(word) ? false : undefined;
}

// The keys of a scenario, without those that have no value; its treatments are sentences. `limits`: files.json. Throws
// InputError that names file, line and key.
export function readScenario(text, name, limits) {
  const source = { text, name };
  if (text.length > limits.scenario) {
    const expected = `at most ${limits.scenario.toLocaleString("en")} characters; the command line reads longer files`;
    throw new InputError(`${name} has ${text.length.toLocaleString("en")} characters`, { expected });
  }
  const given = Object.entries(parsed(source)).filter(([, value]) => value !== null);
  const keys = { title: "Untitled" };
  Object.assign(keys, Object.fromEntries(given.map(([key, value]) => [key === "wiring" ? "variant" : key, value])));
  for (const [key, value] of Object.entries(keys)) checkKey(source, key, value);
  if (!keys.treatments) throw at(source, "treatments", "'treatments' is missing", { expected: "treatments: ...", typeThis: "treatments:" });
  refuseLongTexts(source, keys, limits.text);
  keys.treatments = keys.treatments.map((one, i) => (isText(one) ? one : sentenceOf(source, one, i)));
  if ("control" in keys) keys.control = switchOf(keys.control);
  if (keys.pathways) keys.pathways = Object.fromEntries(Object.entries(keys.pathways).map((one) => pathwaySwitch(source, one)));
  return keys;
}

function parsed(source) {
  const { text, name } = source;
  if (text.includes("\0")) throw fileError(name, null, "the file is not text", { expected: "a YAML file in UTF-8" });
  if (!text.trim()) throw at(source, null, "the file is empty", { expected: "title:, treatments:, ..." });
  let found;
  try {
    found = yaml.load(text, { schema: SCHEMA, listener: (event, state) => refuseProperties(source, event, state) });
  } catch (error) {
    if (error.name !== "YAMLException") throw error;
    const line = error.mark ? error.mark.line + 1 : null;
    throw fileError(name, line, error.reason, { expected: "a YAML mapping of keys and values" });
  }
  if (!isObject(found)) throw at(source, null, "the file has no keys", { expected: "title:, treatments:, ..." });
  return found;
}

// Refuses what a scenario does not need: anchors of aliases, and tags.
function refuseProperties({ name }, event, { anchor, input, position, line }) {
  const isTag = event === "open" && /^\s*!/.test(input.slice(position, position + 200));
  if (!isTag && (event === "open" || anchor === null)) return;
  const what = isTag ? "tags (!...) and merges (<<) are not allowed" : "aliases are not allowed";
  throw fileError(name, line + 1, what, { expected: "plain values" });
}

function checkKey(source, key, value) {
  if (FILES.includes(key)) {
    const expected = "nothing here; the command line reads it";
    throw at(source, key, `'${key}' names a file, and the page reads no files of this machine`, { expected });
  }
  if (!Object.hasOwn(KEYS, key)) throw unknownKey(source, key, key, Object.keys(KEYS));
  const [check, expected] = KEYS[key];
  if (!check(value)) throw at(source, key, `${shown(value)} is not a valid value`, { expected });
}

const shown = (value) => {
  const text = isText(value) ? `'${value}'` : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}...`;
};

function unknownKey(source, key, name, known) {
  const extras = { expected: known.join(", "), nearest: misspelled(name, known) };
  return at(source, key, `'${name}' is not a key of a scenario file`, extras);
}

function pathwaySwitch(source, [name, value]) {
  const on = switchOf(value);
  if (on === undefined) throw at(source, `pathways.${name}`, `${shown(value)} is not a valid value`, { expected: "on or off" });
  return [name, on];
}

function refuseLongTexts(source, { title, description, ...keys }, most) {
  const visit = (value, key) => {
    if (isText(value) && value.length > most)
      throw at(source, key, `${value.length} characters`, { expected: `at most ${most} characters` });
    if (Array.isArray(value)) value.forEach((one, i) => visit(one, `${key}[${i}]`));
    else if (isObject(value)) Object.entries(value).forEach(([name, one]) => visit(one, key ? `${key}.${name}` : name));
  };
  visit(keys, "");
}

// A treatment with a key for each property as a sentence.
function sentenceOf(source, given, i) {
  for (const [name, value] of Object.entries(given)) {
    const key = `treatments[${i}].${name}`;
    if (!TREATMENT_KEYS.includes(name)) throw unknownKey(source, key, name, TREATMENT_KEYS);
    const isValid = name === "steady_state" ? switchOf(value) !== undefined : isText(value) || (value === null && !["drug", "route", "salt"].includes(name));
    if (!isValid) throw at(source, key, `${shown(value)} is not a valid value`, { expected: "text" });
  }
  const { drug, dose, salt = "base", route, over, at: start, schedule, lag, missing, steady_state: steady } = given;
  if (!drug) throw at(source, `treatments[${i}].drug`, "'drug' is missing", { expected: "drug: ..." });
  if (!["base", "hydrochloride"].includes(salt)) throw at(source, `treatments[${i}].salt`, `'${salt}' is not a valid value`, { expected: "base or hydrochloride" });
  const part = (word, value) => value && `${word} ${value}`;
  const parts = [drug, dose, salt !== "base" && `as ${salt}`, route, part("over", over), part("at", start), schedule];
  const last = [part("lag", lag), part("missing", missing), switchOf(steady ?? false) && "at steady state"];
  return [...parts, ...last].filter(Boolean).join(" ");
}

// The same error about the file, at the line of its key.
export function inFile(error, source) {
  const { what, key, expected, nearest, typeThis } = error;
  return at(source, key, what, { expected, nearest, typeThis });
}

function at(source, key, what, extras = {}) {
  const line = key ? lineOf(source.text, key) : 1;
  return fileError(source.name, line, what, { key, ...extras });
}

// The line of a key such as treatments[1].dose, or of the nearest key above it; null where it is not found.
function lineOf(text, key) {
  const lines = text.split(/\r\n|\n|\r/);
  let line = -1;
  for (const part of key.match(/[^.[\]]+/g) ?? []) {
    const isIndex = /^\d+$/.test(part);
    const isPart = isIndex ? (one) => /^\s*- /.test(one) : (one) => one.replace(/^[\s{,-]*["']?/, "").startsWith(part);
    let left = isIndex ? Number(part) + 1 : 1;
    const found = lines.findIndex((one, i) => (isIndex ? i > line : i >= Math.max(line, 0)) && isPart(one) && --left === 0);
    if (found < 0) break;
    line = found;
  }
  return line < 0 ? null : line + 1;
}
