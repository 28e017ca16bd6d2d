// On a static site, what a server would send is read from files written by Python.

const { answers, server } = document.documentElement.dataset;
export const isStaticSite = answers === "browser" && server === undefined;

const STORE_AFTER = 5000; // ms
export const NOT_LOADED = "A file of this page could not be loaded. Check the connection and try again.";
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

function evidence(rows, query) {
  const ids = query.get("ids")?.split(",");
  const [stage, text] = [query.get("stage"), query.get("text")?.toLowerCase()];
  const contains = (row) => Object.values(row).some((value) => String(value).toLowerCase().includes(text));
  const isChosen = (row) => (!stage || row.stage === stage) && (!text || contains(row));
  const found = ids ? ids.flatMap((id) => rows.filter((row) => row.id === id)) : rows.filter(isChosen);
  return { total: found.length, rows: found };
}

// Stores the page for use without a connection, once the first figures are drawn.
export function storeForOfflineUse() {
  if (!isStaticSite || !("serviceWorker" in navigator)) return;
  setTimeout(() => navigator.serviceWorker.register("service-worker.js").catch(() => {}), STORE_AFTER);
}
