// Simulated and published values, the largest deviations first.

import { runJob } from "./api.js";
import { button, element, field, linkButton, select, svgElement, tabContent, table, toolbar } from "./dom.js";
import { openEvidence } from "./evidence.js";
import { formatNumber, formatSigned } from "./format.js";

const MAX_ROWS = 150;
const VERDICT_COLOURS = { inside: 2, near: 4, miss: 1, "no result": 5 }; // colour index by verdict, in display order
const INTRODUCTION =
  "Every published value that the typical patient can be compared with, simulated and compared. The largest deviations " +
  "come first. Inside: within the published range or 1.96 standard errors, or 1.25-fold where neither is published; near: " +
  "outside by a little more. A fitted value set the model; one of the same trial as a fitted value is a weak test; only an " +
  "independent value is a test.";
const ROLES = ["independent", "same trial", "fitted"]; // a test first
const ROLE_WORDS = { independent: "Independent, a test", "same trial": "Same trial as a fitted row, a weak test", fitted: "Fitted, no test" };
const DIRECTIONS = { "-1": "a fall", 0: "no change", 1: "a rise" };

export function scorecardTab(workbench) {
  const place = element("div", {});
  const results = element("div", {});
  let isStarted = false;
  const show = (found) => results.replaceChildren(...resultNodes(found));
  const compare = async () => {
    if (await runJob("/api/jobs/scorecard", {}, { place, show, started: workbench.jobList?.refresh })) return;
    place.append(button("Compare again", compare));
  };
  const update = () => {
    if (!isStarted) compare();
    isStarted = true;
  };
  const showJob = ({ result }) => {
    isStarted = true;
    show(result);
  };
  return { node: tabContent("Scorecard", INTRODUCTION, place, results), update, showJob };
}

export function resultNodes({ rows, uncovered }) {
  const counted = rows.filter(({ use }) => use === "calibrate"); // the source of the others cannot be opened
  const stages = [...new Set(rows.map(({ stage }) => stage))];
  const place = element("div", {});
  const bars = element("div", { class: "role-bars" });
  const list = () => {
    const ofStage = (row) => !stage.value || row.stage === stage.value;
    const chosen = rows.filter((row) => ofStage(row) && (!verdict.value || row.verdict === verdict.value) && (!role.value || row.role === role.value));
    bars.replaceChildren(...ROLES.map((one) => roleBar(one, counted.filter((row) => ofStage(row) && row.role === one))));
    place.replaceChildren(scorecardTable(chosen));
  };
  const stage = select(["", ...stages], undefined, { onchange: list });
  const role = select(["", ...ROLES], undefined, { onchange: list });
  const verdict = select(["", ...Object.keys(VERDICT_COLOURS)], undefined, { onchange: list });
  list();
  const unopened = `${rows.length - counted.length} rows whose source cannot be opened are listed and not counted`;
  const rest = `${unopened}. ${uncovered} further rows are not compared; the scorecard documentation gives the reasons.`;
  const filters = toolbar(field("Stage", stage), field("Role", role), field("Verdict", verdict));
  return [filters, bars, element("p", { class: "secondary" }, rest), place];
}

// The counted rows of one role: their number, and how many have each verdict.
function roleBar(role, rows) {
  const counts = Object.keys(VERDICT_COLOURS).map((name) => [name, rows.filter(({ verdict }) => verdict === name).length]);
  const shown = counts.filter(([, number]) => number);
  const verdicts = shown.flatMap(([name, number], i) => [i ? ", " : ": ", element("strong", { text: number }), ` ${name}`]);
  const heading = element("p", {}, `${ROLE_WORDS[role]}: `, element("strong", { text: rows.length }), rows.length === 1 ? " row" : " rows", verdicts, ".");
  return element("div", { class: "role-bar" }, heading, rows.length ? verdictBar(counts, rows.length) : null);
}

function scorecardTable(rows) {
  const caption = `${rows.length} rows${rows.length > MAX_ROWS ? `, the first ${MAX_ROWS} shown` : ""}`;
  const head = ["quantity", "simulated", "published", "unit", "verdict", "role", "source"];
  // Where a direction was published, the change that is simulated is shown: one below 2 % counts as none.
  const isDirection = ({ comparison }) => comparison === "sign";
  const percent = (ratio) => `${formatSigned(Math.round(1000 * (ratio - 1)) / 10)} %`;
  const simulated = (row) => (isDirection(row) ? percent(row.simulated) : formatNumber(row.simulated));
  const number = (row) => row.expected || `${formatNumber(row.published)}${row.spread ? ` (${row.spread})` : ""}`;
  const published = (row) => (isDirection(row) ? DIRECTIONS[row.published] : number(row));
  const source = (row) => linkButton(row.citation, () => openEvidence([row.id], row.quantity));
  const cells = (row) => [
    row.quantity,
    simulated(row),
    published(row),
    row.unit,
    element("span", { class: `verdict ${row.verdict}`, text: row.verdict }),
    row.role,
    source(row),
  ];
  return table(caption, head, rows.slice(0, MAX_ROWS).map(cells));
}

function verdictBar(counts, total) {
  const label = counts.map(([name, number]) => `${number} ${name}`).join(", ");
  const frame = { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "figure" };
  const svg = svgElement("svg", { ...frame, role: "img", "aria-label": label });
  let x = 0;
  for (const [verdict, index] of Object.entries(VERDICT_COLOURS)) {
    const width = (100 * (counts.find(([name]) => name === verdict)?.[1] ?? 0)) / total;
    svg.append(svgElement("rect", { class: `fill-${index}`, x, y: 0, width, height: 10 }));
    x += width;
  }
  return element("div", { class: "verdict-bar figure" }, svg);
}
