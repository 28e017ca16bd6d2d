// A thousand virtual patients on each case: half of them, nine in ten of them, and the one in the middle.

import { clock } from "./clock.js";
import { ask, Latest, Problem } from "./api.js";
import { fresh, make } from "./dom.js";
import { Figure } from "./figure.js";

const LETTERS = "ABCDEF";

export function peopleTab(bench) {
  const id = fresh("lane"), count = fresh("count");
  const lane = make("select", { id, onchange: () => update() }, bench.about.lanes.map((one) => make("option", { value: one.key, text: one.label })));
  lane.value = "mood";
  const patients = make("select", { id: count, onchange: () => update() }, [100, 1000, 2000].map((n) => make("option", { value: n, text: n.toLocaleString("en") })));
  patients.value = "1000";
  bench.keep("people.lane", lane);
  bench.keep("people.count", patients);
  const figure = new Figure({ title: "1,000 virtual patients", height: 420 });
  const state = make("p", { class: "quiet", role: "status" });
  const node = make("div", {}, make("h2", { text: "1,000 people" }),
    make("p", { class: "quiet", text: "Every value with a spread is drawn for each patient: what differs between people and what nobody knows, together. The bands are therefore wider than any clinic would see. Move a dose: the bands follow." }),
    make("div", { class: "bar" }, make("div", { class: "field" }, make("label", { for: id, text: "What" }), lane), make("div", { class: "field" }, make("label", { for: count, text: "Patients" }), patients)),
    figure.node, state);

  const work = new Latest(async () => {
    figure.stale();
    const asked = { lane: lane.value, patients: Number(patients.value) };
    const found = await Promise.all(bench.cases.map((scenario, i) => ask("/api/band", { scenario, until: clock.last, ...asked }).then(
      (told) => { bench.side.complain(i, null); return told; },
      (error) => { bench.side.complain(i, error); if (!(error instanceof Problem)) throw error; return null; })));
    show(found);
    performance.measure("slider to band", { start: performance.getEntriesByName("pushed").at(-1)?.startTime ?? performance.now(), end: performance.now() });
  });

  function show(found) {
    const series = [], areas = [];
    found.forEach((told, i) => {
      if (!told) return;
      const q = told.curves[0].quantiles, name = bench.cases.length > 1 ? `${LETTERS[i]} ` : "";
      areas.push({ time: told.time, low: q["0.05"], high: q["0.95"], kind: "outer", slot: i, label: `${name}nine in ten` }, { time: told.time, low: q["0.25"], high: q["0.75"], kind: "inner", slot: i, label: `${name}half` });
      series.push({ time: told.time, y: q["0.5"], label: `${name}the middle one`, slot: i, kind: "main" });
      for (const [share, words] of [["0.05", "5 % are below"], ["0.95", "95 % are below"]]) series.push({ time: told.time, y: q[share], label: `${name}${words}`, slot: i, kind: "edge" });
    });
    const first = found.find(Boolean);
    const words = bench.about.lanes.find((one) => one.key === lane.value);
    figure.title = `${words.label}: ${first?.curves[0].label ?? ""}`;
    figure.node.querySelector("h3").textContent = `${words.label}, ${Number(patients.value).toLocaleString("en")} virtual patients`;
    figure.show({ unit: words.unit, series, areas });
    const failed = found.filter(Boolean).reduce((sum, told) => sum + told.failed, 0);
    state.textContent = first ? `${found.filter(Boolean).map((told) => `${Math.round(told.milliseconds)} ms`).join(", ")} to compute.${failed ? ` ${failed} could not be solved and are left out.` : ""}` : "No case can be computed: see the complaint at its field.";
  }

  const update = () => work.push(null);
  return { node, update };
}
