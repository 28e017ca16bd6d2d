// Opens a file: a scenario, or a dose table whose subjects become cases.

import { errorMessage, postJson, ServerError } from "./api.js";
import { announce, element, field, find, options } from "./dom.js";
import { MAX_CASES } from "./share-link.js";

const MAX_BYTES = 200000;
const MAX_NAME_LENGTH = 120;
const TYPES = ".yaml,.yml,.csv,.tsv,.txt,.dat,.prn,.nm";

// A button and its hidden input. `open` gets the scenarios of a file.
export function fileUpload(drugs, open) {
  const input = element("input", {
    type: "file",
    class: "visually-hidden",
    id: "file",
    accept: TYPES,
    tabindex: "-1",
    "aria-label": "Scenario file or dose table",
    onchange: () => input.files[0] && read(input.files[0]),
  });

  async function read(file) {
    showMessage("");
    try {
      if (file.size > MAX_BYTES) throw tooLarge(file.name);
      const name = file.name.slice(0, MAX_NAME_LENGTH);
      const text = await file.text();
      if (/\.ya?ml$/i.test(name)) open([await postJson("/api/scenario/read", { name, text })]);
      else await readDoseTable(name, text, "");
    } catch (error) {
      showMessage(errorMessage(error));
    }
    input.value = "";
  }

  async function readDoseTable(name, text, drug) {
    try {
      const found = await postJson("/api/scenario/doses", { name, text, drug });
      const opened = found.people.slice(0, MAX_CASES);
      open(opened.map(({ scenario }) => scenario));
      showMessage(doseTableNotes(name, found, opened.length), { isNote: true });
      announce(`${opened.length} ${opened.length === 1 ? "subject" : "subjects"} of ${name} opened`);
    } catch (error) {
      if (!(error instanceof ServerError) || error.key !== "DRUG" || drug) throw error;
      askForDrug(name, text, error.error);
    }
  }

  function askForDrug(name, text, question) {
    const select = element("select", {}, options(drugs.filter(({ sessions }) => !sessions).map((drug) => drug.name)));
    const openTable = () => {
      showMessage("");
      readDoseTable(name, text, select.value).catch((error) => showMessage(errorMessage(error)));
    };
    const button = element("button", { type: "button", class: "primary", text: "Open", onclick: openTable });
    const node = field(`${name}: ${question}`, select, "The table has no column DRUG.");
    select.after(button);
    showMessage("");
    find("#file-error").append(node);
    select.focus();
  }

  return [element("button", { type: "button", onclick: () => input.click(), text: "Open file" }), input];
}

function tooLarge(name) {
  const text = `${name} is larger than ${MAX_BYTES / 1000} kB\n  expected: a scenario file or a dose table`;
  return new ServerError({ error: "too large", text }, 413);
}

function doseTableNotes(name, { people, refused, notes }, opened) {
  const left = people.length > opened ? `${people.length} subjects in ${name}: the first ${opened} were opened` : "";
  return [left, ...refused, ...notes.map((note) => `Assumed: ${note}`)].filter(Boolean).join("\n");
}

function showMessage(text, { isNote = false } = {}) {
  const place = find("#file-error");
  place.className = isNote ? "secondary file-note" : "field-error";
  place.textContent = text;
  if (text) place.scrollIntoView({ block: "nearest" });
}
