// Simulations by workers that run the compiled model in this browser, with the responses of the server.

import { isStaticSite, NOT_LOADED } from "./static-site.js";

// Requests of the worker, by path. A population has its own worker, so that a curve never waits for it.
const QUESTIONS = {
  "/api/curves": ["curves", "typical patient"],
  "/api/outputs": ["outputs", "typical patient"],
  "/api/published-values": ["publishedValues", "typical patient"],
  "/api/population": ["population", "virtual patients"],
  "/api/scenario/read": ["scenarioOfFile", "typical patient"],
  "/api/scenario/dose-table": ["doseTable", "typical patient"],
  // A server writes more into these.
  ...(isStaticSite && {
    "/api/scenario/check": ["check", "typical patient"],
    "/api/export/csv": ["csv", "typical patient"],
    "/api/jobs/attribution": ["attribution", "virtual patients"],
  }),
};
const waiting = new Map(); // { resolve, reject } by number of the request
const workers = new Map();
let requests = 0;
let isUsed = document.documentElement.dataset.answers === "browser";
if (isUsed) startWorker("typical patient"); // its files load beside those of the page

// Whether a request is answered in this browser.
export const isAnsweredHere = (path) => isUsed && Object.hasOwn(QUESTIONS, path);

// The answer of a worker: { found }, or { error } with its texts. Empty where the model cannot be loaded (it is not
// installed, or the browser is too old) and there is a server to ask; without a server such an error is `isUnavailable`.
export async function answerPost(path, body) {
  const [name, title] = QUESTIONS[path];
  if (!workers.has(title)) startWorker(title);
  const id = ++requests;
  const { found, error, unavailable } = await new Promise((resolve) => {
    waiting.set(id, resolve);
    workers.get(title).postMessage({ id, name, body });
  });
  if (unavailable && !isStaticSite) {
    isUsed = unavailable === "network"; // with the connection back, the files can be loaded
    return {};
  }
  return { found, error: error && { ...error, isUnavailable: Boolean(unavailable) } };
}

function startWorker(title) {
  const worker = new Worker(new URL("../engine/worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  };
  worker.onerror = () => {
    workers.delete(title); // the next request starts another one
    const error = { error: NOT_LOADED, text: NOT_LOADED };
    for (const resolve of waiting.values()) resolve({ error, unavailable: "worker" });
    waiting.clear();
  };
  workers.set(title, worker);
}
