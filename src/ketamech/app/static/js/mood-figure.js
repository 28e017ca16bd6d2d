// The mood curve of the first screen: severity bands, single people behind it, published values, the score now.

import { svgElement } from "./dom.js";
import { interpolate } from "./format.js";
import { pathOf, TimeFigure } from "./time-figure.js";
import { selectedTime } from "./time-slider.js";

const RANGE = [0, 50];
const SHADES = [0, 0.025, 0.055, 0.1];

export class MoodFigure extends TimeFigure {
  constructor({ bands, openEvidence }) {
    super({
      title: "Depression score, MADRS",
      unit: "lower is better",
      height: 266,
      narrowHeight: 184,
      range: RANGE,
      openEvidence,
    });
    this.severity = bands;
    this.node.classList.add("mood-figure");
    this.people = null;
  }

  // Single people as { time, people }, or null.
  showPeople(people) {
    this.people = people;
    this.redraw();
  }

  axes(width) {
    const { x, y } = this;
    const bands = this.severity.flatMap(({ band, from, to }, i) => {
      const [top, bottom] = [y.at(Math.min(to, RANGE[1])), y.at(from)];
      const area = svgElement("rect", {
        class: "severity",
        x: x.start,
        y: top,
        width: x.end - x.start,
        height: bottom - top,
        opacity: SHADES[i],
      });
      return [
        area,
        svgElement("text", { class: "severity-name", x: x.start + 8, y: to > RANGE[1] ? top + 17 : bottom - 7 }, band),
      ];
    });
    return svgElement("g", {}, svgElement("g", {}, bands), super.axes(width), this.peopleCurves());
  }

  peopleCurves() {
    if (!this.people?.people.length) return svgElement("g", {});
    const { time, people } = this.people;
    const d = people
      .map((scores) =>
        pathOf(
          time,
          scores.map((score) => Math.min(score, RANGE[1])),
          this.x,
          this.y,
        ),
      )
      .join("");
    const middle = this.x.valueAt((this.x.start + this.x.end) / 2);
    const hours = selectedTime.range.linear ? middle : 5;
    const low = Math.min(...people.map((scores) => interpolate(time, scores, hours)));
    const at = {
      class: "note people",
      x: this.x.at(hours),
      y: Math.min(this.y.start - 6, this.y.at(Math.max(low, 4)) + 4),
      "text-anchor": "middle",
    };
    return svgElement(
      "g",
      { "clip-path": "inset(0)" },
      svgElement("path", { class: "person-curve", d }),
      svgElement("text", at, `${people.length} simulated people`),
    );
  }

  // The dashed line has its name on it.
  controlName() {
    const control = this.data.series.find(({ kind }) => kind === "control");
    const score = control && interpolate(control.time, control.y, 300);
    if (!Number.isFinite(score)) return null;
    return svgElement(
      "text",
      { class: "note", x: this.x.end - 4, y: this.y.at(score) - 8, "text-anchor": "end" },
      "no drug",
    );
  }

  redraw() {
    super.redraw();
    if (!this.x || !this.data) return;
    const name = this.controlName();
    if (name) this.svg.insertBefore(name, this.timeMarks);
  }

  showSelectedTime() {
    super.showSelectedTime();
    if (!this.timeMarks || !this.data?.series.length) return;
    const [main] = this.data.series;
    const score = interpolate(main.time, main.y, selectedTime.hours);
    if (score === null) return;
    const isRight = this.x.at(selectedTime.hours) > this.x.end - 60;
    this.now ??= svgElement("text", { class: "now" });
    if (this.now.parentNode !== this.timeMarks) this.timeMarks.append(this.now);
    this.now.setAttribute("x", (this.x.at(selectedTime.hours) + (isRight ? -12 : 12)).toFixed(1));
    this.now.setAttribute("y", (this.y.at(score) - 9).toFixed(1));
    this.now.setAttribute("text-anchor", isRight ? "end" : "start");
    const text = String(Math.round(score));
    if (this.now.textContent !== text) this.now.textContent = text;
  }
}

export const bandOf = (bands, score) =>
  bands.find(({ from, to }) => score < to && score >= from)?.band ?? bands.at(-1).band;
