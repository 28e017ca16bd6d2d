// Things to take away: the scenario as a file, a command and Python; its data; one page for a conversation.

import { ask, Problem, raw } from "./api.js";
import { download, fresh, make, say } from "./dom.js";

export function takeTab(bench) {
  const which = make("select", { id: fresh("case"), onchange: () => { bench.chosen = Number(which.value); update(); } });
  const place = make("div", { class: "take" }), note = make("p", { class: "complaint", role: "alert" });
  const node = make("div", {}, make("h2", { text: "Take away" }), make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: which.id, text: "Case" }), which)), note, place);
  const scenario = () => bench.cases[Number(which.value) || 0];

  async function fetchFile(path, name) {
    note.textContent = "";
    try {
      const response = await raw(path, { scenario: scenario() });
      const given = response.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] ?? name;
      download(await response.blob(), given);
      say(`${given} saved`);
    } catch (error) { note.textContent = error instanceof Problem ? error.message : "The program does not answer."; }
  }

  const button = (words, path, name) => make("button", { type: "button", onclick: async (event) => { event.target.disabled = true; await fetchFile(path, name); event.target.disabled = false; }, text: words });
  const code = (title, text, name) => make("section", {}, make("h3", { text: title }), make("pre", { tabindex: "0", role: "region", "aria-label": title, text }), make("div", { class: "buttons" }, make("button", { type: "button", text: "Copy", "aria-label": `Copy: ${title}`, onclick: async (event) => { try { await navigator.clipboard.writeText(text); event.target.textContent = "Copied"; } catch { event.target.textContent = "Select it and copy"; } } }), name && button("Save", ...name)));

  async function update() {
    const now = String(Math.min(bench.chosen, bench.cases.length - 1));
    which.replaceChildren(...bench.cases.map((one, i) => make("option", { value: i, text: `${"ABCDEF"[i]} ${one.title ?? ""}` })));
    which.value = now;
    try {
      const told = await ask("/api/scenario/check", { scenario: scenario() });
      bench.side.complain(Number(now), null);
      note.textContent = "";
      place.replaceChildren(
        make("section", {}, make("h3", { text: "One page, in plain words" }), make("p", { text: "What was simulated and what happened, with figures, sources and limits: something to bring to a conversation. It is not medical advice." }), make("p", { class: "quiet", text: `${told.given.join("; ")}.` }), make("div", { class: "buttons" }, button("PDF", "/api/report/pdf", "report.pdf"), button("HTML", "/api/report/html", "report.html"))),
        make("section", {}, make("h3", { text: "Data" }), make("p", { text: "Every output at every time, treated and control, with units. Figures have SVG, PNG and their own numbers beside their titles." }), make("div", { class: "buttons" }, button("CSV", "/api/export/csv", "curves.csv"), button("Parquet", "/api/export/parquet", "curves.parquet"))),
        code("Scenario file", told.yaml, ["/api/export/yaml", "scenario.yaml"]), code("Command line", told.shell.trim(), ["/api/export/sh", "scenario.sh"]), code("Python", told.python, ["/api/export/py", "scenario.py"]),
        code("The 1,000 people", `${told.command} --patients 1000 --seed 1`));
    } catch (error) {
      bench.side.complain(Number(now), error);
      place.replaceChildren(make("div", { class: "trouble", text: error instanceof Problem ? error.message : "The program does not answer." }));
    }
  }

  return { node, update };
}
