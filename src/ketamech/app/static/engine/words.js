// The terminals of the grammar in a text: the same rules as lexicon.py, over the words of dosing.json.

import { InputError, quoted } from "./errors.js";
import { DAY, HOUR, MINUTE, WEEK } from "./units.js";

// Linear in the length of the text: no alternative can match the same blanks or digits in two ways.
const LETTER = "\\p{L}\\p{Nl}\\p{No}";
const PIECE = new RegExp(
  [
    "[^\\S\\n]+",
    `(?<abbreviation>[${LETTER}](?:\\.[${LETTER}])+(?![\\p{L}\\p{N}_])\\.?)`,
    "(?<number>(?:\\p{Nd}+(?:[.,]\\p{Nd}+)*\\.?|(?<![\\p{L}\\p{N}])\\.\\p{Nd}+)(?:[eE][-+]?\\p{Nd}+)?)",
    `(?<word>[${LETTER}]+)`,
    "(?<symbol>[<>]=?|\\S|\\n)",
  ].join("|"),
  "gu",
);
const KINDS = ["abbreviation", "number", "word", "symbol"];

function splitText(text) {
  const parts = [];
  for (const match of text.matchAll(PIECE)) {
    const kind = KINDS.find((name) => match.groups[name] !== undefined);
    if (!kind) continue;
    const [found] = match;
    parts.push({
      text: plain(found, kind),
      isNumber: kind === "number",
      start: match.index,
      end: match.index + found.length,
    });
  }
  return parts;
}

function plain(text, kind) {
  const folded = text.normalize("NFKC").toLowerCase().replaceAll("μ", "u");
  if (kind === "abbreviation") return folded.replaceAll(".", "");
  return folded === "\n" ? ";" : folded;
}

// Names and other words beside the common ones: `words` [[word, kind, value]], `unknown` makes the error about an
// unknown name, `inside` { kind: lexicon } are the lexicons that apply after a word of that kind.
export class Lexicon {
  constructor(common, words, unknown, inside = {}) {
    this.indices = [indexed(words), common];
    this.spellings = words.map(([word]) => word);
    this.unknown = unknown;
    this.inside = inside;
  }

  // { count, kind, value } of the longest known word from part `at`; of equal length, one of `words`.
  longest(parts, at) {
    const matches = this.indices.map((index) => longestOf(index, parts, at)).filter(Boolean);
    return matches.reduce((best, one) => (best && best.count >= one.count ? best : one), null);
  }
}

// Words by their first part, longest first.
export function indexed(words) {
  const index = new Map();
  for (const [word, kind, value] of words) {
    const parts = splitText(word).map((part) => part.text);
    if (!index.has(parts[0])) index.set(parts[0], []);
    index.get(parts[0]).push({ parts, kind, value });
  }
  for (const entries of index.values()) entries.sort((a, b) => b.parts.length - a.parts.length);
  return index;
}

function longestOf(index, parts, at) {
  const entries = index.get(parts[at].text) ?? [];
  const fits = (entry) => entry.parts.every((part, i) => parts[at + i]?.text === part);
  const found = entries.find(fits);
  return found ? { count: found.parts.length, kind: found.kind, value: found.value } : null;
}

// Terminals { kind, value, start, end } of a text. Throws InputError for a number or a word that is ambiguous.
export function tokenize(text, lexicon, tables) {
  return inContext(withMeanings(text, lexicon, tables), text, tables);
}

function withMeanings(text, lexicon, tables) {
  const parts = splitText(text);
  const found = [];
  let current = lexicon;
  for (let at = 0; at < parts.length;) {
    const match = current.longest(parts, at);
    const first = parts[at];
    const { start } = first;
    const { end } = parts[at + (match?.count ?? 1) - 1];
    at += match?.count ?? 1;
    if (!match) {
      found.push({ kind: first.isNumber ? "NUMBER" : "UNKNOWN", value: first.text, start, end });
    } else if (match.kind === "short") {
      for (const { kind, value } of tokenize(match.value, current, tables)) found.push({ kind, value, start, end });
    } else if (match.kind === "refused") {
      const what = `${quoted(text, start, end)}: ${match.value}`;
      throw new InputError(what, { key: "schedule", expected: tables.texts.frequencies });
    } else if (match.kind !== "filler") {
      found.push({ kind: match.kind, value: match.value, start, end });
      current = match.kind === "SEP" ? lexicon : (current.inside[match.kind] ?? current);
    }
  }
  return found;
}

const MEASURED = ["NUMBER", "A", "EVERY", "OTHER", "PER", "SLASH", "ORDINAL", "NTH", "TIMES", "X", "HALF", "TO"];
const COUNTED = ["UNIT", "MASS", "TIMES", "X", "PERCENT", "DOSE", "SLASH", "PER"]; // what a number may belong to
const HEADINGS = ["AT", "LABEL", "DOSE"];
const IN_A_LIST = ["NUMBER", "LIST", "MINUS", "TO", ""];
const AFTER_IN = ["NUMBER", "A", "HALF", "MINUS", "SITE", "LAST", "ANY", "CONSECUTIVE"];
const END = { kind: "", value: null, start: 0, end: 0 };

// Words whose terminal depends on their neighbours; "" means that the word is ignored here.
const CONTEXT_RULES = {
  A: ({ next }) => (next.kind === "UNIT" ? "A" : ""),
  AND: (place) => (isInList(place) ? "LIST" : place.next.kind === "NAME" ? "AND" : ""),
  COMMA: (place) => (isInList(place) ? "LIST" : ""),
  DOSE: ({ before }) => (["NUMBER", "MISSING"].includes(before) ? "DOSE" : ""),
  MINUS({ before, next }) {
    if (next.kind === "NUMBER") return before === "NUMBER" ? "TO" : "MINUS";
    return before === "NUMBER" && next.kind === "LY" ? "HYPHEN" : "";
  },
  // 84 mg IN twice weekly, 84 mg i.n.; but 35 MG IV IN 40 MIN, 84 mg IN 2 times a week
  IN({ written, next, second }) {
    if (!written.includes(".") && (written !== written.toUpperCase() || written === written.toLowerCase())) return "IN";
    const isCounted = next.kind === "NUMBER" && ["TIMES", "X"].includes(second.kind);
    const isOfVisits = next.kind === "EVERY" && second.kind === "VISIT";
    return isOfVisits || (AFTER_IN.includes(next.kind) && !isCounted) ? "IN" : "ROUTE";
  },
  SEP: ({ before, next }) => (!["", "SEP"].includes(before) && next.kind ? "SEP" : ""),
  UNIT({ word, before, next, second, heading }) {
    if (before === "LIST") return word.value === heading.value ? "" : "LABEL";
    if (word.value === HOUR && before === "NUMBER" && next.kind === "NUMBER") {
      return second.value === MINUTE ? "HOURS" : "UNIT";
    }
    const isNumbered = next.kind === "NUMBER" || (next.kind === "MINUS" && second.kind === "NUMBER");
    return [DAY, WEEK].includes(word.value) && isNumbered && !MEASURED.includes(before) ? "LABEL" : "UNIT";
  },
};

// Whether a comma or "and" joins two numbers of one list ("days 1, 4 and 8", "day 1 and day 4").
function isInList({ before, next, second, third, heading }) {
  const again = heading.kind === "LABEL" && next.kind === "UNIT" && next.value === heading.value;
  const [number, belongs] = again ? [second, third] : [next, second];
  if (before !== "NUMBER" || number.kind !== "NUMBER") return false;
  return !COUNTED.includes(belongs.kind) || (heading.kind === "AT" && belongs.kind === "UNIT");
}

function inContext(found, text) {
  const placed = [];
  let heading = END;
  const at = (i) => found[i] ?? END;
  found.forEach((word, i) => {
    if (["COMMA", "AND"].includes(word.kind) && at(i + 1).kind === "AND") return; // "2, 4, and 8"
    const before = placed.at(-1)?.kind ?? "";
    const written = text.slice(word.start, word.end);
    const place = { word, before, next: at(i + 1), second: at(i + 2), third: at(i + 3), heading, written };
    const kind = CONTEXT_RULES[word.kind]?.(place) ?? word.kind;
    if (!IN_A_LIST.includes(kind)) heading = HEADINGS.includes(kind) ? { ...word, kind } : END;
    if (kind === "NUMBER") placed.push(...numbers(word, text, ["LABEL", "DOSE"].includes(heading.kind)));
    else if (kind) placed.push({ ...word, kind });
  });
  while (placed.at(-1)?.kind === "SEP") placed.pop();
  return placed;
}

// One number, or several joined by commas where `many` are allowed. Throws InputError for an ambiguous one.
function numbers(word, text, many) {
  if (typeof word.value === "number") return [word];
  const shown = word.value.split(".").length > 2 ? word.value.replace(/\.+$/, "") : word.value;
  const parts = shown.split(",");
  const values = parts.map(toNumber);
  if (!values.some(Number.isNaN)) {
    if (parts.length === 1) return [{ ...word, value: values[0] }];
    if (many) return values.flatMap((value, i) => [...(i ? [{ ...word, kind: "LIST" }] : []), { ...word, value }]);
  }
  // 1,000 may be a thousand
  if (!many && parts.length === 2 && (parts[1].length !== 3 || values[0] === 0)) {
    const value = toNumber(parts.join("."));
    if (!Number.isNaN(value)) return [{ ...word, value }];
  }
  const what = `${quoted(text, word.start, word.end)} can be read in more than one way`;
  throw new InputError(what, { key: "dose", expected: "a number with a decimal point and nothing between thousands" });
}

const toNumber = (text) => (/^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(text) ? Number(text) : NaN);
