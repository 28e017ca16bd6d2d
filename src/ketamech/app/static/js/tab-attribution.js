// Pathway contributions to the endpoints of a case: Shapley values.

import { runJob } from "./api.js";
import { caseSelect } from "./case-list.js";
import {
  button,
  element,
  emptyState,
  field,
  paragraph,
  sectionTitle,
  select,
  svgElement,
  tabContent,
  table,
  toolbar,
} from "./dom.js";
import { stackedContributions } from "./figure-data.js";
import { formatNumber, formatRange, formatSigned, formatTimeLong, interpolate } from "./format.js";
import { isStaticSite, needsProgram } from "./static-site.js";
import { TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const DRAWS = [0, 20, 100, 200];
const SOLVER_NOISE = 5e-4;
const INTRODUCTION =
  "Every combination of the pathways that are on is simulated. Shapley values divide joint effects evenly, so that the " +
  "contributions add up. Most of the parameters that set the size of a pathway are assumed.";
const NO_DRAWS = needsProgram("Intervals, and which values are assumed for each pathway, need");
const AT_TIME = "Contributions at the selected time";
const NOT_YET = "No result yet. The attribution takes seconds without draws and about a minute with many.";

export function attributionTab(workbench) {
  const { input, refill, scenario } = caseSelect(workbench);
  const draws = select(isStaticSite ? [0] : DRAWS, (number) => (number ? `${number}, with intervals` : "none: table values only"));
  workbench.bindToLink("attribution.draws", draws);
  const submit = button("Attribute", null, { type: "submit", class: "primary" });
  const place = element("div", {});
  const results = element("div", {}, emptyState(NOT_YET));
  let bars = null; // of the shown result; they follow the selected time
  const show = (found) => {
    const { components } = workbench.metadata;
    bars = new ContributionsAtTime(found, components);
    results.replaceChildren(...resultNodes(found, components, bars.node));
  };
  selectedTime.onChange(() => bars?.node.isConnected && bars.show());
  const onsubmit = (event) => {
    event.preventDefault();
    results.replaceChildren();
    const request = { scenario: scenario(), draws: Number(draws.value) };
    runJob("/api/jobs/attribution", request, { place, show, submit, started: workbench.jobList?.refresh });
  };
  const fields = [field("Case", input), field("Parameter draws", draws, isStaticSite ? NO_DRAWS : null)];
  const submitRow = element("div", { class: "full-width" }, submit);
  const form = element("form", { class: "panel-form", onsubmit }, fields, submitRow);
  const node = tabContent("Pathway contributions", INTRODUCTION, form, place, results);
  const showJob = ({ result }) => {
    place.replaceChildren();
    show(result);
  };
  const update = () => {
    refill();
    bars?.show();
  };
  return { node, update, showJob };
}

// Every contribution to the change of MADRS at the selected time, the largest first, with its bar.
class ContributionsAtTime {
  constructor({ components: ids, contributions, times }, components) {
    this.times = times;
    this.rows = ids.map((id, i) => ({ ...componentOf(id, components), values: contributions[i] }));
    this.node = element("div", { class: "contributions", "aria-live": "off" });
    this.show();
  }

  show() {
    const { hours } = selectedTime;
    const inside = Math.min(hours, this.times.at(-1));
    const rows = this.rows.map((row) => ({ ...row, value: interpolate(this.times, row.values, inside) ?? 0 }));
    const largest = Math.max(...rows.map(({ value }) => Math.abs(value)), SOLVER_NOISE);
    const total = rows.reduce((sum, { value }) => sum + value, 0);
    rows.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const cells = rows.map(({ label, colour, value }) => {
      return [label, points(value), share(value, total), bar(value, largest, colour)];
    });
    const late = hours > inside ? ", the end of this result" : "";
    const caption = `Change of MADRS ${formatTimeLong(inside)} after the start${late}: ${points(total)} points in all`;
    this.node.replaceChildren(table(caption, ["component", "points", "share", ""], cells));
  }
}

const BAR = 160; // px, width of the bars of both signs
const points = (value) => (Math.abs(value) < SOLVER_NOISE ? "0" : formatSigned(value));
const share = (value, total) => (Math.abs(total) < SOLVER_NOISE ? "–" : `${Math.round((100 * value) / total)} %`);

function bar(value, largest, colour) {
  const width = (Math.abs(value) / largest) * (BAR / 2);
  const attributes = { x: value < 0 ? BAR / 2 - width : BAR / 2, y: 2, width, height: 10, fill: colour };
  const middle = svgElement("line", { class: "middle", x1: BAR / 2, x2: BAR / 2, y1: 0, y2: 14 });
  const drawn = [svgElement("rect", { ...attributes, class: colour ? null : "no-colour" }), middle];
  return svgElement("svg", { viewBox: `0 0 ${BAR} 14`, width: BAR, height: 14, "aria-hidden": "true" }, drawn);
}

function componentOf(id, components) {
  const found = components.find((one) => one.id === id);
  return { label: found?.label ?? id.replace(/_/g, " "), colour: found?.colour ?? null };
}

function resultNodes(found, components, atSelectedTime) {
  const figure = new TimeFigure({ title: "Contributions to MADRS over time", unit: "points", height: 380 });
  figure.show(stackedContributions(found, components));
  const endpoints = Map.groupBy(found.table, ({ endpoint }) => endpoint);
  const place = element("div", {});
  const showEndpoint = () => place.replaceChildren(...endpointNodes(endpoint.value, endpoints.get(endpoint.value), components));
  const endpoint = select([...endpoints.keys()], undefined, { onchange: showEndpoint });
  showEndpoint();
  const sentences = found.sentences.map((text) => paragraph(text));
  const endpointChoice = toolbar(field("Endpoint", endpoint));
  return [element("div", {}, sentences), figure.node, sectionTitle(AT_TIME), atSelectedTime, endpointChoice, place];
}

function endpointNodes(endpoint, rows, components) {
  const label = (id) => componentOf(id, components).label;
  const shown = (value) => (Math.abs(value) < SOLVER_NOISE ? "0" : formatSigned(value));
  const caption = `${endpoint}, ${rows[0].unit === "1" ? "relative" : rows[0].unit}`;
  const head = ["pathway", "share of drug effect", "Shapley value", "95 %", "loss when off", "effect alone"];
  const row = (one) => [
    label(one.pathway),
    one.share === null ? "–" : `${formatNumber(Math.round(100 * one.share))} %`,
    shown(one.shapley),
    one.shapley_low === null ? "–" : formatRange(one.shapley_low, one.shapley_high),
    shown(one.loss_when_off),
    shown(one.single_effect),
  ];
  return [table(caption, head, rows.map(row)), ...withoutPathways(rows)];
}

// The shares add up to less than the whole where the drug acts with every pathway off.
function withoutPathways(rows) {
  const rest = Math.round(100 * (1 - rows.reduce((total, { share }) => total + share, 0)));
  if (rows.some(({ share }) => share === null) || rest === 0) return [];
  const text = `The rest, ${formatNumber(rest)} % of the effect of the drug, is there with every pathway off`;
  return [paragraph(`${text}: for mood, the felt effects.`, "secondary")];
}
