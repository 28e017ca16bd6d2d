// The chain of stages as a drawing: one box a stage, lines for what one stage reads from another. A box opens its stage.

import { drawnButton, element, svgElement } from "./dom.js";

const BOX = { width: 158, height: 42 };
const GAP = { x: 26, y: 40 }; // px between boxes and between layers
const MARGIN = 14;
const LINE = 21; // letters in a line of a label
const ABOUT =
  "A line leads from a stage to one that reads its quantities; dashed: back to an earlier stage. For the chosen stage, " +
  "orange: what it reads; blue: what reads it.";

export class StageDiagram {
  // `open` gets the name of a stage that is chosen.
  constructor({ nodes, links, layers, places }, open) {
    Object.assign(this, { nodes, links, open });
    this.width = 2 * MARGIN + places * (BOX.width + GAP.x) - GAP.x;
    this.height = 2 * MARGIN + layers * (BOX.height + GAP.y) - GAP.y;
    this.place = new Map(nodes.map((node) => [node.name, placeOf(node)]));
    this.lines = links.map((link) => ({ link, path: this.path(link) }));
    this.boxes = new Map(nodes.map((node) => [node.name, this.box(node)]));
    const attributes = { viewBox: `0 0 ${this.width} ${this.height}`, role: "group", "aria-label": "Chain of stages" };
    this.svg = svgElement("svg", { ...attributes, class: "chain", width: this.width, height: this.height });
    this.svg.append(arrow(), ...this.lines.map(({ path }) => path), ...this.boxes.values());
    this.about = element("p", { class: "secondary", role: "status", text: ABOUT });
    const scroll = element("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Drawing" }, this.svg);
    this.node = element("div", {}, scroll, this.about);
  }

  path({ source, target, quantities, feedback }) {
    const [from, to] = [this.place.get(source), this.place.get(target)];
    const start = { x: from.x + BOX.width / 2, y: from.y + (feedback ? 0 : BOX.height) };
    const end = { x: to.x + BOX.width / 2, y: to.y + (feedback ? BOX.height : 0) };
    const bend = (Math.abs(end.y - start.y) * 0.45 + 12) * (feedback ? -1 : 1);
    const d = `M${start.x} ${start.y}C${start.x} ${start.y + bend} ${end.x} ${end.y - bend} ${end.x} ${end.y}`;
    const title = svgElement("title", {}, `${source} to ${target}: ${quantities.join(", ")}`);
    return svgElement("path", { class: feedback ? "link feedback" : "link", d, "marker-end": "url(#arrow)" }, title);
  }

  box(node) {
    const { x, y } = this.place.get(node.name);
    const lines = wrapped(node.label);
    const first = y + BOX.height / 2 + 4 - (lines.length - 1) * 7;
    return drawnButton(
      {
        class: "stage-box",
        "data-stage": node.name,
        "aria-label": `${node.label}: ${node.states} equations, ${node.parameters} parameters, ${node.assumed} assumed`,
        onpointerenter: () => this.highlight(node.name),
        onpointerleave: () => this.highlight(this.chosen),
        onfocus: () => this.highlight(node.name),
      },
      () => this.open(node.name),
      svgElement("rect", { x, y, width: BOX.width, height: BOX.height, rx: 9 }),
      lines.map((text, i) => svgElement("text", { x: x + BOX.width / 2, y: first + 14 * i, "text-anchor": "middle" }, text)),
    );
  }

  choose(name) {
    this.chosen = name;
    for (const [stage, box] of this.boxes) box.setAttribute("aria-pressed", String(stage === name));
    this.highlight(name);
  }

  // The lines of one stage, and in words what it reads and who reads it.
  highlight(name) {
    for (const { link, path } of this.lines) {
      path.classList.toggle("reads", link.target === name);
      path.classList.toggle("is-read", link.source === name);
    }
    const labels = (names) => names.map((one) => this.nodes.find((node) => node.name === one).label).join(", ");
    const reads = this.links.filter(({ target }) => target === name).map(({ source }) => source);
    const readers = this.links.filter(({ source }) => source === name).map(({ target }) => target);
    const parts = [reads.length && `Reads: ${labels(reads)}.`, readers.length && `Read by: ${labels(readers)}.`];
    this.about.textContent = [ABOUT, ...(name ? parts : [])].filter(Boolean).join(" ");
  }
}

const placeOf = ({ layer, place }) => ({
  x: MARGIN + place * (BOX.width + GAP.x),
  y: MARGIN + layer * (BOX.height + GAP.y),
});

function arrow() {
  const tip = svgElement("path", { d: "M0 0L7 3.5L0 7Z", class: "tip" });
  const attributes = { id: "arrow", viewBox: "0 0 7 7", refX: 7, refY: 3.5, markerWidth: 6, markerHeight: 6 };
  return svgElement("defs", {}, svgElement("marker", { ...attributes, orient: "auto" }, tip));
}

// A label in at most two lines.
function wrapped(label) {
  if (label.length <= LINE) return [label];
  const words = label.split(" ");
  const lines = [""];
  for (const word of words) {
    const next = `${lines.at(-1)} ${word}`.trim();
    if (next.length > LINE && lines.length < 2) lines.push(word);
    else lines[lines.length - 1] = next;
  }
  return lines;
}
