// The cases at the left: treatments as sentences with a slider for the dose, the person, what is switched off or blocked.

import { Problem } from "./api.js";
import { all, find, fresh, make, say } from "./dom.js";
import { sampleLine } from "./figure.js";
import { opener } from "./opening.js";
import { PRESETS } from "./presets.js";
import { composer, doseSlider, inWords } from "./treatments.js";
import { beside, fromFile, who } from "./whom.js";

const LETTERS = "ABCDEF", MOST = 4;

export function casesPanel(bench, place, tools) {
  const panel = { build };
  const choose = make("select", { "aria-label": "Add a case", onchange: () => { if (choose.value) add(structuredClone(PRESETS[Number(choose.value)])); choose.value = ""; } },
    make("option", { value: "", text: "Add a case …" }), PRESETS.map((preset, i) => make("option", { value: i, text: preset.title })));
  tools.append(choose, ...opener(bench, (found) => { for (const one of found) { if (bench.cases.length >= MOST) bench.cases.pop(); add(one); } }, MOST));

  function build() {
    bench.cases.length ||= 1;
    place.replaceChildren(...bench.cases.map((one, i) => card(bench, panel, one, i)));
    place.append(make("div", { class: "complaint", id: "file-complaint", role: "alert" }));
    choose.disabled = bench.cases.length >= MOST;
  }

  function add(one) {
    if (bench.cases.length >= MOST) return;
    bench.cases.push(one);
    bench.chosen = bench.cases.length - 1;
    build();
    bench.changed();
    say(`Case ${LETTERS[bench.chosen]} added`);
  }

  panel.complain = (i, error) => {
    const node = all(".case", place)[i];
    if (!node) return;
    for (const old of all(".complaint", node)) old.textContent = "";
    for (const field of all("[aria-invalid]", node)) { field.removeAttribute("aria-invalid"); if (field.dataset.hint) field.setAttribute("aria-describedby", field.dataset.hint); else field.removeAttribute("aria-describedby"); }
    if (!(error instanceof Problem)) return;
    const key = error.key ?? "";
    const fields = all("[data-key]", node);
    const field = fields.find((f) => f.dataset.key === key) ?? fields.find((f) => key.startsWith(f.dataset.key)) ?? (/^(dose|route|drug|schedule|treatment|treatments|time)/.test(key) || !key ? fields[0] : null);
    const spot = field?.closest(".treatment, .field")?.querySelector(".complaint") ?? find(":scope > .complaint", node);
    spot.textContent = error.text ?? error.message;
    if (field) { field.setAttribute("aria-invalid", "true"); field.dataset.hint ??= field.getAttribute("aria-describedby") ?? ""; field.setAttribute("aria-describedby", spot.id); for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true; }
  };
  // The treatments in the words of the program: what was typed may be short, or misread.
  panel.understood = (i, given) => {
    const spot = all(".case", place)[i]?.querySelector(".understood");
    if (spot) spot.textContent = given.length ? `Understood: ${given.join("; ")}.` : "";
  };
  build();
  return panel;
}

function card(bench, panel, one, i) {
  const changed = () => { bench.chosen = i; bench.changed(); };
  const title = make("input", { type: "text", maxlength: 200, value: one.title ?? `Case ${LETTERS[i]}`, "aria-label": `Name of case ${LETTERS[i]}`, oninput: () => { one.title = title.value || "Untitled"; changed(); } });
  const remove = () => { bench.cases.splice(i, 1); bench.chosen = 0; panel.build(); bench.changed(); };
  const list = make("div", {});
  const drawList = () => list.replaceChildren(...one.treatments.map((text, k) => treatment(one, k, changed, () => { one.treatments.splice(k, 1); drawList(); changed(); })));
  drawList();
  return make("article", { class: "case", "aria-label": `Case ${LETTERS[i]}` },
    make("header", {}, make("span", { class: "letter" }, LETTERS[i], sampleLine(i)), title,
      bench.cases.length > 1 && make("button", { class: "plain", type: "button", "aria-label": `Remove case ${LETTERS[i]}`, onclick: remove, text: "Remove" })),
    list, make("p", { class: "quiet understood" }),
    composer(bench.about, (text) => { one.treatments.push(text); drawList(); changed(); }),
    who(one, bench.about, () => { panel.build(); changed(); }),
    settings("The person", one, "person", bench.about.person, changed),
    switches(one, bench.about.pathways, changed),
    beside(one, bench.about, changed, () => settings("", one, "perturbations", bench.about.perturbations, changed)),
    look(one, changed),
    fromFile(one),
    make("p", { class: "complaint", id: fresh("complaint"), role: "alert" }));
}

function treatment(one, k, changed, remove) {
  const id = fresh("treatment"), hint = fresh("hint");
  const area = make("textarea", { id, rows: 2, maxlength: 500, "data-key": `treatments[${k}]`, "aria-describedby": hint, "data-hint": hint, spellcheck: "false", oninput: () => { one.treatments[k] = area.value; slider.refresh(); changed(); } });
  area.value = inWords(one.treatments[k]);
  const slider = doseSlider(area, () => { one.treatments[k] = area.value; changed(); });
  return make("div", { class: "treatment" },
    make("div", { class: "row" }, make("label", { for: id, text: one.treatments.length > 1 ? `Treatment ${k + 1}` : "Treatment" }), one.treatments.length > 1 && make("button", { class: "plain", type: "button", "aria-label": `Remove treatment ${k + 1}`, onclick: remove, text: "Remove" })),
    area, make("small", { id: hint, class: "quiet", text: "What, how much, how, how often: “esketamine 84 mg nasal twice weekly for 4 weeks”." }), slider.node, make("p", { class: "complaint", id: fresh("complaint"), role: "alert" }));
}

function settings(name, one, section, known, changed) {
  const count = make("span", { class: "set" });
  const recount = () => { const n = Object.keys(one[section] ?? {}).length; count.textContent = n ? ` ${n} set` : ""; };
  recount();
  const fields = known.map((row) => {
    const id = fresh("set"), about = fresh("about");
    const input = make("input", { type: "text", inputmode: "decimal", id, "data-key": `${section}.${row.name}`, placeholder: String(row.value), maxlength: 20, "aria-describedby": about, oninput: () => {
      const text = input.value.trim().replace(",", ".");
      if (!one[section] || Array.isArray(one[section])) one[section] = {};
      if (!text) delete one[section][row.name];
      else one[section][row.name] = row.unit && section === "person" && /^[\d.eE+-]+$/.test(text) ? `${text} ${row.unit}` : section === "person" ? text : Number(text);
      recount();
      changed();
    } });
    const now = one[section]?.[row.name];
    if (now !== undefined) input.value = String(now).replace(` ${row.unit}`, "");
    const animal = (one.species ?? "human") !== "human" && row.in_animals;
    const [low, high] = animal || [row.low, row.high];
    const range = low !== null && high !== null ? `${round(low)} to ${round(high)}` : low === 0 ? "0 or more" : "any number";
    return make("div", { class: "field" }, make("label", { for: id, text: row.name.replace(/_/g, " ") }), make("div", { class: "with-unit" }, input, row.unit && make("span", { class: "quiet", text: row.unit })),
      make("small", { id: about, text: `${range}; usual ${animal ? "that of the species" : row.value}. ${row.about}` }), make("p", { class: "complaint", id: fresh("complaint"), role: "alert" }));
  });
  return name ? make("details", {}, make("summary", {}, name, count), make("div", {}, fields)) : make("div", { class: "shares" }, fields);
}

const round = (value) => String(Number(value.toPrecision(3)));

function switches(one, known, changed) {
  const count = make("span", { class: "set" });
  const recount = () => { const n = Object.values(one.pathways ?? {}).filter((on) => on === false).length; count.textContent = n ? ` ${n} off` : ""; };
  recount();
  return make("details", {}, make("summary", {}, "Pathways", count), make("div", {}, known.map((row) => {
    const id = fresh("path");
    const box = make("input", { type: "checkbox", id, "data-key": `pathways.${row.name}`, onchange: () => { one.pathways ??= {}; if (box.checked) delete one.pathways[row.name]; else one.pathways[row.name] = false; recount(); changed(); } });
    box.checked = one.pathways?.[row.name] !== false;
    return make("label", { class: "tick", for: id }, box, make("span", {}, `${row.name.replace(/_/g, " ")} `, make("small", { text: row.about.replace(/^Switch: /, "").replace(/ \(1 on, 0 off\)$/, "") })));
  })));
}

function look(one, changed) {
  const id = fresh("look"), control = fresh("control");
  const input = make("input", { type: "text", id, "data-key": "horizon", placeholder: "28 days", maxlength: 20, oninput: () => { if (input.value.trim()) one.horizon = input.value.trim(); else delete one.horizon; changed(); } });
  input.value = one.horizon ?? "";
  const box = make("input", { type: "checkbox", id: control, onchange: () => { one.control = box.checked; changed(); } });
  box.checked = one.control !== false;
  return make("details", {}, make("summary", { text: "How long, and beside whom" }), make("div", {},
    make("div", { class: "field" }, make("label", { for: id, text: "Look for" }), input, make("small", { text: "1 h to 2 years, e.g. 84 days; empty: 28 days, or four weeks after the last dose. The clock below says how much of it is shown." }), make("p", { class: "complaint", id: fresh("complaint"), role: "alert" })),
    make("label", { class: "tick", for: control }, box, make("span", {}, "Also the same person with the same hopes and no drug"))));
}

