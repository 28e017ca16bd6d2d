// The parts of the synapse that never change: cells, vesicles, ribosomes; and the places of everything that does.
// Units of the drawing: 1200 wide, 744 high.

import { cell, circle, group, path, rect } from "./shapes.js";

export const FRAME = [0, 0, 1200, 744];

export const PRESYNAPTIC =
  "M476 -300V-30C492 22 540 58 566 78C584 92 583 108 580 122C573 156 520 172 478 192C436 212 414 246 414 284C414 314 430 335 462 335" +
  "H738C770 335 786 314 786 284C786 246 764 212 722 192C680 172 627 156 620 122C617 108 616 92 634 78C660 58 708 22 724 -30V-300Z";
export const INPUT_AXON =
  "M265 -300V-30C266 40 270 120 271 186C270 214 196 220 196 262C196 284 206 290 226 290H320C340 290 349 284 349 262C349 220 283 214 283 186" +
  "C284 120 286 40 287 -30V-300Z";
export const INTERNEURON =
  "M-600 300H-30C10 300 52 300 88 312C124 326 150 352 196 354H340C372 354 384 366 384 380C384 396 366 400 340 402C280 408 226 416 208 432" +
  "C186 456 176 506 140 528C100 552 30 550 -30 532H-600Z";
const INHIBITORY_AXON =
  "M54 310C50 214 60 120 118 84C200 42 320 48 422 18C432 15 436 26 428 34C410 44 330 58 268 68C200 80 138 92 112 122C76 162 70 226 71 308Z";
const BOUTONS = [
  "M424 8C420 -22 466 -8 468 6C466 28 432 26 424 8Z",
  "M446 42C446 10 490 22 492 44C490 70 452 68 446 42Z",
];
export const SPINE =
  "M-600 664H-30C60 660 130 650 196 648C236 646 236 632 232 612C228 590 208 594 208 568C208 540 228 532 254 532S300 540 300 568" +
  "C300 594 280 590 276 612C272 634 280 644 312 646C380 652 470 652 520 640C566 630 576 606 574 584C572 552 540 532 500 512" +
  "C452 490 430 470 430 440C430 412 440 400 466 400H734C760 400 770 412 770 440C770 470 748 490 700 512C660 532 628 552 626 584" +
  "C624 606 634 630 680 640C730 650 800 650 880 648C960 648 1020 652 1064 646C1096 640 1100 630 1096 612C1090 592 1070 592 1070 566" +
  "C1070 538 1090 530 1116 530S1162 538 1162 566C1162 592 1142 592 1136 612C1132 634 1140 644 1230 652H1800V1100H-600Z";
export const ASTROCYTE =
  "M1800 228H1230C1160 240 1120 282 1050 278C990 272 940 226 880 228C836 230 822 250 832 262C850 282 912 282 908 312C902 338 812 340 802 360" +
  "C800 386 860 384 900 390C940 396 950 420 930 440C900 462 832 466 832 486C834 512 880 508 930 492C990 470 1040 476 1100 490C1150 500 1190 500 1230 498H1800Z";
export const MISSING_SPINE =
  "M906 650C936 646 934 622 930 606C924 586 900 590 900 562C900 540 920 537 946 537S992 540 992 562C992 590 968 586 962 606C958 622 956 646 986 650";
const FAR_CELLS =
  "M150 -20C180 60 140 150 160 250C170 290 205 280 202 240C196 150 216 70 206 -20ZM1010 40C1060 60 1090 110 1230 130V-20H1020Z";

// Receptors at the spine, from the left: N is NMDA, A an AMPA receptor at rest, a the place of another one.
const ROW = "AaNAaANAaNAaANaA";
const WIDTHS = { N: 27, A: 19, a: 19 };
function receptorPlaces() {
  const total = [...ROW].reduce((sum, kind) => sum + WIDTHS[kind], 0);
  let left = 600 - total / 2;
  return [...ROW].map((kind) => {
    left += WIDTHS[kind];
    return { kind, x: left - WIDTHS[kind] / 2 };
  });
}
export const RECEPTORS = receptorPlaces();
export const INTERNEURON_CHANNELS = Array.from({ length: 7 }, (_, i) => 180 + 29 * i);
export const TRKB_PLACES = [372, 420, 468, 718, 766, 814];
export const MTOR = [456, 704];
const RIBOSOMES = [
  [806, 708],
  [840, 714],
  [874, 722],
  [908, 712],
  [942, 696],
  [976, 699],
];

const VESICLES = [
  [461, 236],
  [584, 219],
  [615, 220],
  [644, 223],
  [678, 225],
  [718, 222],
  [603, 247],
  [646, 269],
  [674, 269],
  [705, 256],
  [755, 256],
  [478, 268],
  [560, 274],
  [450, 293],
  [506, 289],
  [533, 294],
  [612, 291],
  [642, 296],
  [685, 283],
  [726, 279],
  [748, 295],
  [583, 305],
  [671, 304],
];
const DOCKED = [486, 543, 600, 657, 714];

function vesicle([x, y]) {
  const dots = [
    [-3.6, -3.6],
    [3.6, -3.6],
    [-3.6, 3.6],
    [3.6, 3.6],
  ].map(([dx, dy]) => circle(x + dx, y + dy, 2.1, "cargo"));
  return group("vesicle", circle(x, y, 11.5), dots);
}

function docked(x) {
  const pit = path(`M${x - 15} 336C${x - 11} 332 ${x - 13} 312 ${x} 312S${x + 11} 332 ${x + 15} 336Z`, "pit");
  const dots = [
    [-4, 329],
    [4, 329],
    [0, 321],
  ].map(([dx, y]) => circle(x + dx, y, 2.3, "cargo"));
  return group("docked", pit, dots);
}

const mitochondrion = () => {
  const folds = [-26, -13, 0, 13, 26].map((x) => path(`M${x} -14C${x - 6} -4 ${x + 6} 6 ${x} 13`, "fold"));
  const node = group("mitochondrion", rect(-44, -17, 88, 34, 17), folds);
  node.setAttribute("transform", "translate(520 217) rotate(-24)");
  return node;
};

const ribosome = ([x, y]) =>
  group("ribosome", path(`M${x - 11} ${y + 5}a11 8 0 1 0 22 0a11 7 0 1 0 -22 0`), circle(x, y - 5, 7.5));

const endosome = ([x, y]) => group("endosome", circle(x, y, 12.5), circle(x, y, 6.5, "core"));

// What lies behind the moving parts.
export function background() {
  return group(
    "still",
    rect(-900, -600, 3000, 2200, 0, "fluid"),
    path(FAR_CELLS, "far"),
    cell(INHIBITORY_AXON, "gaba-cell"),
    BOUTONS.map((d) => cell(d, "gaba-cell")),
    cell(PRESYNAPTIC, "presynaptic"),
    group("nucleus presynaptic", circle(600, -18, 42)),
    cell(INPUT_AXON, "presynaptic"),
    cell(INTERNEURON, "gaba-cell"),
    group("nucleus gaba-cell", circle(62, 428, 56), circle(74, 437, 14)),
    cell(SPINE, "postsynaptic"),
    cell(ASTROCYTE, "astrocyte"),
    [
      [825, 262],
      [804, 360],
      [830, 484],
    ].map(([x, y]) => path(`M${x} ${y - 8}q-7 8 2 16`, "uptake")),
    mitochondrion(),
    VESICLES.map(vesicle),
    DOCKED.map(docked),
    rect(466, 417, 268, 12, 6, "density"),
    [
      [470, 475],
      [500, 500],
      [728, 477],
      [702, 502],
    ].map(endosome),
    path("M570 516q30 -14 60 0M576 530q24 -11 48 0M580 543q20 -9 40 0", "lines"),
    path(`M790 716C806 690 824 726 840 714S872 730 890 716S930 684 950 690S976 702 992 712`, "strand"),
    RIBOSOMES.map(ribosome),
    path("M20 738C140 728 280 742 420 736M500 740C640 730 900 744 1180 734", "lines"),
  );
}
