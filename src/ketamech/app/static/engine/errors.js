// An error in a regimen or a scenario, with the text of the command line.

export class InputError extends Error {
  constructor(what, { key = null, expected = null, nearest = null, typeThis = null } = {}) {
    const extras = [
      ["key", key],
      ["expected", expected],
      ["nearest", nearest],
      ["type", typeThis],
    ];
    const lines = extras.filter(([, text]) => text).map(([label, text]) => `  ${label}: ${text}`);
    super([what, ...lines].join("\n"));
    Object.assign(this, { name: "InputError", what, key, expected, nearest, typeThis });
  }
}

// The same about a file, at a line.
export function fileError(file, line, what, extras) {
  const error = new InputError(`${file}${line ? `:${line}` : ""}: ${what}`, extras);
  return Object.assign(error, { what, hasPlace: true });
}

// The one valid word of which `word` is a misspelling: one edit in four to seven letters, two in longer words.
export function misspelled(word, choices) {
  const name = word.toLowerCase();
  const limit = name.length < 4 ? 0 : name.length < 8 ? 1 : 2;
  const distances = new Map();
  for (const choice of choices) {
    const distance = editDistance(name, choice.toLowerCase(), limit);
    if (distance > 0 && distance <= limit) distances.set(choice, distance);
  }
  const least = Math.min(...distances.values());
  const best = [...distances].filter(([, distance]) => distance === least);
  return best.length === 1 ? best[0][0] : null;
}

// Insertions, deletions, replacements and swaps of neighbours; any number above `limit` when it exceeds `limit`.
function editDistance(a, b, limit) {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      let cost = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] !== b[j - 1] ? 1 : 0));
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) cost = Math.min(cost, before[j - 2] + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last.at(-1);
}

// A number with six significant digits, as "{:g}" of Python writes it.
export function general(number, digits = 6) {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
  if (number === 0) return Object.is(number, -0) ? "-0" : "0";
  const [mantissa, power] = number
    .toExponential(digits - 1)
    .split("e")
    .map(String);
  const exponent = Number(power);
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= digits) {
    return `${short(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return short(number.toFixed(digits - 1 - exponent));
}

const SHOWN = 120; // characters of a text that an error repeats

export function shortenText(text) {
  const plain = text
    .slice(0, 2 * SHOWN)
    .split(/\s+/)
    .filter(Boolean)
    .join(" ");
  return [...text].length <= SHOWN ? plain : `${plain.slice(0, SHOWN)}...`;
}

export const quoted = (text, start, end) => `'${text.slice(start, end)}' (character ${start + 1})`;
