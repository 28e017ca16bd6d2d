// Making and finding elements. No markup from strings: whatever comes from the server stays text.

export const find = (selector, inside = document) => inside.querySelector(selector);
export const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

function fill(node, given, children) {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.setAttribute("class", value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const make = (tag, given, ...children) => fill(document.createElement(tag), given, children);
export const draw = (tag, given, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), given, children);

let count = 0;
export const fresh = (word) => `${word}-${++count}`;

export function later(wait, act) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), wait);
  };
}

// Says something to a screen reader without moving the eye.
export function say(words) {
  const place = find("#spoken") ?? document.body.appendChild(make("div", { id: "spoken", class: "hush", role: "status", "aria-live": "polite" }));
  place.textContent = words;
}

export function download(content, name, kind) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 2000);
}

// A table with a caption: `head` names, rows of cells; numbers stand at the right.
export function table(caption, head, rows) {
  const numeric = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] !== "object" && /^[−+-]?[\d.,]*( ?%)?$|^–$/.test(String(row[i] ?? ""))));
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    make("table", {}, make("caption", { text: caption }),
      make("thead", {}, make("tr", {}, head.map((name, i) => make("th", { scope: "col", class: numeric[i] && "n", text: name })))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, i) =>
        make(i ? "td" : "th", { scope: i ? null : "row", class: numeric[i] && "n" }, cell instanceof Node ? cell : String(cell ?? ""))))))));
}
