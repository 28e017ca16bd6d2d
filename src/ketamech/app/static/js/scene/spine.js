// A stretch of a nerve cell's branch with forty places for spines, at eight times below each other: healthy spines, empty
// places, and new ones that grow. The row at the clock's time is marked; beside the rows, their numbers and a curve.

import { svgElement } from "../dom.js";
import { formatTimeLong } from "../format.js";
import { circle, group, label, path, rect, setAttribute, setText } from "./shapes.js";
import { MATURE, spinePath } from "./synapse.js";

const FRAME = [0, 0, 1200, 744];
const SITES = 40;
const EMPTY_ORDER = [10, 27, 4, 33, 13, 22, 7, 38]; // the places without a spine before the dose, in the order in which they fill
const TIMES = [0, 2, 12, 24, 72, 168, 336, 672]; // h; the first is before the dose
const NAMES = ["Before", ...TIMES.slice(1).map(formatTimeLong)];
const [FIRST_ROW, ROW_STEP] = [64, 86];
const [BRANCH_START, BRANCH_END] = [196, 960];
const [CURVE_START, CURVE_END] = [1060, 1170]; // x of the lowest and the highest number of spines
const RANGE = [0.8, 1];
const randomHead = (k) => 0.15 + ((k * 37) % 11) / 13;
const shape = (length, head) => spinePath(0, 0, length, head);
const rowAt = (i) => FIRST_ROW + ROW_STEP * i;
const across = (share) => CURVE_START + ((share - RANGE[0]) / (RANGE[1] - RANGE[0])) * (CURVE_END - CURVE_START);

// Above and below the branch by turns.
function site(k, y, className, d = "") {
  const isAbove = k % 2 === 0;
  const node = path(d, className);
  const frame = group("site", node);
  const x = BRANCH_START + 22 + 18.4 * k;
  frame.setAttribute("transform", `translate(${x} ${y + (isAbove ? -8 : 8)}) scale(0.235 ${isAbove ? 0.25 : -0.25})`);
  return { node, frame };
}

function row(hours, i) {
  const y = rowAt(i);
  const old = Array.from({ length: SITES }, (_, k) => k).filter((k) => !EMPTY_ORDER.includes(k));
  const grown = EMPTY_ORDER.map((k) => site(k, y, "new-spine"));
  const count = svgElement("text", { x: BRANCH_END + 22, y: y + 8, class: "spine-count" });
  const name = svgElement("text", { x: 24, y: y + 8, class: "spine-time" }, NAMES[i]);
  const ground = rect(8, y - 38, 1184, 76, 10, "row-ground");
  const node = group(
    "spine-row",
    ground,
    old.map((k) => site(k, y, "old-spine", shape(1, randomHead(k))).frame),
    EMPTY_ORDER.map((k) => site(k, y, "missing", shape(1, 0.6)).frame),
    grown.map(({ frame }) => frame),
    path(`M${BRANCH_START} ${y - 9}H${BRANCH_END}q10 9 0 18H${BRANCH_START}q-10 -9 0 -18Z`, "branch"),
    name,
    count,
  );
  return { hours, y, node, grown, count };
}

export function spine() {
  const rows = TIMES.map(row);
  const curve = path("", "spine-curve");
  const dots = rows.map(({ y }) => circle(0, y, 6, "spine-dot"));
  const node = group(
    "spine-level",
    rect(-400, -400, 2000, 1600, 0, "fluid"),
    rows.map(({ node: one }) => one),
    svgElement("line", { class: "spine-edge", x1: CURVE_END, x2: CURVE_END, y1: 30, y2: 712 }),
    label(CURVE_END + 22, 22, ["healthy 100"], { anchor: "end", sizes: "wide medium" }),
    curve,
    dots,
  );
  let drawn = null; // the curves that are drawn
  return {
    node,
    cameras: { wide: FRAME, medium: FRAME, narrow: FRAME },
    update(frame) {
      if (drawn !== frame.bindings.curves) {
        drawn = frame.bindings.curves;
        rows.forEach((one) => showRow(one, frame.bindings.at(one.hours || frame.bindings.times[0])));
        const points = rows.map(({ y, share }) => [across(share), y]);
        setAttribute(curve, "d", `M${points.map(([x, y]) => `${x.toFixed(1)} ${y}`).join("L")}`);
        points.forEach(([x], i) => setAttribute(dots[i], "cx", x.toFixed(1)));
      }
      const nearest = rows.findLastIndex(({ hours }) => hours <= frame.hours * 1.05);
      rows.forEach(({ node: one }, i) => setAttribute(one, "data-now", i === nearest ? "yes" : "no"));
    },
    sentence,
  };
}

function showRow(one, frame) {
  const [gain, maturity] = [frame.amount("sites"), frame.amount("site_heads")];
  one.share = frame.value("sites");
  setText(one.count, String(Math.round(100 * one.share)));
  one.grown.forEach(({ node }, k) => {
    const length = Math.min(1, Math.max(0, gain - k));
    const head = Math.min(1, Math.max(0, maturity - k));
    setAttribute(node, "d", length > 0.02 ? shape(length, head) : "");
    setAttribute(node, "data-mature", head >= MATURE ? "yes" : "no");
  });
}

function sentence(frame) {
  const { value: most, hours } = frame.bindings.extreme("sites", Math.max);
  const now = Math.round(100 * frame.value("sites"));
  const before = Math.round(100 * frame.rest("sites"));
  const first = `A healthy brain has 100 spines where this one has ${now}.`;
  if (now <= before) return `${first} Before the dose it had ${before}.`;
  const isRising = frame.hours < hours;
  const direction = isRising ? "The number is still rising" : `The most was ${Math.round(100 * most)}`;
  return `${first} Before the dose it had ${before}. ${direction}. Counted in mice; one scan of people found no change after a day.`;
}
