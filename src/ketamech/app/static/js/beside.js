// Chapter 9: the followed course beside what takes weeks.

import { ask, Latest, Problem } from "./api.js";
import { clock, LAST } from "./clock.js";
import { Course } from "./course.js";
import { find, fresh, make } from "./dom.js";
import { openRows } from "./evidence.js";
import { Figure } from "./figure.js";
import { at, clockInWords, number } from "./words.js";

const OTHERS = [
  ["antidepressant", "Antidepressant, daily", "antidepressant daily for 6 weeks"],
  ["therapy", "Talk therapy, weekly", "psychotherapy weekly for 12 weeks"],
  ["ect", "ECT, twice a week", "ECT twice weekly for 4 weeks"],
  ["tms", "TMS, five a week", "TMS 5 times a week for 6 weeks"],
];

export function beside(course, pushPlace, figurePlace) {
  const figure = new Figure({ title: "Depression (MADRS)", unit: "points, 0 to 60", height: 360, openEvidence: openRows });
  figurePlace.append(figure.node);
  const kept = new Map();
  const chosen = new Set(OTHERS.map(([key]) => key));
  const panel = make("div", { role: "group", "aria-label": "Beside" });
  for (const [key, label] of OTHERS) {
    const id = fresh("beside");
    const box = make("input", { type: "checkbox", id, checked: true, onchange: () => { if (box.checked) chosen.add(key); else chosen.delete(key); show(); } });
    panel.append(make("label", { class: "tick", for: id }, box, make("span", { text: label })));
  }
  pushPlace.replaceWith(panel);

  const curve = async (scenario, slot, label) => {
    const [told, published] = await Promise.all([ask("/api/curves", { scenario, until: LAST, lanes: ["mood"] }), ask("/api/points", { scenario }).catch(() => ({ points: [] }))]);
    const points = published.points.filter((p) => p.lane === "mood" && p.curve === told.figures[0].curves[0].key).map((p) => ({ ...p, slot, label: `${label}: ${p.label}` }));
    return { time: told.time, y: told.figures[0].curves[0].treated, points };
  };
  const show = () => {
    if (!kept.has("ketamine")) return;
    const series = [{ ...kept.get("ketamine"), label: course.species ? "Ketamine infusion, in people" : "Ketamine, as followed", slot: 0, kind: "main" }];
    OTHERS.forEach(([key, label], i) => { if (chosen.has(key) && kept.has(key)) series.push({ ...kept.get(key), label, slot: i + 1, kind: "minor" }); });
    const points = ["ketamine", ...OTHERS.map(([key]) => key)].filter((key) => (key === "ketamine" || chosen.has(key)) && kept.has(key)).flatMap((key) => kept.get(key).points);
    figure.show({ series, points, say: "Each curve holds the hope its visits bring; one typical person, MADRS 33 before. Marks of a curve’s own shape and colour are published means of such courses. Most trials of the others end after the month that the clock shows." });
    tell(clock.hours);
  };
  const tell = (hours) => {
    const place = find('[data-now="beside"]');
    if (!kept.has("ketamine")) return;
    const value = (key) => number(at(kept.get(key).time, kept.get(key).y, hours));
    const rest = OTHERS.filter(([key]) => chosen.has(key) && kept.has(key)).map(([key, label]) => `${label.split(",")[0]} ${value(key)}`);
    place.textContent = `After ${clockInWords(hours)}: ketamine ${value("ketamine")}${rest.length ? `; ${rest.join(", ")}` : ""} points.`;
  };
  clock.listen(tell);
  const work = new Latest(async () => {
    try {
      for (const [i, [key, label, sentence]] of OTHERS.entries()) if (!kept.has(key)) kept.set(key, await curve({ treatments: [sentence], horizon: "84 days" }, i + 1, label.split(",")[0]));
      kept.set("ketamine", await curve(course.species ? new Course().scenario : course.scenario, 0, "Ketamine"));
      show();
    } catch (error) { if (error instanceof Problem) figure.show({ series: [], say: error.message }); else throw error; }
  });
  return () => work.push(null);
}
