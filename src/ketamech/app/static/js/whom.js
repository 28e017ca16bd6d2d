// In whom, wired how, and what is done beside the treatment; and what a file brought that has no field here.

import { fresh, make } from "./dom.js";

// Species and wiring. `rebuild` draws the case anew, since bounds and names differ.
export function who(one, about, rebuild) {
  const species = choice("Species", "species", about.species.map((name) => [name, name]), one.species || "human", "rats and mice: doses as in experiments, e.g. racemic 10 mg/kg IP", (name) => {
    one.species = name;
    if (one.person && !Array.isArray(one.person)) delete one.person.weight;
    if (name === "human") { delete one.species; one.person = { ...one.person, weight: "70 kg" }; }
    rebuild();
  });
  const says = (name) => about.wirings.find((w) => w.name === name)?.says ?? "as in the tables: every pathway side by side";
  const wiring = choice("Wiring", "wiring", [["", "as in the tables"], ...about.wirings.map((w) => [w.name, `${w.question}: ${w.name.replace(/-/g, " ")}`])], one.wiring || "", `${says(one.wiring)}. A rival road from dose to mood, fitted to the same evidence.`, (name) => {
    if (name) one.wiring = name; else delete one.wiring;
    rebuild();
  });
  const set = [one.species && one.species !== "human" ? one.species : "", one.wiring ? one.wiring.replace(/-/g, " ") : ""].filter(Boolean).join(", ");
  return make("details", { open: Boolean(set) }, make("summary", {}, "Species and wiring", make("span", { class: "set", text: set ? ` ${set}` : "" })), make("div", {}, species, wiring));
}

function choice(words, key, options, now, hint, choose) {
  const id = fresh(key), small = fresh("hint");
  const select = make("select", { id, "data-key": key, "aria-describedby": small, onchange: () => choose(select.value) }, options.map(([value, text]) => make("option", { value, text })));
  select.value = now;
  return make("div", { class: "field" }, make("label", { for: id, text: words }), select, make("small", { id: small, text: hint }), make("p", { class: "complaint", id: fresh("complaint"), role: "alert" }));
}

// What is done beside: phrases, one a line, or shares held for good; a scenario holds one or the other.
export function beside(one, about, changed, shares) {
  const id = fresh("beside"), hint = fresh("hint"), count = make("span", { class: "set" });
  const listed = () => (Array.isArray(one.perturbations) ? one.perturbations : []);
  const held = () => (Array.isArray(one.perturbations) ? 0 : Object.keys(one.perturbations ?? {}).length);
  const area = make("textarea", { id, rows: 2, maxlength: 2000, "data-key": "perturbations", "aria-describedby": hint, "data-hint": hint, spellcheck: "false", placeholder: "NBQX 10 mg/kg IP at -30 min", oninput: () => write() });
  area.value = listed().join("\n");
  const fields = shares();
  const write = () => {
    const phrases = area.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (phrases.length) one.perturbations = phrases; else delete one.perturbations;
    show();
    changed();
  };
  const add = make("select", { "aria-label": "Add what is done beside", onchange: () => { area.value = `${area.value.trim()}${area.value.trim() ? "\n" : ""}${add.value}`; add.value = ""; write(); } },
    make("option", { value: "", text: "Add …" }), [...Map.groupBy(about.beside, (b) => b.kind)].map(([kind, list]) => make("optgroup", { label: kind }, list.map((b) => make("option", { value: b.phrase, text: `${b.phrase} (${b.target})` })))));
  const show = () => {
    const n = listed().length + held();
    count.textContent = n ? ` ${n} set` : "";
    for (const input of fields.querySelectorAll("input")) input.disabled = listed().length > 0;
    area.disabled = add.disabled = held() > 0;
  };
  fields.addEventListener("input", () => show());
  show();
  return make("details", {}, make("summary", {}, "Blocked or added", count), make("div", {},
    make("div", { class: "field" }, make("label", { for: id, text: "Done beside, one a line" }), area, add, make("small", { id: hint, text: "A name, then perhaps a dose, a route or “into the brain”, and a time. Or use the shares below instead." }), make("p", { class: "complaint", id: fresh("complaint"), role: "alert" })),
    make("details", { open: held() > 0 }, make("summary", { text: "Or held for good, as shares" }), fields)));
}

// What a file brought that has no field on the page; it is kept, computed and taken away with the case.
export function fromFile(one) {
  const lines = [];
  const set = Object.entries(one.parameters ?? {});
  if (set.length) lines.push(`Parameters of the file: ${set.slice(0, 12).map(([name, value]) => `${name} = ${value}`).join("; ")}${set.length > 12 ? `; and ${set.length - 12} more` : ""}.`);
  if (one.description) lines.push(one.description);
  return lines.length ? make("div", { class: "from-file quiet" }, lines.map((text) => make("p", { text }))) : null;
}
