// A stretch of a nerve cell's branch with forty places for spines: large at the clock's time, and below it at six fixed
// times. Healthy spines in three sizes, empty places, and new ones that grow; beside the rows, their numbers and a curve.

import { setAttribute, setText, svgElement } from "../dom.js";
import { formatTime } from "../format.js";
import { circle, group, label, path, rect } from "./shapes.js";
import { MATURE, spinePath } from "./synapse.js";

const FRAME = [0, 0, 1280, 744];
const SITES = 40;
const EMPTY_ORDER = [10, 27, 4, 33, 13, 22, 7, 38]; // the places without a spine before the dose, in the order in which they fill
const TIMES = [0, 12, 24, 72, 168, 672]; // h; the first is before the dose
const NAMES = ["Before", ...TIMES.slice(1).map(formatTime)];
const NOW = { y: 100, half: 66, size: 0.42, thickness: 12 }; // the row of the clock's time
const THEN = { half: 43, size: 0.285, thickness: 8 };
const [FIRST_ROW, ROW_STEP] = [214, 93];
const [BRANCH_START, BRANCH_END] = [200, 1010];
const SITE_STEP = 19.6;
const [CURVE_START, CURVE_END] = [1150, 1252]; // x of the lowest and the highest number of spines
const RANGE = [0.8, 1];
const HEADS = [0.12, 0.5, 1]; // of healthy spines: thin, middle, broad
const headOf = (k) => HEADS[((k * 37) % 11) % HEADS.length];
const shape = (length, head) => spinePath(0, 0, length, head);
const across = (share) => CURVE_START + ((share - RANGE[0]) / (RANGE[1] - RANGE[0])) * (CURVE_END - CURVE_START);

// Above and below the branch by turns.
function site(k, { y, size, thickness }, className, d = "") {
  const isAbove = k % 2 === 0;
  const node = path(d, className);
  const frame = group("site", node);
  const x = BRANCH_START + 22 + SITE_STEP * k;
  const narrow = Math.min(size, 0.31); // neighbours on a side touch where they are broader
  frame.setAttribute("transform", `translate(${x} ${y + (isAbove ? -thickness : thickness)}) scale(${narrow} ${isAbove ? size : -size})`);
  return { node, frame };
}

function row(place, nameLines) {
  const { y, half, thickness: thick } = place;
  const old = Array.from({ length: SITES }, (_, k) => k).filter((k) => !EMPTY_ORDER.includes(k));
  const places = EMPTY_ORDER.map((k) => {
    const [healthy, missing] = [site(k, place, "old-spine", shape(1, headOf(k))), site(k, place, "missing", shape(1, 0.5))];
    return { healthy, missing, grown: site(k, place, "new-spine") };
  });
  const count = svgElement("text", { x: BRANCH_END + 26, y: y + 9, class: "spine-count" });
  const first = y + 9 - (nameLines.length - 1) * 18;
  const lines = nameLines.map((text, i) => svgElement("tspan", { x: 14, dy: i ? "1.1em" : 0 }, text));
  const name = svgElement("text", { x: 14, y: first, class: "spine-time" }, lines);
  const node = group(
    "spine-row",
    rect(3, y - half, 1272, 2 * half, 10, "row-ground"),
    old.map((k) => site(k, place, "old-spine", shape(1, headOf(k))).frame),
    places.flatMap((one) => [one.healthy.frame, one.missing.frame, one.grown.frame]),
    path(`M${BRANCH_START} ${y - thick - 1}H${BRANCH_END}q10 ${thick + 1} 0 ${2 * thick + 2}H${BRANCH_START}q-10 ${-thick - 1} 0 ${-2 * thick - 2}Z`, "branch"),
    name,
    count,
  );
  return { y, node, places, count, lines };
}

export const spine = {
  build,
  cameras: { wide: FRAME, medium: FRAME, narrow: FRAME },
  sentence,
};

function build() {
  const now = row(NOW, ["Now,", ""]);
  now.node.setAttribute("data-now", "yes");
  const rows = TIMES.map((hours, i) => ({ hours, ...row({ ...THEN, y: FIRST_ROW + ROW_STEP * i }, [NAMES[i]]) }));
  const curve = path("", "spine-curve");
  const dots = rows.map(({ y }) => circle(0, y, 6, "spine-dot"));
  const dotNow = circle(0, NOW.y, 9, "spine-dot");
  const before = svgElement("line", { class: "spine-before", y1: 40, y2: FIRST_ROW + 5.4 * ROW_STEP });
  const most = svgElement("text", { class: "spine-most", x: BRANCH_END + 72 }, "most");
  const node = group(
    "spine-level",
    rect(-400, -400, 2080, 1600, 0, "fluid"),
    now.node,
    rows.map(({ node: one }) => one),
    svgElement("line", { class: "spine-edge", x1: CURVE_END, x2: CURVE_END, y1: 40, y2: FIRST_ROW + 5.4 * ROW_STEP }),
    before,
    label(CURVE_END + 16, 26, ["healthy 100"], { anchor: "end", sizes: "wide medium" }),
    label(CURVE_END + 20, 34, ["healthy 100"], { anchor: "end", sizes: "narrow" }),
    curve,
    dots,
    dotNow,
    most,
  );
  let drawn = null; // the curves that are drawn
  return {
    node,
    update(frame) {
      const { bindings } = frame;
      const empty = emptyPlaces(frame);
      if (drawn !== bindings.curves) {
        drawn = bindings.curves;
        rows.forEach((one) => showRow(one, bindings.at(one.hours || bindings.times[0]), empty));
        const points = rows.map(({ y, share }) => [across(share), y]);
        setAttribute(curve, "d", `M${points.map(([x, y]) => `${x.toFixed(1)} ${y}`).join("L")}`);
        points.forEach(([x], i) => setAttribute(dots[i], "cx", x.toFixed(1)));
        for (const name of ["x1", "x2"]) setAttribute(before, name, points[0][0].toFixed(1));
        const top = rows.reduce((best, one) => (one.share > best.share ? one : best));
        setAttribute(most, "y", top.y + 9);
        setAttribute(most, "visibility", top.share > rows[0].share + 0.005 ? "visible" : "hidden");
      }
      showRow(now, frame, empty);
      setAttribute(dotNow, "cx", across(now.share).toFixed(1));
      setText(now.lines[1], formatTime(frame.hours));
    },
  };
}

// How many of the forty places are drawn empty before the dose: as many as are missing, and room for all that grow.
function emptyPlaces(frame) {
  const most = frame.bindings.extreme("sites", Math.max).value;
  const missing = Math.round(SITES * (1 - frame.rest("sites")));
  return Math.min(EMPTY_ORDER.length, Math.max(0, missing, Math.ceil(SITES * (most - frame.rest("sites")) - 0.02)));
}

function showRow(one, frame, empty) {
  const [gain, maturity] = [frame.amount("sites"), frame.amount("site_heads")];
  one.share = frame.value("sites");
  setText(one.count, String(Math.round(100 * one.share)));
  one.places.forEach(({ healthy, missing, grown }, k) => {
    const length = Math.min(1, Math.max(0, gain - k));
    const head = Math.min(1, Math.max(0, maturity - k));
    setAttribute(healthy.node, "visibility", k < empty ? "hidden" : "visible");
    setAttribute(missing.node, "visibility", k < empty ? "visible" : "hidden");
    setAttribute(grown.node, "d", k < empty && length > 0.02 ? shape(length, head) : "");
    setAttribute(grown.node, "data-mature", head >= MATURE ? "yes" : "no");
  });
}

function sentence(frame) {
  const { value: most, hours } = frame.bindings.extreme("sites", Math.max);
  const now = Math.round(100 * frame.value("sites"));
  const before = Math.round(100 * frame.rest("sites"));
  const first = `A healthy brain has 100 spines where this one has ${now} (they were counted in mice).`;
  if (now <= before) return `${first} Before the dose it had ${before}.`;
  const isRising = frame.hours < hours;
  const direction = isRising ? "The number is still rising" : `The most was ${Math.round(100 * most)}`;
  return `${first} Before the dose it had ${before}. ${direction}. One scan of people found no change after a day.`;
}
