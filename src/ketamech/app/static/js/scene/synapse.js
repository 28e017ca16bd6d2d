// The synapse: what ketamine blocks, what is released, and what the receiving cell builds.

import { setAttribute, setText, svgElement } from "../dom.js";
import { circle, group, hexagon, insideOf, label, LevelMarks, Marks, path, rect, scatter } from "./shapes.js";
import {
  ASTROCYTE,
  background,
  FRAME,
  INPUT_AXON,
  INTERNEURON,
  INTERNEURON_CHANNELS,
  MISSING_SPINE,
  MTOR,
  PRESYNAPTIC,
  RECEPTORS,
  SPINE,
  TRKB_PLACES,
} from "./synapse-cells.js";

const CELLS = [PRESYNAPTIC, INPUT_AXON, INTERNEURON, SPINE, ASTROCYTE];
const LABELLED = [
  [880, 20, 320, 180],
  [800, 196, 130, 40],
  [20, 30, 170, 40],
  [300, 76, 120, 40],
  [60, 250, 90, 34],
  [820, 500, 250, 160],
];
const MTOR_RADIUS = 21;
const PROTEIN_PATH = "M778 714C740 716 700 712 660 690C624 668 604 640 606 590C606 560 620 520 622 470";
export const MATURE = 0.5; // of the growth of a head: from here on a new spine is drawn and called mature
const THIN = 0.2; // of that growth: up to here it is called thin
const GROWN = 0.95; // of the length of a new spine
const SPINE_X = 946;
const DENDRITE_Y = 651;

const nmda = (x, y) =>
  group(
    "nmda",
    path(
      `M${x - 3} ${y}C${x - 1} ${y - 16} ${x - 1} ${y - 36} ${x - 7} ${y - 38}C${x - 14} ${y - 38} ${x - 13} ${y - 20} ${x - 10} ${y - 8}C${x - 10} ${y + 1} ${x - 5} ${y + 3} ${x - 3} ${y}Z`,
      "left",
    ),
    path(
      `M${x + 3} ${y}C${x + 1} ${y - 16} ${x + 1} ${y - 36} ${x + 7} ${y - 38}C${x + 14} ${y - 38} ${x + 13} ${y - 20} ${x + 10} ${y - 8}C${x + 10} ${y + 1} ${x + 5} ${y + 3} ${x + 3} ${y}Z`,
      "right",
    ),
  );

export const ampa = (x, y, className) =>
  path(
    `M${x - 2} ${y + 14}V${y - 4}L${x - 4} ${y - 18}H${x - 8}L${x - 6.5} ${y - 2}V${y + 14}ZM${x + 2} ${y + 14}V${y - 4}L${x + 4} ${y - 18}H${x + 8}L${x + 6.5} ${y - 2}V${y + 14}Z`,
    className,
  );

export const trkb = (x, y) =>
  group(
    "trkb",
    path(
      `M${x - 2} ${y + 12}C${x - 2} ${y - 8} ${x - 4} ${y - 28} ${x - 8} ${y - 28}S${x - 9} ${y - 6} ${x - 4} ${y + 12}Z`,
    ),
    path(
      `M${x + 2} ${y + 12}C${x + 2} ${y - 8} ${x + 4} ${y - 28} ${x + 8} ${y - 28}S${x + 9} ${y - 6} ${x + 4} ${y + 12}Z`,
    ),
    circle(x - 4.5, y + 16, 4.6),
    circle(x + 4.5, y + 16, 4.6),
  );

function dumbbell([x, y], i, className) {
  const node = group(className, circle(-4.4, 0, 4.2), circle(4.4, 0, 4.2), rect(-4, -2.6, 8, 5.2, 1));
  node.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${(i * 67) % 180})`);
  return node;
}

// A hundred small rings, in rows of ten.
function grid(x, y) {
  const place = (k) => [x + 9.8 * (k % 10), y + 9.6 * Math.floor(k / 10)];
  const all = Array.from({ length: 100 }, (_, k) => place(k));
  return {
    rings: group(
      "grid",
      all.map(([cx, cy]) => circle(cx, cy, 3.9)),
    ),
    full: all.map(([cx, cy]) => hexagon(cx, cy, 4.5, "ketamine")),
    count: svgElement("text", { x: x + 98, y: y + 12, class: "grid-value" }),
  };
}

// Marks on an axon, from the end that is drawn in full colour; `colour` is that of the cell.
function strokes(places, colour) {
  const mark = ([x, y, angle], className) => {
    const node = rect(-6.5, -2.2, 13, 4.4, 2.2, className);
    node.setAttribute("transform", `translate(${x} ${y}) rotate(${angle})`);
    return node;
  };
  const [rest, extra] = [places.slice(0, 10), places.slice(10)];
  return new LevelMarks(
    rest.map((p) => mark(p, `pale ${colour}`)),
    extra.map((p) => mark(p, `full ${colour}`)),
  );
}

const PYRAMIDAL_STROKES = Array.from({ length: 15 }, (_, i) => [600, 70 + 8.4 * i, 0]);
const INTERNEURON_STROKES = [
  [63, 290, 2],
  [61, 262, 2],
  [61, 234, 4],
  [63, 206, 8],
  [69, 178, 16],
  [80, 150, 28],
  [98, 124, 44],
  [124, 103, 64],
  [154, 89, 72],
  [186, 79, 76],
  [218, 72, 80],
  [312, 53, 80],
  [344, 47, 80],
  [376, 40, 78],
  [404, 33, 76],
];

const HABENULA_STROKES = Array.from({ length: 15 }, (_, i) => [40 + 10.4 * i, 606, 90]);

// A spine of a length and a breadth of its head from 0 to 1; zero length is no spine.
export function spinePath(x, base, length, head, { height = 112, neck = 15 } = {}) {
  const top = base - 6 - height * length;
  const size = Math.min(1, 0.35 + 0.8 * length);
  const h = (20 + 27 * head) * size;
  const foot = 38 * size;
  const narrow = neck * (0.72 + 0.28 * head) * size;
  const bulge = top + (28 + 18 * head) * Math.min(1, length * 1.2);
  return (
    `M${x - foot} ${base}C${x - narrow} ${base - 4} ${x - narrow} ${base - 22 * length} ${x - narrow} ${(base + bulge) / 2}` +
    `C${x - narrow} ${bulge + 8} ${x - h} ${bulge + 4} ${x - h} ${(top + bulge) / 2 + 4}C${x - h} ${top + 2} ${x - h * 0.5} ${top} ${x} ${top}` +
    `S${x + h} ${top + 2} ${x + h} ${(top + bulge) / 2 + 4}C${x + h} ${bulge + 4} ${x + narrow} ${bulge + 8} ${x + narrow} ${(base + bulge) / 2}` +
    `C${x + narrow} ${base - 22 * length} ${x + narrow} ${base - 4} ${x + foot} ${base}Z`
  );
}

export const synapse = {
  build,
  wideHeight: 370, // px
  cameras: {
    wide: FRAME,
    medium: [190, 0, 1000, 744],
    narrow: [372, 318, 470, 330],
    narrowLate: [640, 410, 470, 300],
  },
  sentence,
};

function build() {
  const isCell = insideOf(CELLS, 9);
  const isLabel = (x, y) => LABELLED.some(([a, b, w, h]) => x > a && x < a + w && y > b && y < b + h);
  const free = (boxes, count, gap, seed) =>
    scatter({ boxes, count, gap, seed, isFree: (x, y) => !isCell(x, y) && !isLabel(x, y) });
  const dots = (points, className, r) => points.map(([x, y]) => circle(x.toFixed(1), y.toFixed(1), r, className));

  const cleft = [
    [440, 343, 320, 42],
    [394, 300, 34, 130],
    [786, 290, 24, 150],
    [206, 296, 136, 22],
  ];
  const glutamate = free(cleft, 160, 9, 7);
  const bdnfPlaces = free(
    [
      [330, 560, 230, 76],
      [636, 560, 200, 76],
    ],
    36,
    19,
    5,
  );
  const ketaminePlaces = free(
    [
      [80, 76, 320, 300],
      [380, 190, 60, 330],
      [300, 420, 130, 120],
      [730, 60, 190, 230],
    ],
    90,
    21,
    3,
  );
  const [interneuronGrid, spineGrid] = [grid(902, 74), grid(1050, 74)];

  const parts = {
    ketamine: new Marks(ketaminePlaces.map(([x, y]) => hexagon(x, y, 6.6, "ketamine"))),
    blocked_interneuron: new Marks(interneuronGrid.full),
    blocked_spine: new Marks(spineGrid.full),
    trapped_interneuron: new Marks(
      [3, 1, 5, 0, 6, 2, 4].map((k) => hexagon(INTERNEURON_CHANNELS[k], 343, 6.2, "ketamine trapped")),
    ),
    trapped_spine: new Marks(
      RECEPTORS.filter(({ kind }) => kind === "N").map(({ x }) => hexagon(x, 394, 6.2, "ketamine trapped")),
    ),
    interneuron: strokes(INTERNEURON_STROKES, "gaba"),
    pyramidal: strokes(PYRAMIDAL_STROKES, "glutamate"),
    glutamate: new LevelMarks(
      dots(glutamate.slice(0, 100), "pale glutamate", 3.3),
      dots(glutamate.slice(100), "full glutamate", 4.4),
    ),
    bdnf: new LevelMarks(
      bdnfPlaces.slice(0, 12).map((p, i) => dumbbell(p, i, "pale growth")),
      bdnfPlaces.slice(12).map((p, i) => dumbbell(p, i, "full growth")),
    ),
  };
  const habenulaBursts = strokes(HABENULA_STROKES, "habenula-burst");
  const ampaRest = RECEPTORS.filter(({ kind }) => kind === "A").map(({ x }) => ampa(x, 400, "pale ampa"));
  const inner = RECEPTORS.filter(({ kind }) => kind === "a").sort((a, b) => Math.abs(a.x - 600) - Math.abs(b.x - 600));
  const ampaNew = inner.map(({ x }) => ampa(x, 400, "full ampa"));
  const trkbNodes = TRKB_PLACES.map((x) => trkb(x, DENDRITE_Y - 4));
  const ring = circle(...MTOR, MTOR_RADIUS, "mtor-ring");
  const disc = circle(...MTOR, MTOR_RADIUS);
  const band = path("", "full growth protein-band");
  const squares = Array.from({ length: 40 }, () => rect(-3.6, -3.6, 7.2, 7.2, 0.8, "full growth"));
  const route = path(PROTEIN_PATH);
  const newSpine = path("", "new-spine");
  const spineLabel = label(SPINE_X, 524, [""], { anchor: "middle", id: "new-spine", sizes: "wide medium narrow-late" });

  const node = group(
    "synapse",
    background(),
    group(
      "inset",
      rect(20, 570, 172, 56, 8, "frame"),
      habenulaBursts.rest,
      habenulaBursts.extra.nodes,
      label(30, 592, ["Habenula"], { sizes: "wide medium narrow narrow-late" }),
    ),
    interneuronGrid.rings,
    spineGrid.rings,
    interneuronGrid.count,
    spineGrid.count,
    group(
      "marks",
      [...Object.values(parts)].flatMap((one) =>
        one instanceof LevelMarks ? [...one.rest, ...one.extra.nodes] : one.nodes,
      ),
    ),
    group(
      "receptors",
      INTERNEURON_CHANNELS.map((x) => nmda(x, 360)),
      RECEPTORS.filter(({ kind }) => kind === "N").map(({ x }) => nmda(x, 410)),
      ampaRest,
      ampaNew,
    ),
    group("trapped-marks", parts.trapped_interneuron.nodes, parts.trapped_spine.nodes),
    trkbNodes,
    ring,
    group(
      "mtor",
      disc,
      path(`M${MTOR[0] - 8} ${MTOR[1] - 8}a8 8 0 0 1 16 0a8 8 0 0 1 0 16a8 8 0 0 1 -16 0a8 8 0 0 1 0 -16z`),
    ),
    band,
    squares,
    path(MISSING_SPINE, "missing"),
    newSpine,
    labels(bdnfPlaces.slice(0, 12).sort((a, b) => b[0] - a[0])[0]),
    spineLabel,
  );
  const points = Array.from({ length: 41 }, (_, i) => pointOn(route, i / 40));

  return {
    node,
    update(frame) {
      for (const [id, part] of Object.entries(parts)) part.show(frame.amount(id));
      habenulaBursts.show(frame.amount("habenula_bursts"));
      for (const [count, id] of [
        [interneuronGrid.count, "blocked_interneuron"],
        [spineGrid.count, "blocked_spine"],
      ]) {
        setText(count, String(frame.amount(id)));
      }
      showAmpa(ampaNew, frame.amount("ampa"), ampaRest);
      const active = frame.amount("trkb");
      trkbNodes.forEach((one, i) => setAttribute(one, "data-active", i < active ? "yes" : "no"));
      setAttribute(disc, "data-hollow", frame.ratio("mtorc1") < 0.9 ? "yes" : "no");
      setAttribute(ring, "r", (MTOR_RADIUS * Math.sqrt(1 + frame.amount("mtorc1"))).toFixed(1));
      setAttribute(band, "d", bandPath(frame.amount("protein")));
      showProtein(squares, frame.amount("new_protein"), points);
      showSpine(newSpine, spineLabel, frame);
    },
  };
}

function pointOn(route, share) {
  const { x, y } = route.getPointAtLength(share * route.getTotalLength());
  return [x, y];
}

// New receptors rise from inside the cell; below rest the pale ones become hollow.
function showAmpa(nodes, amount, rest) {
  const missing = Math.floor(Math.max(0, -amount));
  rest.forEach((node, i) => setAttribute(node, "data-hollow", i >= rest.length - missing ? "yes" : "no"));
  nodes.forEach((node, i) => {
    const share = Math.min(1, Math.max(0, amount - i));
    setAttribute(node, "opacity", share < 0.02 ? "0" : (0.35 + 0.65 * share).toFixed(2));
    setAttribute(node, "transform", `translate(0 ${(26 * (1 - share)).toFixed(1)})`);
  });
}

const bandPath = (thickness) =>
  thickness < 0.2
    ? ""
    : `M478 431H722C716 ${(431 + thickness).toFixed(1)} 700 ${(431 + thickness).toFixed(1)} 680 ${(431 + thickness).toFixed(1)}H520C500 ${(431 + thickness).toFixed(1)} 484 ${(431 + thickness).toFixed(1)} 478 431Z`;

// Squares in equal steps along the way from the ribosomes; the first ones are farthest.
function showProtein(squares, amount, points) {
  const count = Math.min(squares.length, Math.floor(amount));
  if (count === squares.count) return;
  squares.count = count;
  squares.forEach((node, i) => {
    setAttribute(node, "opacity", i < count ? "1" : "0");
    if (i >= count) return;
    const [x, y] = points[Math.round(((i + 1) / (count + 1)) * (points.length - 1))];
    setAttribute(
      node,
      "transform",
      `translate(${x.toFixed(1)} ${(y + (i % 2 ? 5 : -5)).toFixed(1)}) rotate(${(i * 40) % 90})`,
    );
  });
}

function showSpine(node, text, frame) {
  const length = frame.amount("new_spine");
  const head = frame.amount("new_spine_head");
  const isDrawn = length > 0.02;
  setAttribute(node, "d", isDrawn ? spinePath(SPINE_X, DENDRITE_Y, length, head) : "");
  const isMature = head >= MATURE;
  setAttribute(node, "data-mature", isMature ? "yes" : "no");
  const isShrinking = length < GROWN && frame.hours > frame.bindings.extreme("new_spine", Math.max).hours;
  const state = isShrinking ? "shrinking" : isMature ? "mature" : head < THIN ? "thin" : "growing broad";
  const words = isDrawn ? `new spine, ${state}` : "missing spine";
  const line = (text.line ??= text.querySelector("tspan"));
  setText(line, words);
}

const receptorNames = (nmdaX, ampaX, sizes) =>
  [["NMDA", nmdaX, 6], ["AMPA", ampaX, 10]].map(([name, x, i]) =>
    label(x, 478, [name], { anchor: "middle", leader: [RECEPTORS[i].x, 460, RECEPTORS[i].x, 416], sizes }),
  );

// Plain words, and the terms of textbooks from the student level on.
const twoNames = (x, y, plain, term, options) => [
  label(x, y, plain, { ...options, level: { "data-until": "plain" } }),
  label(x, y, term, { ...options, level: { "data-from": "student" } }),
];

// `bdnf`: the place of the molecule to which its name points.
function labels(bdnf) {
  return group(
    "labels",
    label(24, 56, ["Inhibitory axon"], { leader: [74, 64, 86, 132], sizes: "wide" }),
    label(312, 100, ["Ketamine"], { sizes: "wide medium" }),
    label(68, 272, ["NMDA"], { leader: [122, 280, 178, 332], sizes: "wide" }),
    label(24, 496, ["Interneuron", "(calms other cells)"], { sizes: "wide" }),
    label(375, 424, ["Inter-", "neuron"], { sizes: "narrow" }),
    label(206, 392, ["Interneuron"], { sizes: "medium" }),
    twoNames(772, 24, ["Sending cell"], ["Presynaptic neuron"], { leader: [764, 19, 716, 19], sizes: "wide" }),
    label(1180, 56, ["NMDA channels blocked, of 100"], { anchor: "end", sizes: "wide" }),
    label(1140, 44, ["Blocked, of 100"], { anchor: "end", sizes: "medium" }),
    label(898, 186, ["interneuron"], { sizes: "wide medium", isNote: true }),
    label(1066, 186, ["spine"], { sizes: "wide", isNote: true }),
    label(1112, 186, ["spine"], { sizes: "medium", isNote: true }),
    label(826, 218, ["Glutamate"], { leader: [838, 226, 800, 290], sizes: "wide" }),
    label(826, 232, ["Glutamate"], { leader: [838, 240, 800, 290], sizes: "medium" }),
    twoNames(1180, 362, ["Helper cell", "takes up glutamate"], ["Astrocyte", "takes up glutamate"], { anchor: "end", sizes: "wide medium" }),
    receptorNames(546, 650, "wide narrow"),
    receptorNames(534, 662, "medium"),
    label(820, 572, ["BDNF"], { leader: [816, 572, ...bdnf], sizes: "wide" }),
    label(804, 572, ["BDNF"], { leader: [801, 572, ...bdnf], sizes: "medium" }),
    label(888, 592, ["BDNF"], { anchor: "end", sizes: "narrow-late" }),
    label(836, 634, ["TrkB"], { leader: [833, 628, TRKB_PLACES.at(-1) + 8, 630], sizes: "wide" }),
    label(827, 634, ["TrkB"], { sizes: "medium" }),
    twoNames(24, 694, ["Branch of the", "receiving cell"], ["Dendrite of the", "receiving neuron"], { sizes: "wide" }),
    label(494, 710, ["mTORC1"], { sizes: "wide medium" }),
    twoNames(1006, 712, ["protein makers"], ["ribosomes"], { sizes: "wide medium" }),
  );
}

// What the drawing shows, in one or two sentences.
function sentence(frame) {
  const first = isLeft(frame)
    ? `Ketamine blocks ${frame.short("blocked_interneuron")} NMDA channels on the interneuron and ${frame.short("blocked_spine")} on the spine.`
    : absence(frame);
  return `${first} ${glutamateWords(frame)}${habenulaWords(frame)}${lastingWords(frame)}`;
}

const isLeft = (frame) => frame.value("ketamine") > 0.1 * frame.peak("ketamine") && frame.value("ketamine") > 0.005;

function habenulaWords(frame) {
  const fewer = Math.round(100 * (1 - frame.ratio("habenula_bursts")));
  const why = isLeft(frame) ? "" : ", since some of the drug is still caught in its gates";
  return fewer >= 5 ? ` Deep in the brain, the habenula bursts ${fewer} percent less than at rest${why}.` : "";
}

function absence(frame) {
  if (frame.peak("ketamine") < 0.005) return "No ketamine is given.";
  const isBefore = frame.hours < frame.bindings.extreme("ketamine", Math.max).hours;
  return isBefore ? "Ketamine begins to arrive." : "Almost no ketamine is left.";
}

function glutamateWords(frame) {
  const percent = Math.round(100 * (frame.ratio("glutamate") - 1));
  if (percent >= 2) return `Inhibition is weaker, and glutamate is ${percent} percent above rest.`;
  if (percent <= -2) return `Glutamate is ${-percent} percent below rest.`;
  return "Glutamate is at rest.";
}

function lastingWords(frame) {
  const rise = (id) => Math.round(100 * (frame.ratio(id) - 1));
  const found = [];
  if (rise("ampa") >= 3) found.push(`${rise("ampa")} percent more AMPA receptors`);
  if (rise("protein") >= 3) found.push(`${rise("protein")} percent more protein`);
  const grown = frame.amount("new_spine");
  const isFading = frame.hours > frame.bindings.extreme("new_spine", Math.max).hours;
  const partly = isFading ? " The new spine is shrinking." : " A new spine is growing.";
  const spine = grown >= GROWN ? " A new spine has grown." : grown > 0.1 ? partly : "";
  return `${found.length ? ` The synapse holds ${found.join(" and ")} than at rest.` : ""}${spine}`;
}
