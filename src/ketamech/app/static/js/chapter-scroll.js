// Scrolling selects the level of the drawing and, where the clock is outside the chapter's range, its time; never while
// the reader holds the clock.

import { find } from "./dom.js";
import { selectedTime } from "./time-slider.js";

const MOVE = 700; // ms

export class ChapterScroll {
  constructor(chapters, scene) {
    Object.assign(this, { scene, current: "start", isHeld: false });
    this.rows = new Map(chapters.map((chapter) => [chapter.id, chapter]));
    const observer = new IntersectionObserver((entries) => this.see(entries), { rootMargin: "-42% 0px -50% 0px" });
    for (const { node } of chapters) observer.observe(node);
    observer.observe(find("#start"));
    const clock = find("#time-bar");
    clock.addEventListener("pointerdown", () => (this.isHeld = true));
    addEventListener("pointerup", () => (this.isHeld = false));
  }

  see(entries) {
    const shown = entries.filter(({ isIntersecting }) => isIntersecting).at(-1);
    if (!shown || shown.target.id === this.current) return;
    this.current = shown.target.id;
    const row = this.rows.get(this.current);
    if (!row) return this.scene.setLevel("synapse");
    this.scene.setLevel(row.level, row.view || null);
    const isInside = selectedTime.hours >= row.from && selectedTime.hours <= row.to;
    if (!isInside && !this.isHeld) this.moveTo(row.hours);
  }

  moveTo(hours) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return selectedTime.set(hours);
    const [from, to] = [selectedTime.fractionOf(selectedTime.hours), selectedTime.fractionOf(hours)];
    const began = performance.now();
    const chapter = this.current;
    const step = (now) => {
      const share = Math.min(1, Math.max(0, (now - began) / MOVE));
      if (this.isHeld || chapter !== this.current) return;
      selectedTime.set(selectedTime.hoursAt(from + (to - from) * share));
      if (share < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
