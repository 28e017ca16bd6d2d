// Opening a file: a scenario, or a dose table whose people become cases.

import { ask, Problem } from "./api.js";
import { find, fresh, make, say } from "./dom.js";

const LARGEST = 200000;

// A button and its hidden input. `add` gets the scenarios of a file; at most `most` of its people are taken.
export function opener(bench, add, most) {
  const file = make("input", { type: "file", class: "hush", id: "file", accept: ".yaml,.yml,.csv,.tsv,.txt,.dat,.prn,.nm", tabindex: "-1", "aria-label": "A scenario file or a dose table", onchange: () => file.files[0] && open(file.files[0]) });

  async function open(given) {
    complain("");
    try {
      if (given.size > LARGEST) throw new Problem({ what: "too large", text: `${given.name} is larger than 200 kB\n  expected: a scenario file or a dose table` }, 413);
      await read(given.name.slice(0, 120), await given.text(), "");
    } catch (error) { complain(error instanceof Problem ? error.message : "The file could not be sent: the program does not answer."); }
    file.value = "";
  }

  async function read(name, text, drug) {
    if (/\.ya?ml$/i.test(name)) return add([await ask("/api/scenario/read", { name, text })]);
    try {
      const found = await ask("/api/scenario/doses", { name, text, drug });
      const taken = found.people.slice(0, most);
      add(taken.map((person) => person.scenario));
      const left = found.people.length - taken.length;
      const words = [left ? `${found.people.length} people in ${name}: the first ${taken.length} were opened` : "", ...found.refused, ...found.notes.map((note) => `Assumed: ${note}`)].filter(Boolean).join("\n");
      complain(words, "note");
      say(`${taken.length} ${taken.length === 1 ? "person" : "people"} of ${name} opened`);
    } catch (error) {
      if (!(error instanceof Problem) || error.key !== "DRUG" || drug) throw error;
      which(name, text, error.what);
    }
  }

  // The table does not say which drug: ask for it where the complaint stands.
  function which(name, text, what) {
    const select = make("select", { id: fresh("drug") }, bench.about.drugs.filter((d) => !d.sessions).map((d) => make("option", { value: d.name, text: d.name })));
    const go = make("button", { type: "button", class: "first", text: "Open", onclick: () => { complain(""); read(name, text, select.value).catch((error) => complain(error.message)); } });
    complain("");
    find("#file-complaint").append(make("div", { class: "field" }, make("label", { for: select.id, text: `${name}: ${what}` }), make("div", { class: "with-unit" }, select, go), make("small", { text: "The table has no column DRUG." })));
    select.focus();
  }

  return [make("button", { type: "button", onclick: () => file.click(), text: "Open a file" }), file];
}

function complain(words, kind = "") {
  const place = find("#file-complaint");
  place.className = kind ? "quiet note-file" : "complaint";
  place.textContent = words;
  if (words) place.scrollIntoView({ block: "nearest" });
}
