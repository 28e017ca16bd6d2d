// A stretch of a nerve cell's branch with forty places for spines: healthy spines, empty places, and new ones that grow.

import { group, label, path, rect, setAttribute } from "./shapes.js";
import { MATURE, spinePath } from "./synapse.js";

const FRAME = [0, 0, 1200, 744];
const SITES = 40;
const PER_ROW = 20;
const EMPTY_ORDER = [5, 26, 12, 33, 2, 22, 17, 38]; // the places without a spine before the dose, in the order in which they fill
const ROWS = [250, 540];
const randomHead = (k) => 0.15 + ((k * 37) % 11) / 13;

// Where a site stands: ten above and ten below each of two branches.
function place(k) {
  const row = Math.floor(k / PER_ROW);
  const inRow = k % PER_ROW;
  const isAbove = inRow % 2 === 0;
  return { x: 86 + 54 * inRow, base: ROWS[row] + (isAbove ? -19 : 19), isAbove };
}

function site(k, className) {
  const { x, base, isAbove } = place(k);
  const node = path("", className);
  const frame = group("site", node);
  frame.setAttribute("transform", `translate(${x} ${base}) scale(0.52 ${isAbove ? 0.72 : -0.72})`);
  return { node, frame };
}

const shape = (length, head) => spinePath(0, 0, length, head);

const branch = (y) =>
  path(
    `M-40 ${y - 20}C200 ${y - 26} 400 ${y - 16} 620 ${y - 20}S1000 ${y - 26} 1240 ${y - 18}V${y + 20}C1000 ${y + 26} 820 ${y + 16} 600 ${y + 20}S200 ${y + 26} -40 ${y + 18}Z`,
    "branch",
  );

export function spine() {
  const healthy = [];
  for (let k = 0; k < SITES; k++) {
    if (EMPTY_ORDER.includes(k)) continue;
    const { node, frame } = site(k, "old-spine");
    node.setAttribute("d", shape(1, randomHead(k)));
    healthy.push(frame);
  }
  const empty = EMPTY_ORDER.map((k) => {
    const { node, frame } = site(k, "missing");
    node.setAttribute("d", shape(1, 0.6));
    return frame;
  });
  const grown = EMPTY_ORDER.map((k) => site(k, "new-spine"));
  const node = group(
    "spine-level",
    rect(-400, -400, 2000, 1600, 0, "fluid"),
    healthy,
    empty,
    grown.map(({ frame }) => frame),
    ROWS.map(branch),
    label(40, 60, ["Two branches of a nerve cell, with places for 40 spines"], { sizes: "wide" }),
    label(40, 60, ["Places for 40 spines"], { sizes: "medium" }),
    label(40, 700, ["Dotted: empty. Pale: new and thin. Full: new and mature."], { sizes: "wide medium" }),
  );
  return {
    node,
    frame: FRAME,
    cameras: { wide: FRAME, medium: [0, 0, 1200, 744], narrow: [0, 90, 1200, 620] },
    update(frame) {
      const gain = frame.amount("sites");
      const maturity = frame.amount("site_heads");
      grown.forEach(({ node: one }, k) => {
        const length = Math.min(1, Math.max(0, gain - k));
        const head = Math.min(1, Math.max(0, maturity - k));
        setAttribute(one, "d", length > 0.02 ? shape(length, head) : "");
        setAttribute(one, "data-mature", head >= MATURE ? "yes" : "no");
      });
    },
    sentence,
  };
}

function sentence(frame) {
  const { value: most, hours } = frame.bindings.extreme("sites", Math.max);
  const now = Math.round(100 * frame.value("sites"));
  const before = Math.round(100 * frame.rest("sites"));
  const first = `A healthy brain has 100 spines where this one has ${now}.`;
  if (now <= before) return `${first} Before the dose it had ${before}.`;
  const isRising = frame.hours < hours;
  const direction = isRising ? "The number is still rising" : `The most was ${Math.round(100 * most)}`;
  return `${first} Before the dose it had ${before}. ${direction}.`;
}
