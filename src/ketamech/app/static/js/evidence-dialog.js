// Badges in the text and the dialog they open: a claim with its verdict, or evidence rows with their sources.

import { errorMessage, getJson } from "./api.js";
import { element, find, findAll } from "./dom.js";
import { formatNumber } from "./format.js";

const VERDICT_SYMBOLS = { supported: "✓", mixed: "~", contradicted: "✕", "not supported": "?" };
const AGREEMENT = {
  agrees: "The model agrees with the verdict.",
  differs: "The model disagrees with the verdict.",
  open: "The evidence is mixed; the model can neither agree nor disagree.",
};
let claims = null;

export async function loadBadges() {
  try {
    claims = (await getJson("/api/claims")).claims;
  } catch {
    claims = {};
  }
  findAll("[data-claim], [data-evidence]").forEach(fillBadge);
}

// Badges made by a script: of claims, or of evidence rows where there is no claim.
export function evidenceBadges({ claims: ids, evidence }) {
  const badges = ids.map((id) => element("button", { type: "button", "data-claim": id, text: "evidence" }));
  const rows = { type: "button", "data-evidence": evidence.join(","), text: "evidence" };
  if (!ids.length && evidence.length) badges.push(element("button", rows));
  if (claims) badges.forEach(fillBadge);
  return badges;
}

const badgeClass = (verdict) => `badge ${verdict.replace(" ", "-")}`;
const verdictText = (verdict) => `${VERDICT_SYMBOLS[verdict] ?? "?"} ${verdict}`;

function fillBadge(badge) {
  const { claim: id, evidence, stage } = badge.dataset;
  const claim = claims[id];
  const set = (className, text, label, open) => {
    badge.className = className;
    badge.textContent = text;
    badge.setAttribute("aria-haspopup", "dialog");
    badge.setAttribute("aria-label", label);
    badge.addEventListener("click", open);
  };
  if (evidence) {
    const ids = evidence.split(",");
    const text = `⊙ ${ids.length} ${ids.length === 1 ? "published value" : "published values"}`;
    const label = `${ids.length} published values for this statement. Open the evidence`;
    set("badge", text, label, () => openEvidence(ids, "Published values"));
  } else if (claim) {
    const label = `${claim.verdict}: ${claim.claim}. Open the evidence`;
    set(badgeClass(claim.verdict), verdictText(claim.verdict), label, () => openClaim(claim));
  } else {
    const query = stage ? `stage=${encodeURIComponent(stage)}` : `text=${encodeURIComponent(id)}`;
    const title = `Evidence: ${stage ?? id}`;
    set("badge", "⊙ evidence", title, () => openList(title, `/api/evidence?${query}`));
  }
}

export function openDialog(title, content) {
  const attributes = { id: "evidence", "aria-labelledby": "evidence-title" };
  const dialog = find("#evidence") ?? document.body.appendChild(element("dialog", attributes));
  const close = element("button", { type: "button", onclick: () => dialog.close(), text: "Close" });
  dialog.replaceChildren(
    element("header", {}, element("h2", { id: "evidence-title", text: title }), close),
    element("div", { class: "dialog-content", tabindex: "0" }, content),
  );
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  if (!dialog.open) dialog.showModal();
  close.focus();
}

function openClaim(claim) {
  const list = (title, rows) =>
    rows.length
      ? [
          element("h3", { text: `${title} (${rows.length})` }),
          element("ul", { class: "evidence-list" }, rows.map(listItem)),
        ]
      : [];
  const inModel = element("div", {}, element("p", { class: "loading", text: "Simulating the experiment …" }));
  const badge = element("span", { class: badgeClass(claim.verdict), text: verdictText(claim.verdict) });
  openDialog(claim.claim, [
    element("p", {}, badge, ` Basis of the verdict: ${claim.why}. The claim appears in: ${claim.encountered_as}.`),
    claim.note && element("p", { text: claim.note }),
    element("h3", { text: "Model result" }),
    inModel,
    ...list("Evidence for", claim.evidence_for),
    ...list("Evidence against", claim.evidence_against),
  ]);
  getJson(`/api/claims/${encodeURIComponent(claim.id)}`).then(
    (result) => inModel.replaceChildren(...modelResult(result)),
    (error) => inModel.replaceChildren(element("p", { class: "secondary", text: errorMessage(error) })),
  );
}

function modelResult(result) {
  const unit = (line) => (line.unit === "1" ? "" : ` ${line.unit}`);
  const item = (line) => {
    const value = ` (${formatNumber(line.value)}${unit(line)})`;
    return element("li", {}, element("strong", { text: line.passed ? "Yes: " : "No: " }), `${line.says}${value}`);
  };
  const agreement = AGREEMENT[result.agreement] ?? result.agreement;
  const robustness = `It is the same under ${result.steady} of ${result.tried} alternative weighting rules.`;
  const text = `${agreement} The verdict is based on evidence alone. ${robustness}`;
  return [element("ul", {}, result.lines.map(item)), element("p", { class: "secondary", text })];
}

export const openEvidence = (ids, title) => openList(title, `/api/evidence?ids=${encodeURIComponent(ids.join(","))}`);

async function openList(title, path) {
  openDialog(title, element("p", { class: "loading", text: "Loading …" }));
  try {
    const { total, rows } = await getJson(path);
    const part = total > rows.length ? ` The first ${rows.length} are shown.` : "";
    const count = `${total} published ${total === 1 ? "value" : "values"}.${part}`;
    openDialog(title, [
      element("p", { class: "secondary", text: count }),
      element("ul", { class: "evidence-list" }, rows.map(listItem)),
    ]);
  } catch (error) {
    openDialog(title, element("p", { class: "error-box", text: errorMessage(error) }));
  }
}

const READING = { transcription: "read from a secondary copy", recalled: "recalled, not confirmed" };

function listItem(row) {
  const people = [row.species, row.population, row.n && `n = ${row.n}`].filter(Boolean).join(", ");
  const treatment = [row.drug, row.dose, row.route].filter(Boolean).join(" ");
  const comparator = row.comparator && `compared with ${row.comparator}`;
  const conditions = [people, treatment, comparator, READING[row.reading_source]].filter(Boolean).join(" · ");
  const link = { href: row.url, rel: "noreferrer noopener", target: "_blank", text: row.citation };
  return element(
    "li",
    {},
    element(
      "div",
      {},
      row.strength && element("span", { class: "strength", text: `${row.strength}. ` }),
      element("strong", { text: `${row.value} ${row.unit}`.trim() }),
      row.spread && ` (${row.spread})`,
      ` ${row.quantity}${row.time ? `, ${row.time}` : ""}`,
    ),
    row.says && element("div", { text: row.says }),
    element("div", { class: "secondary", text: conditions }),
    element("div", {}, row.url ? element("a", link) : row.citation),
  );
}
