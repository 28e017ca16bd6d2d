// On a static site, requests are answered from files written by Python and by workers that run the compiled model, with
// the responses of the server.

export const isStaticSite = document.documentElement.dataset.answers === "browser";

const STORE_AFTER = 5000; // ms
const NOT_LOADED = "A file of this page could not be loaded. Check the connection and try again.";
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

// Requests of the worker, by path. A population has its own worker, so that a curve never waits for it.
const QUESTIONS = {
  "/api/curves": ["curves", "typical patient"],
  "/api/outputs": ["outputs", "typical patient"],
  "/api/published-values": ["publishedValues", "typical patient"],
  "/api/population": ["population", "virtual patients"],
};
const waiting = new Map(); // { resolve, reject } by number of the request
let requests = 0;
const workers = new Map();
if (isStaticSite) workers.set("typical patient", startWorker()); // its files load beside those of the page

export function answerPost(path, body) {
  const [name, title] = QUESTIONS[path];
  if (!workers.has(title)) workers.set(title, startWorker());
  const id = ++requests;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    workers.get(title).postMessage({ id, name, body });
  });
}

function startWorker() {
  const worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data: { id, found, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject({ body: error });
    else resolve(found);
  };
  worker.onerror = () => {
    for (const { reject } of waiting.values()) reject({ body: { error: NOT_LOADED, text: NOT_LOADED } });
    waiting.clear();
  };
  return worker;
}

// Stores the page for use without a connection, once the first figures are drawn.
export function storeForOfflineUse() {
  if (!isStaticSite || !("serviceWorker" in navigator)) return;
  setTimeout(() => navigator.serviceWorker.register("service-worker.js").catch(() => {}), STORE_AFTER);
}
