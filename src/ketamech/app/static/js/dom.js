// Create and find elements. Nothing is parsed as markup: whatever comes from the server stays text.

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

const SVG = "http://www.w3.org/2000/svg";
export const element = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svgElement = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Sets an attribute only when it changes: most frames of the clock change few nodes. Nothing else may write it.
export function setAttribute(node, name, value) {
  const written = (node.written ??= {});
  if (written[name] === value) return;
  written[name] = value;
  node.setAttribute(name, value);
}

// Sets a text only when it changes. Nothing else may write it.
export function setText(node, text) {
  if (node.writtenText === text) return;
  node.writtenText = text;
  const only = node.firstChild;
  if (only?.nodeType === Node.TEXT_NODE && !only.nextSibling) only.data = text; // no new node
  else node.textContent = text;
}

export const paragraph = (text, className = null) => element("p", { class: className, text });
export const loading = (text) => paragraph(text, "loading");
export const errorBox = (text) => paragraph(text, "error-box");
export const emptyState = (text) => element("div", { class: "empty-state" }, paragraph(text));
export const sectionTitle = (text) => element("h3", { class: "section-title", text });
export const toolbar = (...nodes) => element("div", { class: "toolbar" }, nodes);

export const button = (text, onclick, attributes) =>
  element("button", { type: "button", ...attributes, onclick, text });
export const linkButton = (text, onclick, attributes) => button(text, onclick, { class: "link-button", ...attributes });

export const closeButton = (onclick, attributes) => button("✕", onclick, { class: "close", "aria-label": "Close", ...attributes });

// Part of a drawing that a click, Enter or the space bar activates; `attributes` give its `aria-label`.
export function drawnButton(attributes, onclick, ...children) {
  const onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onclick();
  };
  return svgElement("g", { role: "button", tabindex: "0", ...attributes, onclick, onkeydown }, ...children);
}

export function options(values, labelOf = (value) => value || "all") {
  return values.map((value) => element("option", { value, text: labelOf(value) }));
}

// A text of one paragraph that is shown whole: it wraps, and a line break becomes a blank.
export function wrappedInput({ oninput = null, ...attributes }) {
  const removeBreaks = () => {
    if (/[\r\n]/.test(input.value)) input.value = input.value.replace(/[\r\n]+/g, " ").trim();
  };
  const input = element("textarea", { rows: 1, class: "wrapped", spellcheck: "false", ...attributes });
  input.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  input.addEventListener("input", removeBreaks);
  if (oninput) input.addEventListener("input", oninput);
  return input;
}

export const select = (values, labelOf, attributes) => element("select", attributes, options(values, labelOf));

// A select that offers to add something; it shows its title again after every choice. `nodes`: options or groups.
export function addSelect(label, title, nodes, add) {
  const node = element("select", { "aria-label": label }, element("option", { value: "", text: title }), nodes);
  node.addEventListener("change", () => {
    if (node.value) add(node.value);
    node.value = "";
  });
  return node;
}

// A checkbox in its label; `content`: texts and nodes.
export function checkbox(content, checked, onchange, attributes = {}) {
  const id = uniqueId("option");
  const input = element("input", { type: "checkbox", id, ...attributes, onchange: () => onchange(input.checked) });
  input.checked = checked;
  return element("label", { class: "checkbox", for: id }, input, element("span", {}, content));
}

// A slider of a dose; `show` sets its position, the dose and the text below.
export function doseSlider(attributes, oninput) {
  const id = uniqueId("dose");
  const move = () => {
    performance.mark("dose changed");
    oninput(Number(input.value));
  };
  const input = element("input", { type: "range", id, ...attributes, "data-dose": true, oninput: move });
  const output = element("output", { for: id });
  const limits = element("span", { class: "limits" });
  const node = element("div", { class: "slider" }, element("label", { for: id, text: "Dose" }), output, input, limits);
  const show = (dose, position = null, range = null) => {
    if (position !== null) input.value = String(position);
    if (range !== null) limits.textContent = range;
    input.setAttribute("aria-valuetext", dose);
    output.textContent = dose;
  };
  return { node, input, show };
}

// A part of a form that can be opened; `count`: a text or node after the title that says what is set.
export function collapsible(title, content, { count = null, open = false } = {}) {
  return element("details", { open }, element("summary", {}, title, count), element("div", {}, content));
}

// The content of a tab.
export function tabContent(title, introduction, ...content) {
  const text = introduction && paragraph(introduction, "secondary");
  return element("div", {}, element("h2", { text: title }), text, content);
}

let count = 0;
export const uniqueId = (prefix) => `${prefix}-${++count}`;

// Calls `action` with the latest values when no call has come for some time. The timer is set once and looks again when it
// ends, since a running clock calls in every frame.
export function debounce(milliseconds, action) {
  let [timer, calledAt, latest] = [null, 0, []];
  const look = () => {
    const left = calledAt + milliseconds - performance.now();
    timer = left > 0 ? setTimeout(look, left) : null;
    if (timer === null) action(...latest);
  };
  return (...values) => {
    [calledAt, latest] = [performance.now(), values];
    timer ??= setTimeout(look, milliseconds);
  };
}

// After the next frame is drawn; in a hidden tab, which draws none, after a tenth of a second.
export const nextFrame = () =>
  new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, 100);
  });

// Read out by a screen reader; not visible.
export function announce(text) {
  const status = { id: "announcements", class: "visually-hidden", role: "status", "aria-live": "polite" };
  const region = find("#announcements") ?? document.body.appendChild(element("div", status));
  region.textContent = text;
}

export function download(content, fileName, mediaType) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: mediaType }));
  const link = element("a", { href: url, download: fileName });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 2000);
}

// A label, its input, a hint below and a place for an error message.
export function field(label, input, hint) {
  input.id ||= uniqueId("field");
  const small = hint && element("small", { id: uniqueId("hint"), text: hint });
  if (small) {
    input.setAttribute("aria-describedby", small.id);
    input.dataset.hint = small.id;
  }
  const error = element("p", { class: "field-error", id: uniqueId("error"), role: "alert" });
  return element("div", { class: "field" }, element("label", { for: input.id, text: label }), input, small, error);
}

// Shows an error below the field of an input, or removes it when the text is empty.
export function showFieldError(input, text) {
  const place = input.closest(".field, .treatment")?.querySelector(".field-error");
  if (!place) return;
  place.textContent = text;
  if (text) {
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", [input.dataset.hint, place.id].filter(Boolean).join(" "));
  } else {
    input.removeAttribute("aria-invalid");
    if (input.dataset.hint) input.setAttribute("aria-describedby", input.dataset.hint);
    else input.removeAttribute("aria-describedby");
  }
}

const NUMERIC = /^[−+-]?[\d.,]*( ?%)?$|^–$/;

// `head`: column names; `rows`: rows of texts or nodes. Columns of numbers are aligned right.
export function table(caption, head, rows) {
  const isNumber = (cell) => typeof cell !== "object" && NUMERIC.test(String(cell ?? ""));
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(row[column])));
  const cellOf = (cell, column) => {
    const attributes = { scope: column ? null : "row", class: numeric[column] && "number" };
    return element(column ? "td" : "th", attributes, cell instanceof Node ? cell : String(cell ?? ""));
  };
  const headings = head.map((name, i) => element("th", { scope: "col", class: numeric[i] && "number", text: name }));
  return element(
    "div",
    { class: "scroll-x", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", { text: caption }),
      element("thead", {}, element("tr", {}, headings)),
      element(
        "tbody",
        {},
        rows.map((row) => element("tr", {}, row.map(cellOf))),
      ),
    ),
  );
}
