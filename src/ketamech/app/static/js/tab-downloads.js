// Downloads of a case: report, data, scenario file, command and Python.

import { errorMessage, fetchFile, postJson } from "./api.js";
import { caseSelect } from "./case-list.js";
import { announce, button, download, element, errorBox, field, paragraph, tabContent, toolbar } from "./dom.js";
import { isStaticSite, needsProgram } from "./static-site.js";

const REPORT =
  "What was simulated, the results, figures, sources and limits in plain language, for a conversation. It is not medical advice.";
const DATA =
  "Every output at every time, treated and control, with units. Figures can be saved as SVG, PNG and CSV with the buttons beside their titles.";

export function downloadsTab(workbench) {
  const { input, refill, scenario } = caseSelect(workbench);
  const place = element("div", { class: "downloads" });
  const error = element("p", { class: "field-error", role: "alert" });
  input.addEventListener("change", () => {
    workbench.chosen = Number(input.value);
    update();
  });

  async function save(path, name) {
    error.textContent = "";
    try {
      const { content, fileName } = await fetchFile(path, { scenario: scenario() }, name);
      download(content, fileName, "text/csv");
      announce(`${fileName} saved`);
    } catch (problem) {
      error.textContent = errorMessage(problem);
    }
  }

  function saveButton(text, path, name) {
    const onclick = async ({ target }) => {
      target.disabled = true;
      await save(path, name);
      target.disabled = false;
    };
    return button(text, onclick);
  }

  async function update() {
    const chosen = Math.min(workbench.chosen, workbench.cases.length - 1);
    refill(String(chosen));
    try {
      const summary = await postJson("/api/scenario/check", { scenario: scenario() });
      workbench.caseList.showError(chosen, null);
      error.textContent = "";
      place.replaceChildren(...sections(summary, saveButton));
    } catch (problem) {
      workbench.caseList.showError(chosen, problem);
      place.replaceChildren(errorBox(errorMessage(problem)));
    }
  }

  return { node: tabContent("Download", null, toolbar(field("Case", input)), error, place), update };
}

function sections({ treatments, yaml, shell, python, command }, saveButton) {
  const fromServer = (text, path, name) =>
    isStaticSite ? button(text, null, { disabled: true }) : saveButton(text, path, name);
  const textButton = (path, name, text) =>
    isStaticSite ? button("Save", () => download(text, name, "text/plain")) : saveButton("Save", path, name);
  const section = (title, ...content) => element("section", {}, element("h3", { text: title }), content);
  const buttons = (...nodes) => element("div", { class: "buttons" }, nodes);
  return [
    section(
      "One-page report",
      paragraph(REPORT),
      paragraph(`${treatments.join("; ")}.`, "secondary"),
      buttons(
        fromServer("PDF", "/api/report/pdf", "report.pdf"),
        fromServer("HTML", "/api/report/html", "report.html"),
      ),
      isStaticSite && paragraph(needsProgram("Reports need"), "secondary"),
    ),
    section(
      "Data",
      paragraph(DATA),
      buttons(
        saveButton("CSV", "/api/export/csv", "curves.csv"),
        fromServer("Parquet", "/api/export/parquet", "curves.parquet"),
      ),
      isStaticSite && paragraph(needsProgram("Parquet files need"), "secondary"),
    ),
    codeSection("Scenario file", yaml, textButton("/api/export/yaml", "scenario.yaml", yaml)),
    codeSection("Command line", shell.trim(), textButton("/api/export/sh", "scenario.sh", shell)),
    codeSection("Python", python, textButton("/api/export/py", "scenario.py", python)),
    codeSection("Command line, 1,000 virtual patients", `${command} --patients 1000 --seed 1`),
  ];
}

// A text that can be copied; `button` saves it as a file.
export function codeSection(title, text, saveButton = null) {
  const copy = async ({ target }) => {
    try {
      await navigator.clipboard.writeText(text);
      target.textContent = "Copied";
    } catch {
      target.textContent = "Select and copy";
    }
  };
  const copyButton = button("Copy", copy, { "aria-label": `Copy: ${title}` });
  saveButton?.setAttribute("aria-label", `${saveButton.textContent}: ${title}`);
  return element(
    "section",
    {},
    element("h3", { text: title }),
    element("pre", { tabindex: "0", role: "region", "aria-label": title, text }),
    element("div", { class: "buttons" }, copyButton, saveButton),
  );
}
