// The cases at the left of the workbench: add, edit, remove; errors appear at the field they are about.

import { ServerError } from "./api.js";
import { announce, element, find, findAll, options, showFieldError, uniqueId } from "./dom.js";
import { legendSample } from "./figure.js";
import { fileUpload } from "./file-upload.js";
import { horizonAndControl, patientFields, settingsFromFile, speciesAndVariant } from "./person-form.js";
import { pathwaySwitches, perturbationFields } from "./perturbation-panel.js";
import { MAX_CASES } from "./share-link.js";
import { treatmentField, treatmentForm } from "./treatment-form.js";

const TREATMENT_KEYS = /^(dose|route|drug|schedule|treatment|treatments|time)/;

export const caseLetter = (i) => "ABCDEF"[i];
export const caseLabel = (scenario, i) => `${caseLetter(i)} ${scenario.title ?? ""}`;

// A choice of one of the cases; `refill` is called when cases may have changed.
export function caseSelect(workbench) {
  const select = element("select", { id: uniqueId("case") });
  const refill = (chosen = select.value || "0") => {
    select.replaceChildren(...options([...workbench.cases.keys()], (i) => caseLabel(workbench.cases[i], i)));
    select.value = chosen;
    if (!select.value) select.value = "0";
  };
  return { select, refill, scenario: () => workbench.cases[Number(select.value) || 0] };
}

export class CaseList {
  constructor(workbench) {
    this.workbench = workbench;
    this.place = find("#cases");
    const open = (scenarios) => scenarios.forEach((scenario) => this.addReplacingLast(scenario));
    this.presetSelect = this.makePresetSelect();
    find("#case-tools").append(this.presetSelect, ...fileUpload(workbench.about.drugs, open));
    this.build();
  }

  makePresetSelect() {
    const { presets } = this.workbench.about;
    const select = element("select", { "aria-label": "Add a case" });
    select.append(element("option", { value: "", text: "Add a case …" }));
    select.append(...options([...presets.keys()], (i) => presets[i].title));
    select.addEventListener("change", () => {
      if (select.value) this.add(structuredClone(presets[Number(select.value)]));
      select.value = "";
    });
    return select;
  }

  build() {
    const { cases } = this.workbench;
    const fileError = element("div", { class: "field-error", id: "file-error", role: "alert" });
    this.place.replaceChildren(...cases.map((scenario, i) => this.card(scenario, i)), fileError);
    this.presetSelect.disabled = cases.length >= MAX_CASES;
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

  addReplacingLast(scenario) {
    const { cases } = this.workbench;
    if (cases.length >= MAX_CASES) cases.pop();
    this.add(scenario);
  }

  remove(i) {
    this.workbench.cases.splice(i, 1);
    this.workbench.chosen = 0;
    this.build();
    this.workbench.changed();
  }

  card(scenario, i) {
    const { about } = this.workbench;
    const changed = () => {
      this.workbench.chosen = i;
      this.workbench.changed();
    };
    const rebuild = () => {
      this.build();
      changed();
    };
    return element(
      "article",
      { class: "case", "aria-label": `Case ${caseLetter(i)}` },
      this.cardHeader(scenario, i, changed),
      treatmentFields(scenario, about, changed),
      speciesAndVariant(scenario, about, rebuild),
      patientFields(scenario, about, changed),
      pathwaySwitches(scenario, about.pathways, changed),
      perturbationFields(scenario, about, changed),
      horizonAndControl(scenario, changed),
      settingsFromFile(scenario),
      element("p", { class: "field-error", id: uniqueId("error"), role: "alert" }),
    );
  }

  cardHeader(scenario, i, changed) {
    const letter = caseLetter(i);
    const title = element("input", { type: "text", maxlength: 200, "aria-label": `Title of case ${letter}` });
    title.value = scenario.title ?? `Case ${letter}`;
    title.addEventListener("input", () => {
      scenario.title = title.value || "Untitled";
      changed();
    });
    const removal = { class: "link-button", type: "button", "aria-label": `Remove case ${letter}`, text: "Remove" };
    const sample = legendSample({ index: i, kind: "main" });
    return element(
      "header",
      {},
      element("span", { class: "letter" }, letter, sample),
      title,
      this.workbench.cases.length > 1 && element("button", { ...removal, onclick: () => this.remove(i) }),
    );
  }

  // The treatments as the server read them: the text of a field may be abbreviated.
  showParsedTreatments(i, treatments) {
    const place = findAll(".parsed-treatments", this.place)[i];
    if (place) place.textContent = treatments.length ? `Simulated: ${treatments.join("; ")}.` : "";
  }

  // Shows an error of the server at the field of case `i` that it is about; null removes all of them.
  showError(i, error) {
    const card = findAll(".case", this.place)[i];
    if (!card) return;
    for (const input of findAll("[data-key]", card)) showFieldError(input, "");
    const general = find(":scope > .field-error", card);
    general.textContent = "";
    if (!(error instanceof ServerError)) return;
    const input = inputOf(error.key ?? "", findAll("[data-key]", card));
    if (!input?.closest(".field, .treatment")) {
      general.textContent = error.message;
      return;
    }
    showFieldError(input, error.message);
    for (let box = input.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  }
}

// The field of a key: the same key, the section it belongs to, or the first treatment.
function inputOf(key, inputs) {
  const exact = inputs.find((input) => input.dataset.key === key);
  const section = inputs.find((input) => key.startsWith(input.dataset.key));
  return exact ?? section ?? (TREATMENT_KEYS.test(key) || !key ? inputs[0] : null);
}

function treatmentFields(scenario, about, changed) {
  const list = element("div", {});
  const maxLength = about.limits.text_characters;
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
  return [list, parsed, treatmentForm(about.drugs, add)];
}
