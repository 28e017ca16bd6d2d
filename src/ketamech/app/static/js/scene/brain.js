// The brain from the middle, forehead to the left: a disc for each area and a line for each link, beside their healthy
// size. Areas that do not lie in the middle have a broken ring.

import { setAttribute, setText, svgElement } from "../dom.js";
import { cell, circle, group, label, path, rect } from "./shapes.js";

const AS_HEALTHY = 0.015;
const CEREBRUM =
  "M142 446C120 420 116 380 124 350C116 316 124 280 142 262C140 232 160 206 186 196C196 168 228 148 262 146C286 118 326 104 360 106" +
  "C388 80 430 70 462 76C492 56 540 54 570 68C604 58 650 68 676 90C712 92 752 112 770 138C806 148 836 176 842 206C870 226 888 256 886 286" +
  "C908 318 914 360 904 392C912 430 900 468 876 486C850 500 790 498 740 494L700 492C690 520 650 560 608 586C560 612 470 618 400 604" +
  "C366 596 340 580 334 550C330 530 336 512 338 492C300 500 260 496 226 490C186 484 156 470 142 446Z";
const CALLOSUM =
  "M356 386C336 346 350 290 400 262C470 228 580 236 640 280C676 308 688 344 680 360C672 372 652 368 644 352C630 316 580 290 510 286" +
  "C440 284 396 306 384 340C378 362 384 380 388 392C384 402 366 402 356 386Z";
const CEREBELLUM =
  "M690 500C740 488 812 496 846 530C870 566 862 610 826 636C780 664 712 660 678 628C648 596 642 560 656 532C664 514 676 506 690 500Z";
const STEM = "M540 598C556 640 566 700 566 780H656C650 720 648 660 650 590C640 560 600 574 540 598Z";
const FOLDS =
  "M284 160C290 150 282 136 276 146M282 124C300 130 292 160 286 176M436 70C440 90 432 104 430 122M512 62C508 84 510 104 508 118M566 66C562 96 564 112 562 126" +
  "M640 82C644 104 640 122 636 140M712 104C704 128 708 148 700 166M780 146C764 166 764 184 752 200M846 214C820 226 806 250 796 268M886 296C850 296 818 320 796 346" +
  "M902 398C862 392 820 388 776 396M166 238C186 246 204 262 222 276M142 330C162 340 180 344 196 346M330 176C360 158 392 156 420 160M560 156C590 152 620 150 644 158" +
  "M366 590C430 560 500 552 560 560M160 430C190 420 220 400 262 404M252 300C268 320 270 340 268 356M214 340C240 330 260 336 290 342M716 216C770 250 790 290 780 360";
// Areas: centre, radius of the healthy ring, whether it lies in the middle, and the place of its name, also on a phone,
// where the letters are larger beside the discs.
const AREAS = {
  dorsolateral_prefrontal: { at: [250, 204], r: 28, name: [["Dorsolateral", "prefrontal"], 214, 186, "end"], narrow: [["Dorsolateral", "prefrontal"], 212, 150, "end"] },
  medial_prefrontal: { at: [199, 366], r: 28, middle: true, name: [["Medial", "prefrontal"], 199, 424, "middle"], narrow: [["Medial", "prefrontal"], 158, 356, "end"] },
  subgenual_cingulate: { at: [337, 440], r: 28, middle: true, name: [["Subgenual", "cingulate"], 326, 496, "middle"], narrow: [["Subgenual"], 320, 516, "middle"] },
  dorsal_cingulate: { at: [425, 226], r: 28, middle: true, name: [["Dorsal cingulate"], 468, 232, "start"], narrow: [["Dorsal cingulate"], 468, 228, "start"] },
  posterior_cingulate: { at: [729, 290], r: 28, middle: true, name: [["Posterior", "cingulate"], 772, 284, "start"], narrow: [["Posterior", "cingulate"], 776, 270, "start"] },
  insula: { at: [446, 352], r: 28, name: [["Insula"], 446, 402, "middle"], narrow: [["Insula"], 432, 304, "middle"] },
  hippocampus: { at: [640, 524], r: 28, name: [["Hippocampus"], 656, 578, "middle"], narrow: [["Hippocampus"], 684, 560, "start"] },
  amygdala: { at: [470, 520], r: 28, name: [["Amygdala"], 456, 574, "middle"], narrow: [["Amygdala"], 470, 596, "middle"] },
  thalamus: { at: [556, 366], r: 28, middle: true, name: [["Thalamus"], 556, 326, "middle"], narrow: [["Thalamus"], 594, 306, "middle"] },
  accumbens: { at: [424, 446], r: 22, middle: true, name: [["Accumbens"], 454, 452, "start"], narrow: [["Accumbens"], 466, 470, "start"] },
  habenula: { at: [650, 392], r: 22, middle: true, name: [["Habenula"], 682, 400, "start"], narrow: [["Habenula"], 690, 404, "start"] },
};
const LINKS = {
  default_mode: "M199 366C280 130 600 60 729 290M729 290C740 380 690 460 640 524M640 524C560 640 260 650 199 366",
  subgenual_link: "M199 366C240 400 280 424 337 440",
  control_link: "M250 204C216 250 196 300 199 366",
  insula_link: "M446 352C370 318 270 320 199 366",
  salience: "M446 352C452 310 444 270 425 226",
};
export const brain = {
  build,
  cameras: { wide: [-60, 30, 1142, 714], medium: [100, 20, 830, 660], narrow: [-10, 46, 952, 640] },
  sentence,
};

function build() {
  const links = Object.entries(LINKS).map(([id, d]) => ({
    id,
    healthy: path(d, "link-healthy"),
    line: path(d, "link"),
  }));
  const discs = Object.entries(AREAS).map(([id, area]) => disc(id, area));
  const node = group(
    "brain",
    rect(-400, -300, 2000, 1500, 0, "fluid"),
    cell(STEM, "tissue"),
    cell(CEREBELLUM, "tissue"),
    path(
      "M664 552C720 540 800 548 852 580M660 590C720 572 800 586 846 612M676 620C730 602 780 616 818 636M690 520C740 512 810 526 856 552",
      "fold",
    ),
    cell(CEREBRUM, "tissue"),
    path(
      "M400 420C380 380 400 330 450 312C540 290 640 320 660 380C668 430 620 470 540 484C470 490 424 470 400 420Z",
      "deep",
    ),
    path(CALLOSUM, "callosum"),
    path(
      "M486 366C490 330 520 320 560 322C600 324 626 346 626 372C624 404 590 424 556 424C516 424 484 402 486 366Z",
      "thalamus-shape",
    ),
    path(FOLDS, "fold"),
    group(
      "links",
      links.map(({ healthy }) => healthy),
      links.map(({ line }) => line),
    ),
    group(
      "areas",
      discs.map(({ node: one }) => one),
    ),
    Object.values(AREAS).map(({ name: [lines, x, y, anchor] }) => label(x, y, lines, { anchor })),
    legend(),
    Object.values(AREAS).map(({ narrow: [lines, x, y, anchor] }) => label(x, y, lines, { anchor, sizes: "narrow" })),
  );
  return {
    node,
    update(frame) {
      for (const { id, fill, value } of discs) showDisc(frame, id, fill, value);
      for (const { id, line } of links) showLink(frame, id, line);
    },
  };
}

// What the discs and lines mean, beside the brain.
function legend() {
  const kinds = [
    ["less", 16, "less active"],
    ["healthy", 22, "as healthy"],
    ["more", 27, "more active"],
  ];
  const one = ([side, r, text], i) => {
    const [x, y] = [958, 486 + 72 * i];
    const fill = circle(x, y, r, "area");
    fill.setAttribute("data-side", side);
    return [fill, circle(x, y, 22, "healthy-ring"), label(x + 38, y + 6, [text], { sizes: "wide" })];
  };
  return group("disc-legend", kinds.map(one));
}

function disc(id, { at, r, middle }) {
  const fill = circle(...at, r, "area");
  const value = svgElement("text", { x: at[0], y: at[1], "text-anchor": "middle", class: "area-value" });
  const ring = circle(...at, r, middle ? "healthy-ring" : "healthy-ring broken");
  return { id, fill, value, node: group("area-mark", circle(...at, r + 3, "area-ground"), fill, ring, value) };
}

function showDisc(frame, id, fill, value) {
  const { r } = AREAS[id];
  const activity = frame.value(id);
  setAttribute(fill, "r", (r * Math.sqrt(frame.amount(id))).toFixed(1));
  setAttribute(fill, "data-side", sideOf(activity));
  setText(value, String(Math.round(100 * activity)));
}

function showLink(frame, id, line) {
  setAttribute(line, "stroke-width", frame.amount(id).toFixed(2));
  setAttribute(line, "data-side", sideOf(frame.value(id)));
}

const sideOf = (value) => (Math.abs(value - 1) < AS_HEALTHY ? "healthy" : value > 1 ? "more" : "less");

const list = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// The areas that moved most towards healthy, and away from it; the habenula, which carries much of the first day, always.
function sentence(frame) {
  const moved = Object.keys(AREAS).map((id) => {
    const before = Math.abs(frame.rest(id) - 1);
    return { id, gain: before - Math.abs(frame.value(id) - 1) };
  });
  const most = (sign, count) => {
    const found = moved.filter(({ gain }) => sign * gain > 0.03).sort((a, b) => sign * (b.gain - a.gain));
    const own = found.findIndex(({ id }) => id === "habenula");
    return own < count ? found.slice(0, count) : [...found.slice(0, count - 1), found[own]];
  };
  const closer = most(1, 3);
  const farther = most(-1, 2);
  const words = (found, what) =>
    `${capital(list(found.map(({ id }) => `the ${frame.bindings.rows.get(id).label.toLowerCase()}`)))} ${found.length > 1 ? "are" : "is"} ${what} than before the dose.`;
  const parts = [
    closer.length && words(closer, "closer to healthy"),
    farther.length && words(farther, "farther from healthy"),
  ];
  const shown = parts.filter(Boolean).join(" ");
  return shown || "All areas are within 3 percent of their level before the dose.";
}
