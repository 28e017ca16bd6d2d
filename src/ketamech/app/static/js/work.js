// A job on the page: its progress, a way to stop it, and what to do when it fails. The case stays as it is.

import { get, job } from "./api.js";
import { download, make } from "./dom.js";

// Shows progress in `place` and gives the result to `show`.
export async function runJob(path, body, place, show, button) {
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const words = make("p", { role: "status", text: "Waiting for its turn …" });
  const began = performance.now();
  const work = job(path, body, (now) => {
    bar.value = now.progress;
    const gone = (performance.now() - began) / 1000, left = now.progress > 0.08 ? (gone / now.progress) * (1 - now.progress) : 0;
    words.textContent = now.state === "waiting" ? "Waiting for its turn …" : `${now.message || "Working"}${left > 1.5 ? `; about ${Math.ceil(left)} s left` : ""}`;
  });
  const stop = make("button", { type: "button", onclick: () => { stop.disabled = true; work.cancel(); }, text: "Cancel" });
  place.replaceChildren(make("div", { class: "working" }, bar, stop, words));
  if (button) button.disabled = true;
  try {
    const result = await work.done;
    if (result === null) place.replaceChildren(make("div", { class: "nothing" }, make("p", { text: "Cancelled. What you set is still there." })));
    else { place.replaceChildren(); show(result); }
  } catch (error) {
    const keep = error.job && make("button", { type: "button", text: "Save the report of what failed", onclick: async () => download(JSON.stringify(await get(`/api/jobs/${error.job}/failure`), null, 1), "ketamech-failure.json", "application/json") });
    place.replaceChildren(make("div", { class: "trouble", role: "alert" }, make("p", { text: error.text ?? error.message }), keep));
  }
  if (button) button.disabled = false;
}
