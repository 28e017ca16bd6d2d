// On a static site, what a server would send is read from files written by Python.

export const isStaticSite = "static" in document.documentElement.dataset;

const STORE_AFTER = 5000; // ms
const MOST_VALUES = 100; // of a filter of the evidence table
export const NOT_LOADED = "The program could not be loaded. Reload the page.";

// What a static site says in place of what needs the installed program.
export const needsProgram = (what) => `${what} the installed program. In a copy of its repository, with Python 3.11 to 3.13, type in a terminal: make app, and open the address that it prints.`;

const files = new Map(); // promises of JSON files by name

// The content of a JSON file beside the page; throws { body } with the text of an error.
function getFile(name) {
  if (!files.has(name)) files.set(name, load(name));
  return files.get(name);
}

async function load(name) {
  try {
    const response = await fetch(name);
    if (response.ok) return await response.json();
  } catch {
    // reported below
  }
  files.delete(name);
  throw { body: { error: NOT_LOADED, text: NOT_LOADED } };
}

// The answer to GET `path`, e.g. /api/evidence?ids=a,b.
export async function answerGet(path) {
  const [address, query] = path.split("?");
  if (address === "/api/evidence") return evidence(await getFile("api/evidence.json"), new URLSearchParams(query));
  const [, claim] = /^\/api\/claims\/(.+)$/.exec(address) ?? [];
  if (claim) return (await getFile("api/claim-results.json"))[decodeURIComponent(claim)];
  return getFile(`${address.slice(1)}.json`);
}

const FILTERS = ["species", "drug", "use", "reading_source"];
const SEARCHED = "id stage quantity species population drug dose route time comparator locator notes citation".split(" ");

// A page of rows, and their number by value of each filter among those that the other filters choose.
function evidence(rows, query) {
  const ids = query.get("ids")?.split(",");
  if (ids) {
    const chosen = ids.flatMap((id) => rows.filter((row) => row.id === id));
    return { total: chosen.length, rows: chosen };
  }
  const [stage, text] = [query.get("stage"), query.get("text")?.toLowerCase()];
  const contains = (row) => SEARCHED.map((name) => row[name]).join(" ").toLowerCase().includes(text);
  const listed = rows.filter((row) => (!stage || row.stage === stage) && (!text || contains(row)));
  const valuesOf = (row, name) => (name === "drug" ? row.compounds : [row[name]]);
  const chosen = (names) => listed.filter((row) => names.every((name) => !query.get(name) || valuesOf(row, name).includes(query.get(name))));
  const countsOf = (name) => {
    const values = chosen(FILTERS.filter((other) => other !== name)).flatMap((row) => valuesOf(row, name));
    const groups = [...Map.groupBy(values, (value) => value)];
    const sizes = groups.map(([value, { length }]) => [value, length]).sort((a, b) => b[1] - a[1]);
    return Object.fromEntries(sizes.slice(0, MOST_VALUES));
  };
  const found = chosen(FILTERS);
  const first = Number(query.get("first") ?? 0);
  const page = found.slice(first, first + Number(query.get("limit") ?? found.length));
  return { total: found.length, first, rows: page, counts: Object.fromEntries(FILTERS.map((name) => [name, countsOf(name)])) };
}

// Stores the page for use without a connection, once the first figures are drawn.
export function storeForOfflineUse() {
  if (!isStaticSite || !("serviceWorker" in navigator)) return;
  setTimeout(() => navigator.serviceWorker.register("service-worker.js").catch(() => {}), STORE_AFTER);
}
