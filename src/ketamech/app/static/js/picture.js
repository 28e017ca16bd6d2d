// A figure as a file: the drawing with its colours written into it, a white ground, its title and the one line that must not be lost.

import { download, draw } from "./dom.js";

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "opacity", "font-size", "font-family"];
export const DISCLAIMER = "For research and education only: not treatment or dosing advice.";

const named = (title, kind) => `ketamech-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.${kind}`;

// Rows as a table other programs open; a cell that a spreadsheet would take for a formula is kept from it.
export function saveNumbers(title, rows) {
  const cell = (value) => { const text = typeof value === "string" ? value.replace(/^(?=[=+@-])/, "'") : String(value ?? ""); return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text; };
  download(`${rows.map((row) => row.map(cell).join(",")).join("\n")}\n`, named(title, "csv"), "text/csv");
}

export function savePicture(svg, title, kind, unit) {
  const picture = standalone(svg, title, unit);
  const text = new XMLSerializer().serializeToString(picture);
  if (kind === "svg") return download(text, named(title, "svg"), "image/svg+xml");
  const [, , width, height] = picture.getAttribute("viewBox").split(" ").map(Number);
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((blob) => download(blob, named(title, "png"), "image/png"));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

function standalone(svg, title, unit) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const paper = getComputedStyle(document.body);
  const copy = svg.cloneNode(true);
  const from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of KEPT) to[i].setAttribute(name, style.getPropertyValue(name));
    to[i].removeAttribute("class");
  });
  const words = (text, y, size) => draw("text", { x: 12, y, "font-size": size, "font-family": "Inter, Arial, sans-serif", fill: paper.color }, text);
  copy.setAttribute("viewBox", `0 -34 ${width} ${height + 56}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height + 56);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.prepend(draw("rect", { x: 0, y: -34, width, height: height + 56, fill: paper.backgroundColor }), words(unit ? `${title}, ${unit}` : title, -12, 14));
  copy.append(words(DISCLAIMER, height + 14, 9));
  return copy;
}
