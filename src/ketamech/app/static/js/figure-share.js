// A link to a figure, and HTML that shows it in another page: the drawing itself, without a server.

import { announce, download, linkButton } from "./dom.js";

const FIGURE = /^[a-z0-9-]{1,90}$/;
const FIND_SECONDS = 20;
export const TABLE_BELOW = " The table below holds the numbers."; // for a screen reader
let addressOf = sectionAddress;
let workbenchOf = null;

// The name of a figure in a link.
export const figureName = (title) => (title.toLowerCase().match(/[a-z0-9]+/g) ?? []).join("-").slice(0, 90);

// How a page writes the address of a figure, and where it leads to the workbench that address: functions of the name of a
// figure and its node. Figures made before have no button that leads to the workbench.
export function setFigureAddress(address, workbench = null) {
  addressOf = address;
  workbenchOf = workbench;
}

// The section of the page that holds a figure; the address where a page sets none.
export function sectionAddress(_, node) {
  return `${location.href.split("#")[0]}#${node.closest("section[id]")?.id ?? ""}`;
}

// Buttons that copy a link and HTML, and where the page leads to the workbench one that does; `drawing` returns the figure
// as the text of an SVG file, empty where nothing is drawn yet.
export function shareButtons(figure, drawing) {
  const copyLink = ({ target }) => copy(addressOf(figureName(figure.title), figure.node), target, "Link");
  const copyHtml = ({ target }) => {
    const svg = drawing();
    if (svg) copy(embedHtml(figure, addressOf(figureName(figure.title), figure.node), svg), target, "Embed");
  };
  const openWorkbench = () => location.assign(workbenchOf(figureName(figure.title), figure.node));
  return [
    linkButton("Link", copyLink, { "aria-label": `Copy a link to “${figure.title}”` }),
    linkButton("Embed", copyHtml, { "aria-label": `Copy HTML that shows “${figure.title}” in another page` }),
    workbenchOf && linkButton("Workbench", openWorkbench, { "aria-label": `Open “${figure.title}” in the workbench` }),
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

// The image is in the text, so that no server is needed; its alternative text says what the curves show and at which time.
function embedHtml({ title, svg: node, shownTime }, address, svg) {
  const source = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  const words = (node.getAttribute("aria-label") ?? title).replace(TABLE_BELOW, "");
  const image = `<img src="${source}" alt="${escaped([words, shownTime].filter(Boolean).join(" "))}" style="max-width: 100%">`;
  const link = `<a href="${escaped(address)}">KetaMech</a>`;
  return `<figure>${image}<figcaption>${escaped(title)} (${link}; for research and education only)</figcaption></figure>\n`;
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
