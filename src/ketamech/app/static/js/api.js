// Requests: simulations to the workers of the browser where the page has them, everything else to the server or, on a
// static site, to its files; long computations. A lost connection is reported once and tried again until it returns.

import { answerPost, isAnsweredHere } from "./browser-kernel.js";
import { button, download, element, emptyState, paragraph, showFieldError } from "./dom.js";
import { answerGet, isStaticSite } from "./static-site.js";

export class ServerError extends Error {
  constructor(response, status) {
    super(response.text ?? response.error ?? "The request failed.");
    Object.assign(this, response, { status });
  }
}

const NO_RESPONSE = "The server does not respond. The request is repeated when the connection returns.";
export const errorMessage = (error) => (error instanceof ServerError ? error.message : NO_RESPONSE);

const listeners = new Set();
let lost = false;
let losses = 0;

export const onConnectionChange = (listener) => listeners.add(listener);

function setConnected(connected) {
  if (connected === !lost) return;
  lost = !connected;
  if (lost) losses += 1;
  for (const listener of listeners) listener(connected);
  if (lost) reconnect(500);
}

function reconnect(milliseconds) {
  setTimeout(async () => {
    try {
      await fetch(relative("/api/metadata"), { cache: "no-store" });
      setConnected(true);
    } catch {
      reconnect(Math.min(milliseconds * 1.5, 4000));
    }
  }, milliseconds);
}

// The pages are at the root of the server or of a static site.
const relative = (path) => path.replace(/^\//, "");

async function send(path, request) {
  const lossesBefore = losses;
  let response;
  try {
    response = await fetch(relative(path), request);
  } catch (error) {
    if (error.name !== "AbortError") setConnected(false);
    throw error;
  }
  if (losses === lossesBefore) setConnected(true); // a late response to a request sent before the loss proves nothing
  if (response.ok) return response;
  let body = { error: `The server answered with status ${response.status}.` };
  try {
    body = await response.json();
  } catch {
    // not JSON: the status is all there is
  }
  throw new ServerError(body, response.status);
}

export async function getJson(path) {
  if (!isStaticSite) return (await send(path, path === "/api/jobs" ? { headers: ownHeader() } : {})).json();
  try {
    return await answerGet(path);
  } catch (error) {
    throw error.body ? new ServerError(error.body, 422) : error;
  }
}

// The answer of this browser, or of the server where the browser has none or refuses: the server reads more and
// suggests more.
export async function postJson(path, body) {
  const { found, error } = isAnsweredHere(path) ? await answerPost(path, body) : {};
  if (found) return found;
  if (error && isStaticSite) throw new ServerError(error, 422);
  try {
    return await (await post(path, body)).json();
  } catch (problem) {
    throw error && !(problem instanceof ServerError) ? new ServerError(error, 422) : problem;
  }
}

// { content, fileName } of a file that the server or, without one, this browser writes.
export async function fetchFile(path, body, fileName) {
  if (isAnsweredHere(path)) return { content: (await postJson(path, body)).text, fileName };
  const response = await post(path, body);
  const given = response.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1];
  return { content: await response.blob(), fileName: given ?? fileName };
}

export const sendDelete = (path) => send(path, { method: "DELETE" });

const BROWSER_KEY = "ketamech.browser";
let browserNumber = "";

// A number of this browser, by which the server lists its jobs only.
function ownHeader() {
  try {
    browserNumber ||= localStorage.getItem(BROWSER_KEY) ?? "";
    browserNumber ||= [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("");
    localStorage.setItem(BROWSER_KEY, browserNumber);
  } catch {
    // no storage: the number lasts as long as the page
  }
  return { "x-browser": browserNumber };
}

function post(path, body) {
  const headers = { "content-type": "application/json", ...(path.startsWith("/api/jobs/") ? ownHeader() : {}) };
  return send(path, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
}

// Runs one task at a time; of the calls that arrive meanwhile only the last one is run. `task` may ask whether a newer
// call waits.
export class LatestTask {
  constructor(task) {
    Object.assign(this, { task, waiting: false, busy: false });
  }

  async run() {
    this.waiting = true;
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      this.waiting = false;
      try {
        await this.task(() => this.waiting);
      } catch (error) {
        if (!(error instanceof TypeError)) console.error(error); // a TypeError of fetch: the connection is lost
      }
    }
    this.busy = false;
  }
}

// Jobs: start, progress, cancel, result, failure.

const ENDED = ["done", "failed", "cancelled"];
const UNKNOWN_JOB = "The server no longer knows this job: it was restarted. Your settings are unchanged; run the job again.";

// On a static site: the answer of this browser, or the file of what the server would compute.
function jobOfSite(path, body, progress) {
  progress({ state: "running", progress: 0 });
  const result = isAnsweredHere(path) ? postJson(path, body) : getJson(path.replace("/jobs", ""));
  let cancel;
  const cancelled = new Promise((resolve) => {
    cancel = () => resolve(null);
  });
  return { done: Promise.race([result.then((found) => ({ result: found })), cancelled]), cancel };
}

// Returns { done, cancel }: `done` is a promise of the job with its result, null when cancelled; `progress` gets every
// state.
function startJob(path, body, progress) {
  if (isStaticSite) return jobOfSite(path, body, progress);
  let id = null;
  let isCancelled = false;
  const cancel = async () => {
    isCancelled = true;
    if (id) await sendDelete(`/api/jobs/${id}`).catch(() => {});
  };
  const run = async () => {
    const first = await postJson(path, body);
    id = first.id;
    if (isCancelled) await cancel();
    progress(first);
    const last = await lastState(id, progress);
    if (last.state === "failed") throw Object.assign(new ServerError(last.error, 422), { job: id });
    return last.state === "cancelled" ? null : getJson(`/api/jobs/${id}`);
  };
  return { done: run(), cancel };
}

function lastState(id, progress) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(relative(`/api/jobs/${id}/events`));
    events.onmessage = (message) => {
      const state = JSON.parse(message.data);
      progress(state);
      if (!ENDED.includes(state.state)) return;
      events.close();
      resolve(state);
    };
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) reject(new ServerError({ error: UNKNOWN_JOB }, 0));
      else setConnected(false);
    };
  });
}

// Runs a job with its progress in `place` and gives the result and the job to `show`. `fields` (key -> input) get the
// errors about them; `started` is called when the job has begun and when it has ended. Returns whether there is a result.
export async function runJob(path, body, { place, show, submit, started, fields = {} }) {
  for (const input of Object.values(fields)) showFieldError(input, "");
  if (submit) submit.disabled = true;
  const { node, progress, cancelButton } = progressBar();
  let hasBegun = false;
  const job = startJob(path, body, (state) => {
    if (!hasBegun) started?.();
    hasBegun = true;
    progress(state);
  });
  cancelButton.addEventListener("click", () => {
    cancelButton.disabled = true;
    job.cancel();
  });
  place.replaceChildren(node);
  let ended = null;
  try {
    ended = await job.done;
    place.replaceChildren(...(ended === null ? [emptyState("Cancelled. Your settings are unchanged.")] : []));
    if (ended !== null) show(ended.result, ended);
  } catch (error) {
    place.replaceChildren(failureBox(error, fields));
  }
  if (submit) submit.disabled = false;
  started?.();
  return ended !== null;
}

function progressBar() {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const text = element("p", { role: "status", text: "Waiting …" });
  const cancelButton = button("Cancel");
  const startedAt = performance.now();
  const progress = (state) => {
    bar.value = state.progress;
    const seconds = (performance.now() - startedAt) / 1000;
    const left = state.progress > 0.08 ? (seconds / state.progress) * (1 - state.progress) : 0;
    const remaining = left > 1.5 ? `; about ${Math.ceil(left)} s left` : "";
    text.textContent = state.state === "waiting" ? "Waiting …" : `${state.message || "Computing"}${remaining}`;
  };
  return { node: element("div", { class: "job-progress" }, bar, cancelButton, text), progress, cancelButton };
}

function failureBox(error, fields) {
  const input = error instanceof ServerError && fields[(error.key ?? "").split(/[.[]/)[0]];
  if (input) {
    showFieldError(input, error.message);
    input.focus();
  }
  const text = input ? "Not started: see the error at its field." : errorMessage(error);
  const box = element("div", { class: "error-box", role: "alert" }, paragraph(text));
  if (error.job) {
    const explanation = "Your settings are unchanged. The report holds the request and the error.";
    box.append(
      paragraph(explanation),
      button("Save failure report", () => saveReport(error.job)),
    );
  }
  return box;
}

async function saveReport(id) {
  const report = await getJson(`/api/jobs/${id}/failure`);
  download(JSON.stringify(report, null, 1), "ketamech-failure.json", "application/json");
}
