// Round steps for the upright axis, and where the marks of the clock stand.

import { clock, FIRST } from "./clock.js";

export function roundSteps(low, high, most = 5) {
  const raw = (high - low) / most || 1;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * size >= raw) * size;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-6; k++) found.push(Number((k * step).toPrecision(12)));
  return { step, ticks: found };
}

// Lowest and highest of everything drawn, widened to round numbers; zero belongs where quantities do.
export function limits(values, given) {
  if (given) return given;
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === Infinity) return [0, 1];
  if (low >= 0 && low < 0.55 * high) low = 0;
  if (high - low < 1e-3 * Math.max(1e-6, Math.abs(high))) { const room = 0.1 * Math.abs(high) || 1; low -= low === 0 ? 0 : room; high += room; }
  else if (low !== 0) { const room = 0.06 * (high - low); low -= room; high += room; } else high *= 1.04;
  const { step } = roundSteps(low, high);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

export class Scale {
  constructor(left, right, from, to, logarithmic = false) { Object.assign(this, { left, right, from, to, logarithmic }); this.span = logarithmic ? Math.log(to / from) : to - from || 1; }

  at(value) {
    const share = this.logarithmic ? Math.log(Math.max(value, this.from) / this.from) / this.span : (value - this.from) / this.span;
    return this.left + share * (this.right - this.left);
  }

  back(place) {
    const share = Math.min(1, Math.max(0, (place - this.left) / (this.right - this.left)));
    return this.logarithmic ? this.from * Math.exp(share * this.span) : this.from + share * this.span;
  }
}

export const clockScale = (left, right) => new Scale(left, right, clock.span.even ? 0 : FIRST, clock.last, !clock.span.even);

// Marks of the clock that have room beside each other.
export const clockMarks = (width) => (width > 520 ? clock.span.marks : clock.span.marks.filter((_, i, all) => i % 2 === (all.length + 1) % 2));
