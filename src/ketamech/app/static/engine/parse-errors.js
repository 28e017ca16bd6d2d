// Errors of the parser, as in parse_errors.py: the word at which it stopped, what was expected, the nearest word.

import { InputError, misspelled, quoted, shortenText } from "./errors.js";

const TIME_KEYS = ["over", "schedule", "at", "lag"];
const IN_A_NUMBER = ["NUMBER", "MINUS", "HYPHEN", "TO", "DOSE", "LIST", "A", "HALF"];
const IN_A_NAME = ["UNKNOWN", "NO", "OTHER", "DOSE"];

export function missingDrugError(text) {
  const shown = shortenText(text);
  const isSingle = /^\d/.test(shown) && !text.includes(";") && !shown.endsWith("...");
  const expected = "a drug first, such as racemic or esketamine";
  const typeThis = isSingle ? `"racemic ${shown}"` : null;
  return new InputError(`a treatment without a drug: '${shown}'`, { key: "drug", expected, typeThis });
}

export function tooLongError(start, length, tables) {
  const what = `a text of ${length.toLocaleString("en")} characters is too long`;
  const expected = `at most ${tables.limits.text} characters`;
  if (start !== "sentence") return new InputError(what, { expected });
  const typeThis = "ketamech simulate doses.csv";
  return new InputError(what, { expected: expected + tables.texts.many_doses, typeThis });
}

// The error about the word that begins at `position` (null: the end of the text).
export function unexpectedWordError(start, text, words, position, lexicon, tables) {
  const place = words.findIndex((word) => word.start === position);
  const at = place < 0 ? words.length : place;
  const [expectedHere, example] = tables.starts[start];
  if (!words.length) return new InputError("the text is empty", { expected: expectedHere, typeThis: example });
  const stretch = stretchAt(words, at, lexicon);
  const isNamed = stretch.words.some(({ kind }) => kind === "NAME" || kind === "REINDUCE");
  if (!isNamed && start !== "time") return unknownNameError(text, stretch);
  const key = keyOf(start, words.slice(0, at), stretch, tables.keys);
  if (at < words.length && words[at].kind === "UNKNOWN") {
    return unknownWordError({ start, text, words, at, stretch, key, tables });
  }
  const where = at < words.length ? quoted(text, words[at].start, words[at].end) : null;
  const shown = shortenText(text);
  const what = where ? `${where} does not fit here in '${shown}'` : `something is missing after '${shown}'`;
  if (key === "over" && words[at - 1]?.kind === "IN") {
    return new InputError(what, { key, expected: tables.texts.after_in, typeThis: "nasal" });
  }
  if (key === "over" || key === "lag") {
    return new InputError(what, { key, expected: tables.texts.times, typeThis: `${key} 40 min` });
  }
  if (key === "with") {
    return new InputError(what, { key, expected: expectedOf("phrase", tables) });
  }
  return new InputError(what, { key, expected: expectedOf(start, tables) });
}

// What a text of this kind consists of, with an example: one that is no correction is not a line to type.
function expectedOf(start, tables) {
  const [expected, example] = tables.starts[start];
  return example ? `${expected}, e.g. ${example}` : expected;
}

// A treatment or perturbation: its words, the lexicon that applies, and the terminal that selected the lexicon.
function stretchAt(words, at, lexicon) {
  let begin = 0;
  let inside = "";
  words.slice(0, at).forEach((word, i) => {
    if (word.kind === "SEP") [begin, inside] = [i + 1, ""];
    else if (word.kind in lexicon.inside) [begin, inside] = [i + 1, word.kind];
    else if (inside && word.kind === "AND") begin = i + 1;
  });
  const isEnd = (word, i) =>
    i >= Math.max(at, begin) && (["SEP", "AND"].includes(word.kind) || word.kind in lexicon.inside);
  const end = words.findIndex(isEnd);
  const own = words.slice(begin, end < 0 ? words.length : end);
  return { words: own, lexicon: inside ? lexicon.inside[inside] : lexicon, inside };
}

function unknownNameError(text, { words, lexicon }) {
  const [first] = words;
  if (!first || first.kind === "THEN") return missingDrugError(text);
  const place = words.findIndex(({ kind }) => kind === "UNKNOWN");
  const run = [words[Math.max(place, 0)]];
  for (const word of words.slice(Math.max(place, 0) + 1)) {
    if (!IN_A_NAME.includes(word.kind) && word.start !== run.at(-1).end) break;
    run.push(word);
  }
  const [from, to] = [run[0].start, run.at(-1).end];
  const { what, ...others } = lexicon.unknown(text.slice(from, to));
  return new InputError(
    what.replace(`'${text.slice(from, to)}'`, () => quoted(text, from, to)),
    others,
  );
}

// Consecutive unknown words count as one.
function unknownWordError({ start, text, words, at, stretch, key, tables }) {
  let to = at;
  while (words[to + 1]?.kind === "UNKNOWN") to += 1;
  const word = text.slice(words[at].start, words[to].end);
  const where = quoted(text, words[at].start, words[to].end);
  const before = at ? words[at - 1].kind : "";
  const shown = shortenText(text);
  if (before === "NUMBER" && TIME_KEYS.includes(key)) {
    const what = `${where} is not a unit of time in '${shown}'`;
    return new InputError(what, { key, expected: tables.texts.times, nearest: misspelled(word, tables.unit_words) });
  }
  if (before === "NUMBER" && key === "treatment") {
    const what = `no dose in '${shown}': ${where} is not a unit of mass`;
    return new InputError(what, { key: "dose", expected: tables.texts.masses, typeThis: "0.5 mg/kg" });
  }
  const common = Object.keys(tables.words);
  if (["INTO", "IN"].includes(before) && key === "with") {
    const sites = common.filter((one) => tables.words[one][0] === "SITE");
    const nearest = misspelled(word, sites);
    return new InputError(`nothing can be infused into ${where}`, { key, expected: sites.join(", "), nearest });
  }
  const expected = expectedOf(key === "with" ? "phrase" : start, tables);
  const nearest = misspelled(word, [...stretch.lexicon.spellings, ...common]);
  return new InputError(`${where} is not known in '${shown}'`, { key, expected, nearest });
}

// The key that the text was about: that of the last word that belongs to one, if only numbers followed it.
function keyOf(start, before, stretch, keys) {
  if (start === "phrase" || stretch.inside === "WITH") return "with";
  if (start !== "sentence") return null;
  for (const { kind } of before.toReversed()) {
    if (kind in keys) return keys[kind];
    if (!IN_A_NUMBER.includes(kind)) break;
  }
  return "treatment";
}
