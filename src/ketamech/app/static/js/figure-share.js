// A link to a figure, and HTML that shows it in another page: the drawing itself, without a server.

import { announce, download, linkButton } from "./dom.js";

const FIGURE = /^[a-z0-9-]{1,90}$/;
const FIND_SECONDS = 20;
let addressOf = sectionAddress;

// The name of a figure in a link.
export const figureName = (title) => (title.toLowerCase().match(/[a-z0-9]+/g) ?? []).join("-").slice(0, 90);

// How a page writes the address of a figure: a function of its name and its node.
export function setFigureAddress(address) {
  addressOf = address;
}

// The section of the page that holds a figure; the address where a page sets none.
export function sectionAddress(_, node) {
  return `${location.href.split("#")[0]}#${node.closest("section[id]")?.id ?? ""}`;
}

// Two buttons; `drawing` returns the figure as the text of an SVG file, empty where nothing is drawn yet.
export function shareButtons(figure, drawing) {
  const copyLink = ({ target }) => copy(addressOf(figureName(figure.title), figure.node), target, "Link");
  const copyHtml = ({ target }) => {
    const svg = drawing();
    if (svg) copy(embedHtml(figure.title, figure.svg.getAttribute("aria-label"), svg), target, "Embed");
  };
  return [
    linkButton("Link", copyLink, { "aria-label": `Copy a link to “${figure.title}”` }),
    linkButton("Embed", copyHtml, { "aria-label": `Copy HTML that shows “${figure.title}” in another page` }),
  ];
}

async function copy(text, button, label) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce(`${label} copied`);
  } catch {
    download(text, `ketamech-${label.toLowerCase()}.txt`, "text/plain"); // the browser allows no access to the clipboard
    button.textContent = "Saved";
  }
  setTimeout(() => {
    button.textContent = label;
  }, 2500);
}

const escaped = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

function embedHtml(title, description, svg) {
  const source = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  const image = `<img src="${source}" alt="${escaped(description ?? title)}" style="max-width: 100%">`;
  return `<figure>${image}<figcaption>${escaped(title)} (KetaMech; for research and education only)</figcaption></figure>\n`;
}

// The name of the figure in a link; null where there is none.
function figureOfLink(hash) {
  const name = new URLSearchParams(hash.replace(/^#/, "")).get("figure") ?? "";
  return FIGURE.test(name) ? name : null;
}

// Scrolls to the figure of a link as soon as it is drawn.
export function showFigureOfLink() {
  const name = figureOfLink(location.hash);
  if (!name) return;
  const until = performance.now() + 1000 * FIND_SECONDS;
  const look = () => {
    const node = document.querySelector(`[data-figure="${name}"]`);
    if (node && !node.classList.contains("empty")) node.scrollIntoView({ block: "center" });
    else if (performance.now() < until) setTimeout(look, 200);
  };
  look();
}
