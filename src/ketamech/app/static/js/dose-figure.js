// One endpoint at one time against the dose: median and bands of virtual patients, published values, and a grey area for
// doses that no study of the tables gave.

import { drawnButton, svgElement } from "./dom.js";
import { XyChart } from "./figure.js";
import { formatRange, formatWithUnit } from "./format.js";
import { byKind, kindWords, pointMark } from "./point-marks.js";

export class DoseFigure extends XyChart {
  // `doses`: ascending; `values`: { percent: [value of each dose] }; `points`: published values with a `dose`;
  // `tested`: the largest dose of a study, 0 where there is none.
  showDoses({ doses, values, points, tested, unit, xLabel }) {
    Object.assign(this, { doses, values, points, tested, xLabel, unit });
    this.unitNode.textContent = unit;
    const edges = (label, low, high) => ({ label, x: doses, y: values[50], low: values[low], high: values[high] });
    const known = doses.map((dose, i) => (dose <= tested + 1e-9 ? values[50][i] : null));
    const first = known.indexOf(null);
    const beyond = doses.map((_, i) => (first < 0 || i < first - 1 ? null : values[50][i]));
    const median = (label, y, kind) => ({ label, index: 0, x: doses, y, kind, plain: true });
    const all = [
      { ...edges("25th to 75th percentile", 25, 75), index: 0, band: "inner" },
      { ...edges("5th to 95th percentile", 5, 95), index: 0, band: "outer" },
      median("median", known, "main"),
      median("median, beyond every study of mood in the tables", beyond, "control"),
      ...byKind(points).map(([label, own]) => ({ label, x: own.map(({ dose }) => dose), y: own.map(({ value }) => value), points: own })),
    ];
    this.show(all.filter(({ y }) => y.some((value) => value !== null)));
  }

  // The grey area of doses without a study.
  background(x, y) {
    if (!this.doses || this.tested >= this.doses.at(-1)) return [];
    const left = x.at(this.tested);
    const area = { class: "untested-area", x: left, y: y.end, width: x.end - left, height: y.start - y.end };
    return [svgElement("rect", area)];
  }

  point(point, x, y) {
    const { low, high, value, label } = point;
    const [at, middle] = [x.at(point.dose), y.at(value)];
    const spread = low === null || high === null ? "" : ` (${formatRange(low, high)})`;
    const name = `${label}: ${formatWithUnit(value, this.unit)}${spread} at ${point.dose} ${point.doseUnit}; ${kindWords(point)}`;
    const open = () => this.openEvidence([point.evidence], label);
    return drawnButton(
      { class: "published-point", "aria-haspopup": "dialog", "aria-label": name },
      open,
      svgElement("title", {}, name),
      spread && svgElement("line", { class: "whisker", x1: at, x2: at, y1: y.at(low), y2: y.at(high) }),
      ...pointMark(point, at, middle),
      svgElement("circle", { class: "hit", cx: at, cy: middle, r: 12 }),
    );
  }

  // Above the curves, so that each can be pressed.
  foreground(x, y) {
    const points = this.points ?? [];
    this.svg.setAttribute("role", points.length ? "group" : "img");
    return points.map((one) => this.point(one, x, y));
  }
}
