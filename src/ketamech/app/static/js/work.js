// A job on the page: its progress, a way to stop it, and what to do when it fails. The case stays as it is.

import { get, job, Problem, unanswered } from "./api.js";
import { download, fresh, make } from "./dom.js";

// Shows progress in `place` and gives the result to `show`. What is wrong with a field of `fields` (key -> input) is
// said beside it. Whether it went well.
export async function runJob(path, body, place, show, button, fields = {}) {
  for (const input of Object.values(fields)) mend(input);
  let fine = true;
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
    fine = result !== null;
    if (!fine) place.replaceChildren(make("div", { class: "nothing" }, make("p", { text: "Cancelled. What you set is still there." })));
    else { place.replaceChildren(); show(result); }
  } catch (error) {
    fine = false;
    const field = error instanceof Problem && fields[(error.key ?? "").split(/[.[]/)[0]];
    if (field) { complainAt(field, error.text ?? error.message); field.focus(); }
    const keep = error.job && make("button", { type: "button", text: "Save the report of what failed", onclick: async () => download(JSON.stringify(await get(`/api/jobs/${error.job}/failure`), null, 1), "ketamech-failure.json", "application/json") });
    place.replaceChildren(make("div", { class: "trouble", role: "alert" }, make("p", { text: field ? "Not started: the complaint stands at its field." : unanswered(error) }), keep && make("p", { text: "What you set is kept as it is. The report holds what was asked and how it failed." }), keep));
  }
  if (button) button.disabled = false;
  return fine;
}

function mend(input) {
  input.removeAttribute("aria-invalid");
  const spot = input.closest(".field")?.querySelector(".complaint");
  if (spot) spot.textContent = "";
}

function complainAt(input, words) {
  const spot = input.closest(".field").querySelector(".complaint") ?? input.closest(".field").appendChild(make("p", { class: "complaint", id: fresh("complaint"), role: "alert" }));
  spot.textContent = words;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", [...new Set([...(input.getAttribute("aria-describedby") ?? "").split(" "), spot.id])].filter(Boolean).join(" "));
}
