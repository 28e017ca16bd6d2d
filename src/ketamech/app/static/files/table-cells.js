// A dose table as checked cells: column names, separators, decimal marks, missing values, as in csv_cells.py.

import { fileError, general } from "../engine/errors.js";

const LINES = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

// Patterns of numbers of files.json: printed, with a decimal comma or point, of thousands or a decimal comma.
function patternsOf({ numbers }) {
  const whole = ([name, source]) => [name, new RegExp(`^(?:${source})$`, "i")];
  return Object.fromEntries(Object.entries(numbers).map(whole));
}

// One record; `cells` (Map by column) has no missing cells; `patterns`: see patternsOf.
class Row {
  constructor(file, line, cells, patterns) {
    Object.assign(this, { file, line, cells, patterns });
  }

  has(column) {
    return this.cells.has(column);
  }

  text(column, otherwise = "") {
    return this.cells.get(column) ?? otherwise;
  }

  // Throws InputError for a text that is no number; `written`: the name of the column in the file.
  number(column, otherwise = 0, written = column) {
    const text = this.cells.get(column);
    if (text === undefined) return otherwise;
    if (NUMBER.test(text) && Number.isFinite(Number(text))) return Number(text);
    const clock = text.includes(":") && column === "TIME" ? " of hours since the first record" : "";
    const how = this.patterns.comma.test(text) ? " with a point, not a decimal comma" : clock;
    throw this.error(`'${text}' is not a number`, written, `a number${how}, or . where it is missing`);
  }

  // A whole number from 0 to `most`.
  integer(column, most) {
    const found = this.number(column);
    if (Number.isInteger(found) && found >= 0 && found <= most) return found;
    throw this.error(`${column} of ${general(found)}`, column, `a whole number from 0 to ${most}`);
  }

  error(what, key, expected, extras = {}) {
    return fileError(this.file, this.line, what, { key, expected, ...extras });
  }

  // The same error at this row, unless it has a place.
  located(error) {
    const { name, hasPlace, what, key, expected, nearest, typeThis } = error;
    if (name !== "InputError" || hasPlace) return error;
    return fileError(this.file, this.line, what, { key, expected, nearest, typeThis });
  }
}

// { rows, columns, commas }: `columns` (Map) as written in the file; `commas`: numbers have a decimal comma. `tables`:
// files.json. Throws InputError where the text is no dose table.
export function cellsOf(text, file, tables) {
  const patterns = patternsOf(tables);
  const all = text.split(LINES).map((line, i) => [i + 1, line]);
  const [first, lines] = header(all.filter(([, line]) => line.trim()), tables);
  if (!lines.length) throw fileError(file, 1, "the file is empty", { expected: "ID,TIME,AMT,... and records" });
  const separator = separatorOf(first, tables);
  const written = split(first, separator).map((word) => word.replace(/^"+|"+$/g, ""));
  const names = withSynonyms(written.map((word) => nameOf(word, tables)), tables.synonyms);
  refuseHeader(names, file, lines[0][0]);
  if (lines.length > tables.rows) {
    const what = `${lines.length.toLocaleString("en")} records`;
    throw fileError(file, null, what, { expected: `at most ${tables.rows.toLocaleString("en")}` });
  }
  const isMissing = (word) => tables.missing.includes(word.toLowerCase());
  const records = recordsOf(file, lines.slice(1), names, { separator, isMissing, patterns });
  const rows = records.filter((row) => row.cells.size && !isComment(row));
  const commas = separator !== "," && hasDecimalCommas(rows, patterns);
  if (commas) rows.forEach((row) => writePoints(row, patterns));
  rows.forEach((row) => complete(row, names, patterns));
  return { rows, columns: new Map(names.map((name, i) => [name, written[i]]).filter(([name]) => name)), commas };
}

// The header line and all following lines; the header may begin with # (IGNORE=# of NONMEM).
function header(lines, tables) {
  const isSkipped = (line) => tables.comments.some((start) => line.startsWith(start));
  const start = lines.findIndex(([, line]) => !isSkipped(line));
  const first = start < 0 ? lines.length : start;
  const left = lines.slice(first).filter(([, line]) => !isSkipped(line));
  const namesColumns = (line) => {
    const names = split(line, separatorOf(line, tables)).map((word) => nameOf(word, tables));
    return names.includes("TIME") && names.includes("AMT");
  };
  if (left.length && !namesColumns(left[0][1])) {
    const before = lines.slice(0, first).findLast(([, line]) => namesColumns(line.replace(/^#+/, "")));
    if (before) return [before[1].replace(/^#+/, "").trim(), [before, ...left]];
  }
  return [left[0]?.[1] ?? "", left];
}

const separatorOf = (line, { separators }) => separators.find((one) => line.includes(one)) ?? null;

function recordsOf(file, lines, names, { separator, isMissing, patterns }) {
  const found = [];
  for (const [number, line] of lines) {
    const words = split(line, separator);
    if (words.length !== names.length) {
      if (names[0] === "C" && /^\p{L}+$/u.test(words[0])) continue; // a comment may have any length
      const commas = separator === "," && words.length > names.length;
      const more = commas ? "; numbers with a decimal comma need semicolons between the columns" : "";
      const expected = `one cell a column, . where it is missing${more}`;
      throw fileError(file, number, `${words.length} cells under ${names.length} columns`, { expected });
    }
    const cells = names.map((name, i) => [name, words[i]]).filter(([name, word]) => name && !isMissing(word));
    found.push(new Row(file, number, new Map(cells), patterns));
  }
  return found;
}

function isComment(row) {
  const mark = row.text("C");
  if (!/\d/.test(mark)) return Boolean(mark);
  const expected = "a C in records to leave out, . in others; concentrations in a column DV";
  throw row.error(`C of ${mark}: a column C holds marks of comments`, "C", expected);
}

function hasDecimalCommas(rows, { thousands, comma, point }) {
  const found = new Map();
  for (const row of rows) {
    for (const [name, word] of row.cells) {
      const kind = [thousands, comma, point].find((one) => one.test(word));
      if (kind && name !== "ID" && !found.has(kind)) found.set(kind, [row, name]);
    }
  }
  const commas = found.get(comma) ?? found.get(thousands);
  if (!commas) return false;
  const [row, name] = commas;
  const word = row.text(name);
  if (found.has(point)) {
    const [other, column] = found.get(point);
    const what = `a comma in '${word}' and a point in '${other.text(column)}' (line ${other.line})`;
    throw row.error(what, name, "one decimal mark in the whole table, and none between thousands");
  }
  if (found.has(comma)) return true;
  const expected = `${word.replaceAll(",", "")}, or ${word.replaceAll(",", ".")} with a decimal point`;
  throw row.error(`'${word}' may be a thousand or a number with a decimal comma`, name, expected);
}

function writePoints(row, { comma }) {
  for (const [name, word] of row.cells) {
    if (name !== "ID" && comma.test(word)) row.cells.set(name, word.replaceAll(",", "."));
  }
}

function complete(row, names, { printed }) {
  for (const [column, what] of [["TIME", "a record without a time"], ["ID", "a record without an ID"]]) {
    if (!names.includes(column) || row.has(column)) continue;
    throw row.error(what, column, `${column} in every record, or a C in a column C for a comment`);
  }
  const id = row.text("ID");
  if (printed.test(id) && Number.isInteger(Number(id))) row.cells.set("ID", String(Number(id)));
}

// The cells of a line; a cell in quotation marks may hold the separator.
function split(line, separator) {
  if (!separator) return line.trim().split(/\s+/);
  const cell = new RegExp(` *(?:"((?:[^"]|"")*)"([^${separator}]*)|([^${separator}]*))(${separator}|$)`, "y");
  const words = [];
  while (cell.lastIndex <= line.length) {
    const [, inside, after, plain, end] = cell.exec(line) ?? [, line.slice(cell.lastIndex), "", undefined, ""];
    words.push((plain ?? inside.replaceAll('""', '"') + after).trim());
    if (!end) break;
  }
  return words;
}

function nameOf(word, { aliases }) {
  const name = word.trim().replace(/^"+|"+$/g, "").toUpperCase();
  return aliases[name] ?? name;
}

// Each synonym of a column that no other column means is replaced.
function withSynonyms(names, synonyms) {
  const found = [...names];
  names.forEach((name, i) => {
    if (!found.includes(synonyms[name] ?? name)) found[i] = synonyms[name] ?? name;
  });
  return found;
}

function refuseHeader(names, file, line) {
  const doubled = names.find((name, i) => name && names.indexOf(name) < i);
  if (doubled) throw fileError(file, line, `two columns mean ${doubled}`, { key: doubled, expected: "one of them" });
  const missing = ["TIME", "AMT"].find((name) => !names.includes(name));
  if (!missing) return;
  const why = missing === "AMT" ? " (0 where nothing is given)" : "";
  const expected = `ID,TIME,AMT,...${why}; the columns of this file are ${names.filter(Boolean).join(", ")}`;
  throw fileError(file, line, `no column ${missing}`, { key: missing, expected });
}
