// A claim as a card: its words, the verdict, which way the results lean and in whom. And the balance as a bar.

import { element, svgElement } from "./dom.js";

const LEAN = 0.5; // three quarters of the weight on one side, as in the rule
const ANIMAL = /rat|mouse|mice|rodent|pig|monkey|animal/i;
const GROUPS = [
  { id: "people", name: "people", is: (row) => row.species === "human" && row.strength !== "in vitro" },
  {
    id: "animals",
    name: "animals",
    is: (row) => row.strength === "animal" || (ANIMAL.test(row.species) && row.strength !== "in vitro"),
  },
  { id: "cells", name: "cells and membranes", is: (row) => row.strength === "in vitro" },
];
const ICONS = {
  people: "M12 4a4 4 0 1 1 0 8a4 4 0 1 1 0 -8M4 21c0 -6 4 -8 8 -8s8 2 8 8z",
  animals: "M3 17c0 -6 6 -9 11 -8c3 0 6 3 7 6c-2 2 -5 2 -7 2zM14 9c0 -3 4 -3 4 0M18 14h.1M3 17c-2 1 -1 4 3 3h4",
  cells: "M4 9c0 -5 16 -5 16 0v6c0 5 -16 5 -16 0zM4 9c0 5 16 5 16 0",
};

export const balanceOf = ({ weight_for: pro, weight_against: con }) => (pro + con > 0 ? (pro - con) / (pro + con) : 0);

// For each group with a result: the side on which most of its weight lies, each paper once a side as in the rule.
function sidesOf(claim) {
  return GROUPS.map(({ id, name, is }) => {
    const [pro, con] = [claim.evidence_for, claim.evidence_against].map((rows) => weightOf(rows.filter(is)));
    return { id, name, pro, con, side: pro > con ? "for" : pro < con ? "against" : "divided" };
  }).filter(({ pro, con }) => pro + con > 0);
}

function weightOf(rows) {
  const papers = new Map();
  for (const { citation, weight } of rows) papers.set(citation, Math.max(weight, papers.get(citation) ?? 0));
  return [...papers.values()].reduce((sum, weight) => sum + weight, 0);
}

const list = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

// E.g. "leans slightly against it: people against, animals for". A clear lean that is not enough for a verdict says so.
export function leanWords(claim) {
  const groups = sidesOf(claim);
  if (!groups.length) return "no study in the tables";
  const studies = new Set([...claim.evidence_for, ...claim.evidence_against].map(({ citation }) => citation));
  const few = ["", "one study", "two studies", "three studies"][studies.size];
  return few ? `hardly tested, ${few}: ${leanOf(claim, groups)}` : leanOf(claim, groups);
}

function leanOf(claim, groups) {
  const balance = balanceOf(claim);
  const side = balance > 0 ? "for" : "against";
  const isDecided = claim.verdict === "supported" || claim.verdict === "contradicted";
  const size = Math.abs(balance) < LEAN ? "slightly " : isDecided ? "clearly " : "";
  const little = size ? "" : ", on too little evidence";
  const isBalanced = Math.abs(balance) < 0.1;
  const lean = isBalanced ? "the results balance" : `leans ${size}${side} it${little}`;
  const [{ side: first }] = groups;
  if (groups.every((one) => one.side === first) && (first === side || (isBalanced && first !== "divided"))) return `${lean}, in ${list(groups.map(({ name }) => name))}`;
  const bySide = ["for", "against", "divided"].map((side) => [
    side,
    groups.filter((one) => one.side === side).map(({ name }) => name),
  ]);
  const words = bySide.filter(([, names]) => names.length).map(([side, names]) => `${list(names)} ${side}`);
  return `${lean}: ${words.join(", ")}`;
}

// What weighs on each side and why that makes the verdict, without numbers of weight: for the plain level.
export function verdictWords(claim) {
  const papers = (rows) => new Set(rows.map(({ citation }) => citation)).size;
  const isRecord = ({ strength }) => strength === "record";
  const side = (name, rows) => {
    const kinds = GROUPS.map(({ id, is }) => [papers(rows.filter((row) => is(row) && !isRecord(row))), `in ${id}`]);
    const counts = [...kinds, [papers(rows.filter(isRecord)), "in official records"]].filter(([count]) => count);
    return counts.length ? `Results ${name} it: ${list(counts.map((count) => count.join(" ")))}.` : `No result speaks ${name} it.`;
  };
  const sides = [side("for", claim.evidence_for), side("against", claim.evidence_against)].join(" ");
  return `${sides} Trials in people weigh the most, and small studies less. ${whyWords(claim)}`;
}

function whyWords(claim) {
  const balance = balanceOf(claim);
  const weighs = balance > 0 ? "for" : "against";
  const { verdict } = claim;
  if (verdict === "supported" || verdict === "contradicted") return `At least three quarters of the weight is ${weighs} it, and that is enough: so it is ${verdict}.`;
  if (Math.abs(balance) < LEAN) return verdict === "mixed" ? "Neither side has three quarters of the weight: so it is mixed." : "There is too little to go by: so it is not supported.";
  return `Most of the weight is ${weighs} it, but too little of that is from people: so it is ${verdict === "mixed" ? "mixed" : "not supported, and not yet contradicted"}.`;
}

const icon = (id) =>
  svgElement("svg", { viewBox: "0 0 24 24" }, svgElement("path", { d: ICONS[id], "stroke-linejoin": "round" }));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// The content of a button that opens the claim.
export function claimContent(claim) {
  const species = element(
    "span",
    { class: "species", "aria-hidden": "true" },
    sidesOf(claim).map(({ id }) => icon(id)),
  );
  return [
    element("q", { text: claim.statement.replace(/\.$/, "") }),
    element("span", { class: "verdict", text: capital(claim.verdict) }),
    element("span", { class: "lean", text: leanWords(claim) }),
    species,
  ];
}

export const claimClass = ({ verdict }) => `claim ${verdict.replace(" ", "-")}`;

// The weight of the results on both sides; the ends hold three quarters of the weight.
export function leanBar(claim) {
  const at = (balance) => 100 + 100 * balance;
  const part = (from, to, className) =>
    svgElement("rect", { class: className, x: at(from), y: 6, width: at(to) - at(from), height: 10 });
  const mark = at(balanceOf(claim));
  const drawing = svgElement(
    "svg",
    { viewBox: "0 0 200 22", preserveAspectRatio: "none", "aria-hidden": "true" },
    part(-1, -LEAN, "lean-against"),
    part(-LEAN, LEAN, "lean-even"),
    part(LEAN, 1, "lean-for"),
    svgElement("line", { class: "lean-middle", x1: 100, x2: 100, y1: 3, y2: 19 }),
    svgElement("path", { class: "lean-mark", d: `M${mark - 5} 11L${mark} 1L${mark + 5} 11L${mark} 21Z` }),
  );
  const text = (side, weight) =>
    element(
      "span",
      {},
      element("span", { "data-until": "plain", text: side }),
      element("span", { "data-from": "student", text: `weight ${side}: ${Number(weight.toFixed(1))}` }),
    );
  return element(
    "div",
    { class: "lean-bar" },
    text("against", claim.weight_against),
    drawing,
    text("for", claim.weight_for),
  );
}
