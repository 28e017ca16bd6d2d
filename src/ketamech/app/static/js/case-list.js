// The cases at the left of the workbench: add, open from a file, edit, remove; errors appear at the field they are about.

import { errorMessage, postJson, ServerError } from "./api.js";
import {
  horizonAndControl,
  pathwaySwitches,
  patientFields,
  perturbationFields,
  settingsFromFile,
  speciesAndVariant,
} from "./case-form.js";
import {
  addSelect,
  announce,
  button,
  element,
  field,
  find,
  findAll,
  linkButton,
  options,
  paragraph,
  select,
  showFieldError,
  uniqueId,
  wrappedInput,
} from "./dom.js";
import { legendSample } from "./figure.js";
import { MAX_CASES } from "./share-link.js";
import { regimenText, treatmentField, treatmentForm } from "./treatment-form.js";

const TREATMENT_KEYS = /^(dose|route|drug|schedule|treatment|treatments|time)/;

export const caseLetter = (i) => "ABCDEF"[i];
export const caseLabel = (scenario, i) => `${caseLetter(i)} ${scenario.title ?? ""}`;

// The label of a case in a figure or a table, with a mark where its text is not understood.
export function resultLabel(scenario, i, response) {
  const label = caseLabel(scenario, i);
  const shown = label.length > MAX_LABEL ? `${label.slice(0, MAX_LABEL - 1)}…` : label;
  return response.isOutdated ? `${shown} (not updated)` : shown;
}

const MAX_TITLE = 200;
const MAX_LABEL = 60;
const textOf = ({ treatments }) => treatments.map(regimenText).join("; ");

// A choice of one of the cases; `refill` is called when cases may have changed.
export function caseSelect(workbench) {
  const input = element("select", { id: uniqueId("case") });
  const refill = (chosen = input.value || "0") => {
    input.replaceChildren(...options([...workbench.cases.keys()], (i) => caseLabel(workbench.cases[i], i)));
    input.value = chosen;
    if (!input.value) input.value = "0";
  };
  return { input, refill, scenario: () => workbench.cases[Number(input.value) || 0] };
}

export class CaseList {
  constructor(workbench) {
    this.workbench = workbench;
    this.place = find("#cases");
    const { presets, drugs } = workbench.metadata;
    const titles = options([...presets.keys()], (i) => presets[i].title);
    const addPreset = (i) => this.add(structuredClone(presets[Number(i)]));
    this.presetSelect = addSelect("Add a case", "Add a case …", titles, addPreset);
    const open = (scenarios) => this.addAll(scenarios);
    find("#case-tools").append(this.presetSelect, ...fileUpload(drugs, open));
    this.toggle = find("#toggle-cases");
    this.toggle.addEventListener("click", () => this.unfold(!this.isUnfolded));
    this.build();
  }

  get isUnfolded() {
    return this.toggle.getAttribute("aria-expanded") === "true";
  }

  // On a narrow screen the cases are one line a case until they are edited, so that the results are reached at once.
  unfold(isUnfolded) {
    this.toggle.setAttribute("aria-expanded", String(isUnfolded));
    this.toggle.textContent = isUnfolded ? "Close the cases" : "Edit the cases";
    find(".cases").classList.toggle("unfolded", isUnfolded);
  }

  showSummary() {
    const { cases } = this.workbench;
    find("#cases-summary").replaceChildren(...cases.map((one, i) => element("span", { text: caseLabel(one, i) })));
  }

  build() {
    const { cases } = this.workbench;
    const fileError = element("div", { class: "field-error", id: "file-error", role: "alert" });
    this.place.replaceChildren(...cases.map((scenario, i) => this.card(scenario, i)), fileError);
    this.presetSelect.disabled = cases.length >= MAX_CASES;
    this.showSummary();
  }

  add(scenario) {
    const { workbench } = this;
    if (workbench.cases.length >= MAX_CASES) return;
    workbench.cases.push(scenario);
    workbench.chosen = workbench.cases.length - 1;
    this.build();
    workbench.changed();
    announce(`Case ${caseLetter(workbench.chosen)} added`);
  }

  // Adds as many as there is room for; throws where there is none. No case is replaced. Returns how many were added.
  addAll(scenarios) {
    const room = MAX_CASES - this.workbench.cases.length;
    if (!room) throw noRoom();
    const added = scenarios.slice(0, room);
    for (const scenario of added) this.add(scenario);
    return added.length;
  }

  remove(i) {
    const [removed] = this.workbench.cases.splice(i, 1);
    this.workbench.chosen = 0;
    this.build();
    this.workbench.changed();
    const restore = () => {
      this.workbench.cases.splice(i, 0, removed);
      this.build();
      this.workbench.changed();
    };
    const text = element("span", { text: `${removed.title ?? "The case"} was removed. ` });
    const undo = linkButton("Undo", restore, { id: "undo-remove" });
    find("#file-error").replaceChildren(text, undo);
    find("#file-error").className = "secondary file-note";
  }

  card(scenario, i) {
    const { metadata } = this.workbench;
    const changed = () => {
      this.workbench.chosen = i;
      this.workbench.changed();
    };
    const rebuild = () => {
      this.build();
      changed();
    };
    const { header, retitle } = this.cardHeader(scenario, i, changed);
    const treatmentsChanged = () => {
      retitle();
      changed();
    };
    return element(
      "article",
      { class: "case", "aria-label": `Case ${caseLetter(i)}` },
      header,
      treatmentFields(scenario, metadata, treatmentsChanged),
      speciesAndVariant(scenario, metadata, rebuild),
      patientFields(scenario, metadata, changed),
      pathwaySwitches(scenario, metadata.pathways, changed),
      perturbationFields(scenario, metadata, changed),
      horizonAndControl(scenario, changed),
      settingsFromFile(scenario),
      element("p", { class: "field-error", id: uniqueId("error"), role: "alert" }),
    );
  }

  // `retitle`: a title that was not typed follows the treatments; with those of its preset it is that of the preset again.
  cardHeader(scenario, i, changed) {
    const letter = caseLetter(i);
    const title = wrappedInput({ maxlength: MAX_TITLE, "aria-label": `Title of case ${letter}` });
    title.value = scenario.title ?? `Case ${letter}`;
    const { presets } = this.workbench.metadata;
    const given = { title: scenario.title, text: textOf(scenario) };
    let followed = presets.some((one) => one.title === scenario.title) ? scenario.title : given.text;
    const retitle = () => {
      if (scenario.title !== undefined && scenario.title !== followed) return;
      const text = textOf(scenario);
      followed = (text === given.text && given.title) || text.slice(0, MAX_TITLE) || "Untitled";
      scenario.title = title.value = followed;
      this.showSummary();
    };
    title.addEventListener("input", () => {
      scenario.title = title.value || "Untitled";
      this.showSummary();
      changed();
    });
    const sample = legendSample({ index: i, kind: "main" });
    const remove = () => linkButton("Remove", () => this.remove(i), { "aria-label": `Remove case ${letter}` });
    const header = element(
      "header",
      {},
      element("span", { class: "letter" }, letter, sample),
      title,
      this.workbench.cases.length > 1 && remove(),
    );
    return { header, retitle };
  }

  // The treatments as the server read them: the text of a field may be abbreviated.
  showParsedTreatments(i, treatments) {
    const place = findAll(".parsed-treatments", this.place)[i];
    if (place) place.textContent = treatments.length ? `Simulated: ${treatments.join("; ")}.` : "";
  }

  // The responses to `post` for every case. Where the server refuses a case, its error is shown at its field and the
  // response is its last one in `lastValid` (a WeakMap by case) with `isOutdated`; null where there is none.
  ofEachCase(post, lastValid) {
    const ofCase = async (scenario, i) => {
      try {
        const response = await post(scenario);
        this.showError(i, null);
        lastValid.set(scenario, response);
        return response;
      } catch (error) {
        this.showError(i, error);
        if (!(error instanceof ServerError)) throw error;
        const last = lastValid.get(scenario);
        return last ? { ...last, isOutdated: true } : null;
      }
    };
    return Promise.all(this.workbench.cases.map(ofCase));
  }

  // Shows an error of the server at the field of case `i` that it is about; null removes all of them.
  showError(i, error) {
    const card = findAll(".case", this.place)[i];
    if (!card) return;
    for (const input of findAll("[data-key]", card)) showFieldError(input, "");
    const general = find(":scope > .field-error", card);
    general.textContent = "";
    if (!(error instanceof ServerError)) return;
    this.unfold(true);
    const input = error.isUnavailable ? null : inputOf(error.key ?? "", findAll("[data-key]", card));
    if (!input?.closest(".field, .treatment")) {
      general.textContent = error.message;
      return;
    }
    showFieldError(input, error.message.replace(/\n *key: .*/, "")); // it stands at the field of the key
    offerSuggestion(input, error);
    for (let box = input.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  }
}

// The field of a key: the same key, the section it belongs to, or the first treatment.
function inputOf(key, inputs) {
  const exact = inputs.find((input) => input.dataset.key === key);
  const section = inputs.find((input) => key.startsWith(input.dataset.key));
  return exact ?? section ?? (TREATMENT_KEYS.test(key) || !key ? inputs[0] : null);
}

// A button that puts the nearest known word in place of the word that the error quotes.
function offerSuggestion(input, { error, nearest }) {
  const [, word] = /'([^']+)' \(character/.exec(error ?? "") ?? [];
  if (!nearest || !word || !input.value?.includes(word)) return;
  const use = () => {
    input.value = input.value.replace(word, nearest);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  };
  const place = input.closest(".field, .treatment").querySelector(".field-error");
  place.append(" ", button(`Use “${nearest}”`, use, { class: "suggestion" }));
}

function treatmentFields(scenario, metadata, changed) {
  const list = element("div", {});
  const maxLength = metadata.limits.text_characters;
  const build = () => {
    const fields = scenario.treatments.map((_, k) => {
      const remove = () => {
        scenario.treatments.splice(k, 1);
        build();
        changed();
      };
      return treatmentField(scenario, k, { changed, remove, maxLength });
    });
    list.replaceChildren(...fields);
  };
  const add = (text) => {
    scenario.treatments.push(text);
    build();
    changed();
  };
  build();
  const parsed = element("p", { class: "secondary parsed-treatments" });
  return [list, parsed, treatmentForm(metadata.drugs, add)];
}

// Opens a file: a scenario, or a dose table whose subjects become cases.

const MAX_BYTES = 200000;
const MAX_NAME_LENGTH = 120;
const TYPES = ".yaml,.yml,.json,.csv,.tsv,.txt,.dat,.prn,.nm";

// A button and its hidden input. `open` gets the scenarios of a file.
function fileUpload(drugs, open) {
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
      if (/\.(ya?ml|json)$/i.test(name)) open([await postJson("/api/scenario/read", { name, text })]);
      else await readDoseTable({ name, text });
    } catch (error) {
      showMessage(errorMessage(error));
    }
    input.value = "";
  }

  // `request`: name and text, and the drug and the route of doses without these columns.
  async function readDoseTable(request) {
    try {
      const found = await postJson("/api/scenario/dose-table", request);
      const opened = open(found.subjects.map(({ scenario }) => scenario));
      showMessage(doseTableNotes(request.name, found, opened), { isNote: true });
      announce(`${opened} ${opened === 1 ? "subject" : "subjects"} of ${request.name} opened`);
    } catch (error) {
      const question = error instanceof ServerError && questionOf(error, request, drugs);
      if (!question) throw error;
      ask(request, question);
    }
  }

  function ask(request, { key, text, choices, hint }) {
    const answer = select(choices);
    const openTable = () => {
      showMessage("");
      readDoseTable({ ...request, [key]: answer.value }).catch((error) => showMessage(errorMessage(error)));
    };
    const node = field(`${request.name}: ${text}`, answer, hint);
    answer.after(button("Open", openTable, { class: "primary" }));
    showMessage("");
    find("#file-error").append(node);
    answer.focus();
  }

  return [button("Open file", () => input.click()), input];
}

// What a table leaves open: the drug or the route of its doses; null for any other error.
function questionOf({ key, error }, request, drugs) {
  if (key === "DRUG" && !request.drug) {
    const choices = drugs.filter((one) => !one.is_session).map((one) => one.name);
    return { key: "drug", text: error, choices, hint: "The table has no column DRUG." };
  }
  const [, name] = /no route is stated for (.+)$/.exec(error) ?? [];
  if (key !== "CMT" || !name || request.route) return null;
  const { routes } = drugs.find((one) => one.name === name) ?? { routes: [] };
  return routes.length ? { key: "route", text: error, choices: routes, hint: "The table has no column CMT or ROUTE." } : null;
}

function noRoom() {
  const text = `${MAX_CASES} cases are open\n  expected: room for one more; remove a case first`;
  return new ServerError({ error: "no room", text }, 413);
}

function tooLarge(name) {
  const text = `${name} is larger than ${MAX_BYTES / 1000} kB\n  expected: a scenario file or a dose table`;
  return new ServerError({ error: "too large", text }, 413);
}

function doseTableNotes(name, { subjects, errors, assumptions }, opened) {
  const count = subjects.length;
  const left = count > opened ? `${count} subjects in ${name}: the first ${opened} were opened` : "";
  return [left, ...errors, ...assumptions.map((text) => `Assumed: ${text}`)].filter(Boolean).join("\n");
}

function showMessage(text, { isNote = false } = {}) {
  const place = find("#file-error");
  place.className = isNote ? "secondary file-note" : "field-error";
  place.textContent = text;
  if (text) place.scrollIntoView({ block: "nearest" });
}
