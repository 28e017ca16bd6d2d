// A long computation on the server: start, progress, cancel, result, failure.

import { deleteJson, errorMessage, getJson, postJson, ServerError, setConnected } from "./api.js";
import { download, element, showFieldError } from "./dom.js";

const ENDED = ["done", "failed", "cancelled"];
const UNKNOWN_JOB = "The server no longer knows this job: it was restarted. All settings are kept; run the job again.";

// Returns { done, cancel }: `done` is a promise of the result, null when cancelled; `progress` gets every state.
export function startJob(path, body, progress) {
  let number = null;
  let isCancelled = false;
  const cancel = async () => {
    isCancelled = true;
    if (number) await deleteJson(`/api/jobs/${number}`).catch(() => {});
  };
  const run = async () => {
    const first = await postJson(path, body);
    number = first.id;
    if (isCancelled) await cancel();
    progress(first);
    const last = await lastState(number, progress);
    if (last.state === "failed") throw Object.assign(new ServerError(last.problem, 422), { job: number });
    return last.state === "cancelled" ? null : (await getJson(`/api/jobs/${number}`)).result;
  };
  return { done: run(), cancel };
}

function lastState(number, progress) {
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/jobs/${number}/events`);
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

// Runs a job with its progress in `place` and gives the result to `show`. `fields` (key -> input) get the errors about
// them. Returns whether there is a result.
export async function runJob(path, body, { place, show, button, fields = {} }) {
  for (const input of Object.values(fields)) showFieldError(input, "");
  if (button) button.disabled = true;
  const { node, progress, cancelButton } = progressBar();
  const job = startJob(path, body, progress);
  cancelButton.addEventListener("click", () => {
    cancelButton.disabled = true;
    job.cancel();
  });
  place.replaceChildren(node);
  let result = null;
  try {
    result = await job.done;
    const cancelled = element("p", { text: "Cancelled. All settings are kept." });
    place.replaceChildren(...(result === null ? [element("div", { class: "empty-state" }, cancelled)] : []));
    if (result !== null) show(result);
  } catch (error) {
    place.replaceChildren(failureBox(error, fields));
  }
  if (button) button.disabled = false;
  return result !== null;
}

function progressBar() {
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const text = element("p", { role: "status", text: "Waiting …" });
  const cancelButton = element("button", { type: "button", text: "Cancel" });
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
  const box = element("div", { class: "error-box", role: "alert" });
  box.append(element("p", { text: input ? "Not started: see the error at its field." : errorMessage(error) }));
  if (error.job) {
    const save = element("button", {
      type: "button",
      text: "Save failure report",
      onclick: () => saveReport(error.job),
    });
    box.append(element("p", { text: "All settings are kept. The report holds the request and the error." }), save);
  }
  return box;
}

async function saveReport(number) {
  const report = await getJson(`/api/jobs/${number}/failure`);
  download(JSON.stringify(report, null, 1), "ketamech-failure.json", "application/json");
}
