// Evidence: badges in the text, and the dialog they open (a claim with its verdict, or published values with their sources).

import { errorMessage, getJson } from "./api.js";
import { balanceOf, claimClass, claimContent, leanBar, leanWords, verdictWords } from "./claims.js";
import { button, closeButton, element, errorBox, find, findAll, loading, paragraph } from "./dom.js";
import { formatNumber, formatWithUnit, publishedValue } from "./format.js";

const VERDICT_SYMBOLS = { supported: "✓", mixed: "~", contradicted: "✕", "not supported": "?" };
const AGREEMENT = {
  agrees: "The model agrees with the verdict.",
  differs: "The model disagrees with the verdict.",
  open: "The evidence is mixed; the model can neither agree nor disagree.",
};
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
let claims = null;

// All claims by id, after they are loaded.
export const allClaims = () => claims ?? {};

export async function loadBadges() {
  try {
    claims = await getJson("/api/claims");
  } catch {
    claims = {};
  }
  findAll("[data-claim], [data-evidence]").forEach(fillBadge);
}

const OPEN_LISTS = [
  ["Left open", ["mixed"]],
  ["The studies speak against it", ["not supported", "contradicted"]],
];

// The claims that the evidence leaves open, then those that it speaks against; in each the most one-sided last.
export function showOpenClaims(place, byId) {
  const all = Object.values(byId).sort((a, b) => Math.abs(balanceOf(a)) - Math.abs(balanceOf(b)));
  const lists = OPEN_LISTS.map(([title, verdicts]) => {
    const ids = all.filter(({ verdict }) => verdicts.includes(verdict)).map(({ id }) => id);
    return [element("h3", { text: title }), ...evidenceBadges({ claims: ids, evidence: [] })];
  });
  place.replaceChildren(...lists.flat());
}

// Badges made by a script: of claims, or of evidence rows where there is no claim.
export function evidenceBadges({ claims: ids, evidence }) {
  const badge = (attributes) => button("evidence", null, attributes);
  const badges = ids.map((id) => badge({ "data-claim": id }));
  if (!ids.length && evidence.length) badges.push(badge({ "data-evidence": evidence.join(",") }));
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
    const text = `⊙ ${ids.length} published ${ids.length === 1 ? "value" : "values"} on this`;
    const label = `${ids.length} published values for this statement. Open the evidence`;
    set("badge", text, label, () => openEvidence(ids, "Published values"));
  } else if (claim) {
    const label = `“${claim.statement}” ${claim.verdict}, ${leanWords(claim)}. Open the evidence`;
    set(claimClass(claim), "", label, () => openClaim(claim));
    badge.replaceChildren(...claimContent(claim));
  } else {
    const query = stage ? `stage=${encodeURIComponent(stage)}` : `text=${encodeURIComponent(id)}`;
    const title = `Evidence: ${stage ?? id}`;
    set("badge", "⊙ evidence", title, () => openList(title, `/api/evidence?${query}`));
  }
}

function openDialog(title, content) {
  const attributes = { id: "evidence", "aria-labelledby": "evidence-title" };
  const dialog = find("#evidence") ?? document.body.appendChild(element("dialog", attributes));
  const close = closeButton(() => dialog.close());
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
    rows.length ? [element("h3", { text: `${title} (${rows.length})` }), evidenceList(rows)] : [];
  const inModel = element("div", {}, loading("Simulating the experiment …"));
  const badge = element("span", { class: badgeClass(claim.verdict), text: verdictText(claim.verdict) });
  openDialog(claim.statement, [
    element("p", {}, badge, ` ${capital(leanWords(claim))}. The claim appears in: ${claim.encountered_as}.`),
    leanBar(claim),
    element("p", { "data-until": "plain", text: verdictWords(claim) }),
    element("p", { class: "secondary", "data-from": "student", text: `Basis of the verdict: ${claim.reason}.` }),
    claim.note && paragraph(claim.note),
    element("h3", { text: "Model result" }),
    inModel,
    ...list("Evidence for", claim.evidence_for),
    ...list("Evidence against", claim.evidence_against),
  ]);
  getJson(`/api/claims/${encodeURIComponent(claim.id)}`).then(
    (result) => inModel.replaceChildren(...modelResult(result)),
    (error) => inModel.replaceChildren(paragraph(errorMessage(error), "secondary")),
  );
}

const WITHOUT_EXPECTANCY =
  "The claim is about the drug alone, so expectancy is left out here. The story includes it: its numbers are a little different.";

function modelResult({ agreement, n_same_verdict: same, n_rule_variants: variants, results }) {
  const size = ({ unit }, value) => {
    if (value === null) return "no number";
    if (unit !== "1") return formatWithUnit(value, unit);
    return Math.abs(value) < 1 ? `${formatNumber(100 * value, 2)} %` : `${formatNumber(value)} times`;
  };
  const item = (one) => {
    const needed = `the claim needs ${one.relation === "<" ? "less" : "more"} than ${size(one, one.bound)}`;
    const found = `the model gives ${size(one, one.value)}, and ${needed} (${one.description}).`;
    return element("li", {}, element("strong", { text: one.passed ? "Met: " : "Not met: " }), found);
  };
  const alone = results.some((one) => !one.with_expectancy) && paragraph(WITHOUT_EXPECTANCY, "secondary");
  const robustness = `It is the same under ${same} of ${variants} alternative weighting rules.`;
  const text = `${AGREEMENT[agreement] ?? agreement} The verdict is based on evidence alone. ${robustness}`;
  return [element("ul", {}, results.map(item)), alone, paragraph(text, "secondary")].filter(Boolean);
}

// A text with the values of evidence rows in place of their ids in braces.
export const withValues = (text, rows) => text.replace(/\{([\w-]+)\}/g, (_, id) => String(rows.find((row) => row.id === id)?.value ?? "?").replace("-", "−"));

export const openEvidence = (ids, title) => openList(title, `/api/evidence?ids=${encodeURIComponent(ids.join(","))}`);

async function openList(title, path) {
  openDialog(title, loading("Loading …"));
  try {
    const { total, rows } = await getJson(path);
    const part = total > rows.length ? ` The first ${rows.length} are shown.` : "";
    const count = `${total} published ${total === 1 ? "value" : "values"}.${part}`;
    openDialog(title, [paragraph(count, "secondary"), evidenceList(rows)]);
  } catch (error) {
    openDialog(title, errorBox(errorMessage(error)));
  }
}

const evidenceList = (rows) => element("ul", { class: "evidence-list" }, rows.map(listItem));

const READING = { transcription: "read from a secondary copy", recalled: "recalled, not confirmed" };

function listItem(row) {
  const people = [row.species, row.population, row.n && `n = ${row.n}`].filter(Boolean).join(", ");
  const treatment = [row.drug, row.dose, row.route].filter(Boolean).join(" ");
  const comparator = row.comparator && `compared with ${row.comparator}`;
  const conditions = [people, treatment, comparator, READING[row.reading_source], row.fitted && "used to fit the model"].filter(Boolean).join(" · ");
  return element(
    "li",
    {},
    element(
      "div",
      {},
      row.strength && element("span", { class: "strength", text: `${row.strength}. ` }),
      element("strong", { text: publishedValue(row) }),
      row.spread && ` (${row.spread})`,
      ` ${row.quantity}${row.time ? `, ${row.time}` : ""}`,
    ),
    row.description && element("div", { text: row.description }),
    element("div", { class: "secondary", text: conditions }),
    element("div", {}, citation(row)),
  );
}

export function citation({ url, citation: text }) {
  return url ? element("a", { href: url, rel: "noreferrer noopener", target: "_blank", text }) : text;
}
