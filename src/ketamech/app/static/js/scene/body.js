// The body: a hundred parts of the dose in the places where the drug is, the level in blood and brain as a tint.

import { setAttribute, setText, svgElement } from "../dom.js";
import { cell, circle, group, hexagon, insideOf, label, Marks, path, rect, scatter } from "./shapes.js";

const TORSO =
  "M394 29C432 29 458 60 458 104C458 148 444 172 432 188C424 200 426 216 440 224C472 238 534 246 566 268C596 290 606 330 612 380C620 450 640 620 642 780H572" +
  "C568 640 556 500 538 404C534 500 552 640 552 780H238C238 640 258 500 254 404C236 500 222 640 218 780H148C150 620 170 450 178 380" +
  "C184 330 194 290 224 268C256 246 318 238 350 224C364 216 366 200 358 188C346 172 332 148 332 104C332 60 358 29 394 29Z";
const BRAIN =
  "M394 58C380 44 354 46 350 64C340 72 342 92 346 100C344 118 358 130 374 126C382 130 390 128 394 122C398 128 408 130 416 126C432 130 446 118 444 100" +
  "C448 92 450 72 440 64C436 46 410 44 394 58Z";
const BRAIN_FOLDS =
  "M394 58V124M370 56C378 64 362 74 372 84M356 74C366 78 354 94 364 104M418 56C410 64 426 74 416 84M434 74C424 78 436 94 426 104";
const VESSELS =
  "M374 134C372 200 376 260 384 306M416 134C414 200 410 260 404 306M388 340C372 318 330 290 280 290C246 292 232 330 228 390C222 480 204 620 196 780" +
  "M400 340C420 318 470 290 520 288C556 292 568 330 574 390C584 480 604 620 606 780M392 330V640C380 690 358 720 350 780M392 640C408 690 432 720 440 780M350 562C370 554 414 554 438 562";
const HEART = "M390 352C404 330 446 336 444 366C444 390 430 404 416 414C398 402 386 378 390 352Z";
const LUNGS = [
  "M372 280C340 282 312 320 302 380C298 404 304 416 328 416C350 418 374 412 376 396C380 360 378 320 372 280Z",
  "M418 280C450 282 480 320 490 380C494 404 488 416 464 416C448 416 446 408 450 380C452 350 410 340 414 300Z",
];
const LIVER =
  "M300 438C336 420 400 424 438 440C440 452 428 456 410 458C396 480 350 510 316 512C296 500 292 460 300 438Z";
const STOMACH =
  "M440 446C470 432 490 460 486 490C484 520 450 530 426 522C418 512 432 504 446 500C452 486 430 462 440 446Z";
const INTESTINE =
  "M322 612C322 596 340 592 356 598C372 590 384 594 392 600C402 592 420 592 430 598C448 592 464 598 464 614C474 630 472 650 464 662" +
  "C470 682 460 700 444 704C430 714 410 712 396 706C380 714 352 712 342 702C324 698 316 680 322 662C312 648 312 628 322 612Z";
const INTESTINE_FOLDS =
  "M334 630C360 618 376 640 392 626S440 618 454 634M330 662C356 648 372 672 392 658S438 650 458 666M344 690C366 678 380 698 396 686S432 682 446 692";
const KIDNEYS = [
  "M340 536C328 536 324 552 332 560C322 572 326 584 340 582C352 580 354 560 350 550C352 544 348 536 340 536Z",
  "M450 536C462 536 466 552 458 560C468 572 464 584 450 582C438 580 436 560 440 550C438 544 442 536 450 536Z",
];
const NOSE = "M394 132C390 148 384 160 388 166C392 170 398 170 402 166C406 160 398 148 394 132Z";
const TUBE = "M108 256V264M108 284C108 360 104 440 126 480C146 516 176 530 212 528";
const RADIUS = 5.6;

// Boxes in which the parts of each place lie, and whether these parts are hollow.
const PLACES = {
  bag: { boxes: [[70, 150, 76, 60]], gap: 9.5 },
  nose: { boxes: [[486, 128, 104, 90]], gap: 11 },
  injection: { boxes: [[576, 300, 44, 130]], gap: 10 },
  gut: {
    boxes: [
      [416, 440, 76, 90],
      [314, 590, 156, 122],
    ],
    gap: 10.5,
  },
  blood: {
    boxes: [
      [180, 280, 430, 460],
      [366, 140, 60, 160],
    ],
    gap: 11,
  },
  tissue: { boxes: [[150, 250, 490, 480]], gap: 15 },
  liver: { boxes: [[300, 432, 130, 76]], gap: 9.5 },
  metabolite: { boxes: [[160, 250, 470, 480]], gap: 22, hollow: true },
};

export const body = {
  build,
  cameras: { wide: [0, -4, 1210, 760], medium: [0, -4, 1080, 760], narrow: [44, -6, 1131, 770] },
  sentence,
};

function build() {
  const torso = insideOf([TORSO], 0);
  const rim = insideOf([TORSO], 9);
  const inBody = (x, y) => torso(x, y) && rim(x - 9, y) && torso(x + 9, y) && torso(x - 9, y);
  const vessels = onStroke(VESSELS, 9);
  const organs = insideOf([LIVER, STOMACH, INTESTINE, HEART, BRAIN], 6);
  const gut = insideOf([STOMACH, INTESTINE], 0);
  const liver = insideOf([LIVER], 0);
  const rules = {
    blood: (x, y) => vessels(x, y),
    tissue: (x, y) => inBody(x, y) && !vessels(x, y) && !organs(x, y),
    metabolite: (x, y) => inBody(x, y) && !vessels(x, y) && !organs(x, y),
    liver: (x, y) => liver(x, y),
    gut: (x, y) => gut(x, y) && !vessels(x, y),
  };
  const parts = {};
  Object.entries(PLACES).forEach(([id, { boxes, gap, hollow }], k) => {
    const points = scatter({ boxes, count: 100, gap, seed: 11 + k, isFree: rules[id] });
    parts[id] = new Marks(
      points.map(([x, y]) => hexagon(x, y, RADIUS, hollow ? "ketamine hollow" : "ketamine in-body")),
    );
  });
  const tinted = { vessels: path(VESSELS, "tint-vessel"), heart: path(HEART, "tint"), brain: path(BRAIN, "tint") };
  const liverTint = path(LIVER, "tint");
  const values = { brain_tint: valueLabel(486, 62, "Brain", [480, 70, 440, 84]), vessels: valueLabel(600, 210, "Blood vessels", [594, 222, 536, 284]) };
  const views = { felt: measures(MEASURES.felt, bar), inflammation: measures(MEASURES.inflammation, disc) };
  const [partList, valueList, viewList] = [parts, values, views].map((one) => Object.entries(one));
  const drip = group("", path("M108 40V62M94 40H122"), rect(103, 256, 10, 28, 2), path(TUBE));
  const infusion = group(
    "infusion",
    rect(64, 62, 88, 176, 16, "bag"),
    drip,
    label(108, 28, ["Not yet given"], { anchor: "middle", sizes: "wide medium" }),
  );
  const inNose = label(486, 122, ["In the nose"], { leader: [480, 118, 402, 156], sizes: "wide medium" });
  const node = group(
    "body-level",
    rect(-600, -300, 2400, 1500, 0, "fluid"),
    cell(TORSO, "tissue"),
    LUNGS.map((d) => path(d, "organ")),
    path(STOMACH, "organ"),
    path(INTESTINE, "organ"),
    path(INTESTINE_FOLDS, "fold"),
    KIDNEYS.map((d) => path(d, "organ")),
    path(LIVER, "organ liver"),
    path(BRAIN, "organ"),
    path(VESSELS, "vessel-edge"),
    path(VESSELS, "vessel"),
    tinted.vessels,
    path(HEART, "organ heart"),
    tinted.heart,
    tinted.brain,
    liverTint,
    path(BRAIN_FOLDS, "fold"),
    path(NOSE, "organ nose"),
    infusion,
    inNose,
    Object.values(parts).map((one) => one.nodes),
    Object.values(values),
    label(368, 476, ["Liver"], { anchor: "middle", sizes: "wide medium" }),
    Object.values(views).map(({ node: one }) => one),
  );
  return {
    node,
    update(frame, view) {
      for (const [id, part] of partList) part.show(frame.amount(id));
      for (const [id, one] of valueList) {
        setAttribute(one, "visibility", view === "dose" || id === "brain_tint" ? "visible" : "hidden");
        setText((one.second ??= one.querySelector("tspan + tspan")), view === "dose" ? frame.short(id) : "");
      }
      for (const [name, { node: one, show }] of viewList) {
        setAttribute(one, "data-view", name === view ? "shown" : "hidden");
        if (name === view) show(frame);
      }
      setAttribute(liverTint, "opacity", Math.min(0.6, frame.amount("liver") / 25).toFixed(2));
      const isDrip = ["nose", "injection", "gut"].every((id) => !(frame.peak(id) > 0));
      const isHanging = isDrip || frame.amount("bag") > 0; // what is not yet given by another route has no drip
      setAttribute(infusion, "opacity", !isHanging ? "0" : frame.amount("bag") > 0 ? "1" : "0.45");
      setAttribute(drip, "opacity", isDrip ? "1" : "0");
      setAttribute(inNose, "visibility", frame.amount("nose") > 0 ? "visible" : "hidden");
      const blood = frame.amount("vessels").toFixed(2);
      setAttribute(tinted.vessels, "opacity", blood);
      setAttribute(tinted.heart, "opacity", blood);
      setAttribute(tinted.brain, "opacity", frame.amount("brain_tint").toFixed(2));
    },
  };
}

const valueLabel = (x, y, name, leader) => label(x, y, [name, ""], { leader, sizes: "wide medium", id: "value" });

// What stands beside the body instead of the dose: values in words, each with a line from its organ and a drawing.
const [BESIDE, BAR, RING] = [730, 330, 32]; // x, the width of a bar, and the radius of the healthy level of a disc
const MEASURES = {
  felt: [
    { id: "dissociation", name: "Feeling detached", from: [444, 84], y: 90 },
    { id: "sedation", name: "Sleepiness", from: [444, 100], y: 270 },
    { id: "pressure", name: "Blood pressure, rise", from: [444, 366], y: 450 },
  ],
  inflammation: [
    { id: "quinolinate", name: "Quinolinate, brain", from: [444, 84], y: 80 },
    { id: "tnf", name: "TNF, blood", from: [540, 290], y: 300 },
    { id: "crp", name: "CRP, from the liver", from: [430, 452], y: 520 },
  ],
};

function bar({ y }) {
  const fill = rect(BESIDE, y + 14, 0, 22, 11, "bar-value");
  const show = (amount) => setAttribute(fill, "width", (BAR * amount).toFixed(1));
  return { nodes: [rect(BESIDE, y + 14, BAR, 22, 11, "bar-ground"), fill], show };
}

function disc({ y }) {
  const [left, top] = [BESIDE + 70, y + 84];
  const fill = circle(left, top, RING, "area");
  const show = (amount) => {
    setAttribute(fill, "r", (RING * Math.sqrt(amount)).toFixed(1));
    setAttribute(fill, "data-side", amount > 1.015 ? "more" : amount < 0.985 ? "less" : "healthy");
  };
  return { nodes: [fill, circle(left, top, RING, "healthy-ring")], show };
}

function measures(rows, drawing) {
  const found = rows.map((row) => {
    const { id, name, from, y } = row;
    const { nodes, show } = drawing(row);
    const value = label(BESIDE + BAR, y + 62, [""], { sizes: "wide medium", anchor: "end" });
    const line = svgElement("line", { class: "organ-line", x1: from[0], y1: from[1], x2: BESIDE - 8, y2: y + 24 });
    return { id, show, value: value.querySelector("tspan"), nodes: [line, nodes, label(BESIDE, y, [name]), value] };
  });
  const show = (frame) => {
    for (const one of found) {
      one.show(frame.amount(one.id));
      setText(one.value, frame.short(one.id));
    }
  };
  return { node: group("body-view", found.map(({ nodes }) => nodes)), show };
}

// Whether a point lies on the line of a path, `width` wide.
function onStroke(d, width) {
  const context = document.createElement("canvas").getContext("2d");
  const shape = new Path2D(d);
  context.lineWidth = width;
  return (x, y) => context.isPointInStroke(shape, x, y);
}

const FELT = ["dissociation", "sedation", "pressure"];

function sentence(frame, view) {
  if (view === "felt") return FELT.map((id) => frame.text(id)).join(" ");
  if (view === "inflammation") {
    const discs = ["quinolinate", "tnf", "crp"];
    const change = Math.max(...discs.map((id) => Math.abs(frame.ratio(id) - 1)));
    const least = Math.round(100 * change);
    return least < 5
      ? `Quinolinate, TNF and CRP, three signs of inflammation, have changed by at most ${Math.max(1, least)} percent.`
      : `Quinolinate, TNF and CRP, three signs of inflammation, have changed by up to ${least} percent.`;
  }
  if (frame.peak("vessels") <= 0) return "No ketamine is given.";
  const found = PARTS.filter(([id]) => frame.value(id) > 0).map(([id, ...words]) => inWords(frame.value(id), ...words));
  return `Of 100 parts of ${frame.bindings.isOneDose ? "the dose" : "all doses together"}, ${[found.slice(0, -1).join(", "), found.at(-1)].filter(Boolean).join(" and ")}.`;
}

// The places in the order of the sentence, which names all of the hundred parts.
const PARTS = [
  ["bag", "is not yet given", "are not yet given"],
  ["nose", "is in the nose", "are in the nose"],
  ["injection", "is at the injection", "are at the injection"],
  ["gut", "is in mouth and gut", "are in mouth and gut"],
  ["blood", "is in blood and organs", "are in blood and organs"],
  ["tissue", "is in muscle and fat", "are in muscle and fat"],
  ["liver", "is being changed in the liver", "are being changed in the liver"],
  ["metabolite", "is changed and still in the body", "are changed and still in the body"],
  ["eliminated", "has left or was changed further", "have left or were changed further"],
];
const inWords = (count, one, many) => `${count} ${count === 1 ? one : many}`;
