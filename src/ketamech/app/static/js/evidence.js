// Badges in the text and the dialog they open: a claim with its verdict, or rows of evidence with their papers.

import { get, Problem } from "./api.js";
import { all, find, make } from "./dom.js";
import { number } from "./words.js";

const VERDICTS = {
  supported: ["✓", "supported"], mixed: ["~", "mixed"], contradicted: ["✕", "contradicted"], "not supported": ["?", "not supported"],
};
let claims = null;

export async function dressBadges() {
  try { claims = await get("/api/claims"); } catch { claims = { present: false, claims: {} }; }
  for (const badge of all("[data-claim], [data-rows]")) dressBadge(badge);
}

// A badge for a claim or for rows, wherever it stands.
export function badgeFor(given) {
  const badge = make("button", { type: "button", "data-claim": given.claim, "data-stage": given.stage, "data-rows": given.rows, text: "evidence" });
  if (claims) dressBadge(badge);
  return badge;
}

function dressBadge(badge) {
  if (badge.dataset.rows) {
    const ids = badge.dataset.rows.split(",");
    badge.className = "badge";
    badge.textContent = `⊙ ${ids.length} ${ids.length === 1 ? "number" : "numbers"}`;
    badge.setAttribute("aria-haspopup", "dialog");
    badge.setAttribute("aria-label", `${ids.length} published numbers behind this. Open the evidence`);
    badge.addEventListener("click", () => openRows(ids, "What was measured"));
  } else {
    const claim = claims.claims[badge.dataset.claim];
    const [sign, word] = claim ? VERDICTS[claim.verdict] ?? ["?", claim.verdict] : ["⊙", "evidence"];
    badge.className = `badge ${(claim?.verdict ?? "").replace(" ", "-")}`;
    badge.textContent = `${sign} ${word}`;
    badge.setAttribute("aria-haspopup", "dialog");
    badge.setAttribute("aria-label", claim ? `${word}: ${claim.claim}. Open the evidence` : `Open the evidence: ${badge.dataset.stage}`);
    badge.addEventListener("click", () => (claim ? openClaim(claim) : openStage(badge.dataset.stage)));
  }
}

export function dialog(title, inside) {
  const window = find("#evidence") ?? document.body.appendChild(make("dialog", { id: "evidence", "aria-labelledby": "evidence-title" }));
  const close = make("button", { type: "button", onclick: () => window.close(), text: "Close" });
  window.replaceChildren(make("header", {}, make("h2", { id: "evidence-title", text: title }), close), make("div", { class: "inside", tabindex: "0" }, inside));
  window.onclick = (event) => { if (event.target === window) window.close(); };
  if (!window.open) window.showModal();
  close.focus();
  return window;
}

function openClaim(claim) {
  const part = (title, rows) => (rows.length ? [make("h3", { text: `${title} (${rows.length})` }), make("ul", { class: "papers" }, rows.map(paper))] : []);
  const model = make("div", {}, make("p", { class: "loading", text: "Running the experiment in the model …" }));
  dialog(claim.claim, [
    make("p", {}, make("span", { class: `badge ${claim.verdict.replace(" ", "-")}`, text: (VERDICTS[claim.verdict] ?? ["?", claim.verdict]).join(" ") }), ` How it was reached: ${claim.why}. Met in: ${claim.met}.`),
    claim.note && make("p", { text: claim.note }),
    make("h3", { text: "In the model" }), model,
    ...part("Evidence for", claim.pro), ...part("Evidence against", claim.con),
  ]);
  get(`/api/claims/${encodeURIComponent(claim.id)}`).then((found) => model.replaceChildren(
    make("ul", {}, found.lines.map((line) => make("li", {}, make("strong", { text: line.passed ? "Yes: " : "No: " }), `${line.says} (${number(line.value)}${line.unit === "1" ? "" : ` ${line.unit}`})`))),
    make("p", { class: "quiet", text: `${{ agrees: "The model agrees with the verdict.", differs: "The model disagrees with the verdict: one of its misses.", open: "The evidence is mixed, so the model cannot be right or wrong here." }[found.agreement] ?? found.agreement} The verdict rests on evidence alone; it stays the same under ${found.steady} of ${found.tried} other ways to weigh it.` })),
  (error) => model.replaceChildren(make("p", { class: "quiet", text: error.message })));
}

const openStage = (stage) => open(`Evidence: ${stage}`, `/api/evidence?stage=${encodeURIComponent(stage)}`);
export const openRows = (ids, title) => open(title, `/api/evidence?ids=${encodeURIComponent(ids.join(","))}`);

async function open(title, path) {
  dialog(title, make("p", { class: "loading", text: "Looking up …" }));
  try {
    const found = await get(path);
    const more = found.total > found.rows.length ? ` The first ${found.rows.length} are shown.` : "";
    dialog(title, [make("p", { class: "quiet", text: `${found.total} published ${found.total === 1 ? "number" : "numbers"}.${more}` }), make("ul", { class: "papers" }, found.rows.map(paper))]);
  } catch (error) {
    dialog(title, make("p", { class: "trouble", text: error instanceof Problem ? error.message : "The program does not answer. Close this and try again when it does." }));
  }
}

function paper(row) {
  const given = [row.drug, row.dose, row.route].filter(Boolean).join(" ");
  const whom = [row.species, row.population, row.n && `n = ${row.n}`].filter(Boolean).join(", ");
  const how = { transcription: "read from a secondary copy", recalled: "recalled, not confirmed" }[row.read_as];
  return make("li", {},
    make("div", {}, row.strength && make("span", { class: "strength", text: `${row.strength}. ` }), make("strong", { text: `${row.value} ${row.unit}`.trim() }), row.spread && ` (${row.spread})`, ` ${row.quantity}${row.time ? `, ${row.time}` : ""}`),
    row.says && make("div", { text: row.says }),
    make("div", { class: "quiet", text: [whom, given, row.comparator && `against ${row.comparator}`, how].filter(Boolean).join(" · ") }),
    make("div", {}, row.url ? make("a", { href: row.url, rel: "noreferrer noopener", target: "_blank", text: row.citation }) : row.citation));
}
