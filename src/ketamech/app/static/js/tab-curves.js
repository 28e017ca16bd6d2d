// Every stage's curves of all cases, on the one clock.

import { clock } from "./clock.js";
import { ask, Latest, Problem } from "./api.js";
import { fresh, make } from "./dom.js";
import { openRows } from "./evidence.js";
import { Figure } from "./figure.js";

const LETTERS = "ABCDEF", MOST_OUTPUTS = 12;

export function curvesTab(bench) {
  const groups = [...new Set(bench.about.lanes.map((lane) => lane.group))];
  const kept = (bench.view["curves.outputs"] ?? "").split(" ").filter((name) => bench.about.outputs.some((o) => o.name === name)).slice(0, MOST_OUTPUTS);
  const state = { group: [...groups, ""].includes(bench.view["curves.group"]) ? bench.view["curves.group"] : groups[groups.length - 1], outputs: kept, found: [], points: [], series: {} };
  const figures = new Map();
  const many = make("div", { class: "many" });
  const node = make("div", {}, make("h2", { text: "Curves" }), make("p", { class: "quiet", text: "Every stage of every case on the one clock; dashed: the same person with the same hopes and no drug. Dots are published (hollow: translated)." }), bar(), many);

  function bar() {
    const id = fresh("group"), other = fresh("output"), list = fresh("outputs");
    const select = make("select", { id, onchange: () => { state.group = bench.view["curves.group"] = select.value; bench.remember(); build(); update(); } }, groups.map((name) => make("option", { value: name, text: name })), make("option", { value: "", text: "All stages" }));
    select.value = state.group;
    const note = make("p", { class: "complaint", id: fresh("complaint"), role: "alert" });
    const input = make("input", { type: "search", id: other, list, placeholder: "plasticity.bdnf", maxlength: 120, onchange: () => {
      const name = input.value.trim(), known = bench.about.outputs.some((o) => o.name === name);
      note.textContent = !name || known ? "" : `there is no output '${name}'\n  expected: a name of the list, e.g. plasticity.bdnf`;
      input.toggleAttribute("aria-invalid", false);
      if (name && !known) { input.setAttribute("aria-invalid", "true"); input.setAttribute("aria-describedby", note.id); }
      if (known && !state.outputs.includes(name) && state.outputs.length < MOST_OUTPUTS) keepOutputs([...state.outputs, name]);
      if (known) input.value = "";
    } });
    const keepOutputs = (names) => { state.outputs = names; bench.view["curves.outputs"] = names.join(" "); bench.remember(); build(); update(); clear.hidden = !names.length; };
    const clear = make("button", { type: "button", class: "plain", hidden: !state.outputs.length, onclick: () => keepOutputs([]), text: "Remove added outputs" });
    return make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: id, text: "Stages" }), select),
      make("div", { class: "field" }, make("label", { for: other, text: "Add any output by name" }), input, make("datalist", { id: list }, bench.about.outputs.map((o) => make("option", { value: o.name, label: o.about }))), note), clear);
  }

  const animal = () => bench.cases.some((one) => (one.species ?? "human") !== "human");
  const lanes = () => bench.about.lanes.filter((lane) => (!state.group || lane.group === state.group) && (!lane.animals || animal()));

  function build() {
    figures.clear();
    const single = state.outputs.map((name) => { const o = bench.about.outputs.find((one) => one.name === name); return { key: name, label: name, unit: o.unit }; });
    many.replaceChildren(...[...single, ...lanes()].map((lane) => {
      const figure = new Figure({ title: lane.label, unit: lane.unit, openEvidence: openRows, height: 240 });
      const which = make("select", { "aria-label": `Which curve of ${lane.label}`, hidden: true, onchange: () => { state.series[lane.key] = Number(which.value); show(lane.key); } });
      figure.node.querySelector(".fig-head").after(which);
      figures.set(lane.key, { figure, which });
      return figure.node;
    }));
  }

  const work = new Latest(async (_, newer) => {
    const keys = lanes().map((lane) => lane.key);
    if (!keys.every((key) => figures.has(key))) build();
    const asked = { lanes: keys, outputs: state.outputs };
    const answers = await Promise.all(bench.cases.map((scenario, i) => ask("/api/curves", { scenario, until: clock.last, ...asked }).then(
      (told) => { bench.side.complain(i, null); bench.side.understood(i, told.given); return told; },
      (error) => { bench.side.complain(i, error); bench.side.understood(i, []); if (!(error instanceof Problem)) throw error; return null; })));
    state.found = answers;
    for (const key of figures.keys()) show(key);
    performance.measure("slider to redraw", { start: performance.getEntriesByName("pushed").at(-1)?.startTime ?? performance.now(), end: performance.now() });
    if (newer()) return;
    const points = await Promise.all(bench.cases.map((scenario, i) => (answers[i] ? ask("/api/points", { scenario }).then((told) => told.points, () => []) : [])));
    const seen = new Set();
    state.points = points.flat().filter((p) => { const mark = p.evidence + p.lane + p.value; return !seen.has(mark) && seen.add(mark); });
    for (const key of figures.keys()) show(key);
  });

  function show(key) {
    const { figure, which } = figures.get(key) ?? {};
    if (!figure) return;
    const told = state.found.map((answer) => answer && { answer, lane: answer.figures.find((f) => f.key === key) });
    const first = told.find((one) => one?.lane)?.lane;
    if (!first) return figure.show({ series: [], say: "No case can be computed: see the complaint at its field." });
    const lane = bench.about.lanes.find((one) => one.key === key);
    figure.node.hidden = lane?.always === false && !told.some((one) => one?.lane?.curves.some((curve) => Math.max(...curve.treated) - Math.min(...curve.treated) > 1e-6));
    const single = bench.cases.length === 1;
    const chosen = Math.min(state.series[key] ?? 0, first.curves.length - 1);
    if (which.options.length !== first.curves.length) which.replaceChildren(...first.curves.map((curve, i) => make("option", { value: i, text: curve.label })));
    which.hidden = single || first.curves.length < 2;
    const series = [];
    told.forEach((one, i) => {
      if (!one?.lane) return;
      const curves = single ? one.lane.curves : [one.lane.curves[chosen]];
      curves.forEach((curve, k) => series.push({ time: one.answer.time, y: curve.treated, label: single ? curve.label : `${LETTERS[i]} ${bench.cases[i].title ?? ""}`.slice(0, 34), slot: single ? k % 6 : i, kind: k ? "minor" : "main" }));
      const control = curves[0].control;
      if (control && moves(control)) series.push({ time: one.answer.time, y: control, label: single ? "same hopes, no drug" : `${LETTERS[i]} without drug`, kind: "control", quiet: i > 0 });
    });
    figure.show({ unit: first.unit, series, points: state.points.filter((p) => p.lane === key && (single || p.curve === first.curves[chosen].key)), doses: told.find((one) => one)?.answer.doses });
  }

  const moves = (y) => Math.max(...y) - Math.min(...y) > 0.01 * Math.abs(Math.max(...y));
  const update = () => { state.points = []; work.push(null); };
  build();
  return { node, update };
}

