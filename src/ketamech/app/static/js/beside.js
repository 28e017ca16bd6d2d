// Chapter 9: the followed course beside what takes weeks.

import { ask, Latest } from "./api.js";
import { clock, LAST } from "./clock.js";
import { find, fresh, make } from "./dom.js";
import { Figure } from "./figure.js";
import { at, clockInWords, number } from "./words.js";

const OTHERS = [
  ["antidepressant", "Antidepressant, daily", "antidepressant daily for 6 weeks"],
  ["therapy", "Talk therapy, weekly", "psychotherapy weekly for 12 weeks"],
  ["ect", "ECT, twice a week", "ECT twice weekly for 4 weeks"],
  ["tms", "TMS, five a week", "TMS 5 times a week for 6 weeks"],
];

export function beside(course, pushPlace, figurePlace) {
  const figure = new Figure({ title: "Depression (MADRS)", unit: "points, 0 to 60", height: 360 });
  figurePlace.append(figure.node);
  const kept = new Map();
  const chosen = new Set(OTHERS.map(([key]) => key));
  const panel = make("fieldset", { class: "push" }, make("legend", { text: "Push" }));
  for (const [key, label] of OTHERS) {
    const id = fresh("beside");
    const box = make("input", { type: "checkbox", id, checked: true, onchange: () => { if (box.checked) chosen.add(key); else chosen.delete(key); show(); } });
    panel.append(make("label", { class: "tick", for: id }, box, make("span", { text: label })));
  }
  pushPlace.replaceWith(panel);

  const curve = async (scenario) => {
    const told = await ask("/api/curves", { scenario, until: LAST, lanes: ["mood"] });
    return { time: told.time, y: told.figures[0].curves[0].treated };
  };
  const show = () => {
    if (!kept.has("ketamine")) return;
    const series = [{ ...kept.get("ketamine"), label: "Ketamine, as followed", slot: 0, kind: "main" }];
    OTHERS.forEach(([key, label], i) => { if (chosen.has(key) && kept.has(key)) series.push({ ...kept.get(key), label, slot: i + 1, kind: "minor" }); });
    figure.show({ series, say: "Each curve holds the hope its visits bring. One typical person, MADRS 33 before." });
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
    for (const [key, , sentence] of OTHERS) if (!kept.has(key)) kept.set(key, await curve({ treatments: [sentence], horizon: "30 days" }));
    kept.set("ketamine", await curve(course.scenario));
    show();
  });
  return () => work.push(null);
}
