// Chapter 10: what goes with each pathway, one switched off at a time; and the shares, where this version can work them out.

import { LAST } from "./clock.js";
import { ask, job, Latest } from "./api.js";
import { PATHWAYS } from "./course.js";
import { badgeFor } from "./evidence.js";
import { draw, find, make } from "./dom.js";
import { Figure } from "./figure.js";
import { at, number, signed } from "./words.js";

const DAY = 24;
const EVIDENCE = {
  disinhibition: { rows: "hm07-fs-frac,hm07-pyr-frac,ali-sst,gerhard-kd-gad1,gerhard-kd-sst,gerhard-kd-pv" },
  extrasynaptic: { rows: "miller-base,miller-occl" },
  resting_release: { rows: "autry-eef2-30,autry-eef2k-inh,autry-bdnfko,nosyreva-pot,eef2k-ko" },
  hnk_ampa: { claim: "metabolite", stage: "pk" },
  habenula: { claim: "habenula-alone", stage: "network" },
  opioid: { claim: "opioid-needed", stage: "opioid" },
  anti_inflammatory: { claim: "inflammation-mood", stage: "inflammation" },
  trkb_direct: { rows: "casarotto-trkb-ket,casarotto-trkb-s,casarotto-trkb-hnk" },
};

export function ways(course, place, parts) {
  const holder = make("div", { "aria-live": "off" }, make("p", { class: "loading", text: "Switching each pathway off in turn …" }));
  place.append(make("div", {}, make("h3", { text: "Lost of the effect on mood at 24 h, when one pathway is off" }), holder));
  if (parts.attribution) place.append(shares(course));
  else place.append(make("div", { class: "nothing" }, make("p", { text: "Shares that add up (Shapley values) are not in this version." })));

  const effect = async (off) => {
    const scenario = course.scenario;
    for (const name of off) scenario.pathways[name] = false;
    const told = await ask("/api/curves", { scenario, until: LAST, lanes: ["mood"] });
    const curve = told.figures[0].curves[0];
    return at(told.time, curve.treated, DAY) - at(told.time, curve.control, DAY);
  };
  const work = new Latest(async () => {
    if (course.species) return holder.replaceChildren(make("div", { class: "nothing" }, make("p", { text: "A rat has no MADRS score. Choose a way of giving it to people, and the shares are worked out." })));
    const whole = await effect([]);
    const lines = [];
    for (const [name, [label, why]] of Object.entries(PATHWAYS)) {
      const gone = course.off.has(name);
      lines.push({ name, label, why, gone, lost: gone ? 0 : (await effect([name])) - whole });
    }
    show(whole, lines);
  });
  const show = (whole, lines) => {
    const most = Math.max(0.5, ...lines.map((line) => Math.abs(line.lost)));
    lines.sort((a, b) => b.lost - a.lost);
    holder.replaceChildren(make("div", { class: "wide" }, make("table", {},
      make("caption", { text: `With all of them, the drug takes ${number(-whole)} points off MADRS at 24 h beyond hope.` }),
      make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "pathway" }), make("th", { scope: "col", text: "points lost without it" }), make("th", { class: "n", scope: "col", text: "points" }))),
      make("tbody", {}, lines.map((line) => make("tr", {},
        make("th", { scope: "row" }, line.label, make("br"), make("small", { class: "quiet", text: `${line.why} ` }), badgeFor(EVIDENCE[line.name])),
        make("td", {}, bar(line.lost, most)), make("td", { class: "n", text: line.gone ? "is off" : Math.abs(line.lost) < 0.005 ? "0" : signed(Number(line.lost.toFixed(2)), 3) })))))));
    find('[data-now="ways"]').textContent = `The most is lost without “${lines[0].label.toLowerCase()}”: ${number(lines[0].lost, 2)} of ${number(-whole, 3)} points. All losses together come to ${number(lines.reduce((sum, line) => sum + line.lost, 0), 3)}.`;
  };
  return () => work.push(null);
}

function bar(value, most) {
  const svg = draw("svg", { viewBox: "0 0 200 18", width: "200", height: "18", class: "fig", "aria-hidden": "true", preserveAspectRatio: "none" });
  const length = Math.max(1, (Math.abs(value) / most) * 196);
  svg.append(draw("rect", { class: value < 0 ? "f1" : "f0", x: 1, y: 3, width: length, height: 12, rx: 2 }));
  return svg;
}

function shares(course) {
  const figure = new Figure({ title: "Who carries how much of MADRS, over time", unit: "points", height: 320 });
  const said = make("div", {}), state = make("p", { class: "quiet", role: "status" });
  const run = make("button", { type: "button", class: "first", text: "Share it out", onclick: async () => {
    run.disabled = true;
    try {
      const work = job("/api/jobs/attribution", { scenario: { ...course.scenario, title: "The story's dose" }, draws: 20 }, (now) => { state.textContent = `${Math.round(100 * now.progress)} %`; });
      const result = await work.done;
      if (result) { figure.show(stacked(result)); said.replaceChildren(...result.said.map((words) => make("p", { class: "quiet", text: words }))); state.textContent = `Shapley values over ${2 ** (result.parts.length - 2)} combinations of switches, mean of 20 draws.`; figure.node.hidden = false; }
    } catch (error) { state.textContent = error.message; }
    run.disabled = false;
  } });
  figure.node.hidden = true;
  return make("div", {}, make("p", { class: "quiet", text: "Shapley values share overlaps evenly, so that parts add up to the whole. All combinations of switches are simulated for several draws of what is not known; this takes a few seconds." }), run, state, figure.node, said);
}

// Layers from largest to smallest, falls below zero.
export function stacked(result) {
  const size = (layer) => Math.max(...layer.map(Math.abs));
  const order = result.parts.map((name, i) => [name, result.course[i]]).sort((a, b) => size(b[1]) - size(a[1]));
  const big = order.slice(0, 5), rest = order.slice(5);
  if (rest.length) big.push(["all others", result.times.map((_, k) => rest.reduce((sum, [, layer]) => sum + layer[k], 0))]);
  let low = result.times.map(() => 0);
  const areas = [], series = [];
  big.forEach(([name, layer], i) => {
    const high = low.map((v, k) => v + layer[k]);
    areas.push({ time: result.times, low, high, kind: "inner", slot: i });
    series.push({ time: result.times, y: high, label: name.replace(/_/g, " "), slot: i, kind: "minor" });
    low = high;
  });
  return { series, areas, say: "Each line is the sum of its layer and those above it in the list; the last is the whole change." };
}
