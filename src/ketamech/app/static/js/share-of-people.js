// Of 100 simulated people, in how many an output goes above a threshold: a number and 100 dots, beside what trials found.

import { getJson, LatestTask, postJson, ServerError } from "./api.js";
import { debounce, linkButton, svgElement, table } from "./dom.js";
import { withValues } from "./evidence.js";
import { Figure } from "./figure.js";

const PEOPLE = 100;
const HOURS = 4;
const COLUMNS = 20;
const MAX_STEP = 24; // px between two people
const NEAR = "100% 0px"; // of the window: a figure so near is filled before it is seen
const NOT_IN_ANIMALS = "Choose a route in people to see how many of 100 people are affected.";

// The number of people of 100 in whom the first curve of a track goes above a threshold within some hours of the dose.
export async function shareAbove(scenario, track, threshold) {
  const request = { track, until: HOURS, patients: PEOPLE, individuals: PEOPLE, ranked_at: 1 };
  const { curves } = await postJson("/api/population", { scenario, ...request });
  return curves[0].individuals.filter((values) => Math.max(...values) > threshold).length;
}

// A row of the server's table as a figure; it follows the treatment of the story while it is near the window.
export class ShareFigure extends Figure {
  constructor(row, state, openEvidence) {
    super({ title: row.title, unit: "of 100 simulated people", openEvidence });
    Object.assign(this, { row, state, count: null, isNear: false });
    this.node.id = `share-${row.id}`;
    this.node.classList.add("share-of-people");
    this.setFinding(this.findingOf("…")); // as long as the one that follows, which then moves nothing
    this.task = new LatestTask(() => this.simulate());
    this.update = debounce(400, () => this.isNear && this.task.run());
    state.onChange(this.update);
    const see = ([{ isIntersecting }]) => {
      this.isNear = isIntersecting;
      if (!isIntersecting) return;
      this.update();
      if (!this.caption.textContent) this.showPublished();
    };
    new IntersectionObserver(see, { rootMargin: NEAR }).observe(this.node);
  }

  findingOf(count) {
    return `Of 100 people like these, ${count} ${this.row.words}`;
  }

  async simulate() {
    const { row, state } = this;
    try {
      this.count = state.species ? null : await shareAbove(state.scenario, row.track, row.threshold);
      this.setFinding(state.species ? NOT_IN_ANIMALS : this.findingOf(this.count));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.count = null;
      this.setFinding(error.message);
    }
    this.redraw();
    this.fillTable();
  }

  redraw() {
    const width = this.drawnWidth;
    if (!width || !this.row) return;
    const step = Math.min(MAX_STEP, width / COLUMNS);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${(PEOPLE / COLUMNS) * step}`);
    const dot = (_, i) =>
      svgElement("circle", {
        class: i < this.count ? "is-affected" : "is-not",
        cx: (i % COLUMNS) * step + step / 2,
        cy: Math.floor(i / COLUMNS) * step + step / 2,
        r: 0.33 * step,
      });
    this.svg.replaceChildren(...(this.count === null ? [] : Array.from({ length: PEOPLE }, dot)));
    this.svg.setAttribute("aria-label", this.titleNode.textContent);
  }

  rows() {
    const head = ["what", "people", "of"];
    return this.count === null || !this.row ? [] : [head, [this.row.words, this.count, PEOPLE]];
  }

  fillTable() {
    const [head, ...rows] = this.rows();
    if (head) this.tablePlace.replaceChildren(table(this.title, head, rows));
  }

  // What trials found: the values of the evidence rows that the text names in braces.
  async showPublished() {
    const { published, evidence, words } = this.row;
    const ids = evidence.split(";");
    const { rows } = await getJson(`/api/evidence?ids=${ids.join(",")}`);
    this.caption.replaceChildren(withValues(published, rows), " ", linkButton("Open the values", () => this.openEvidence(ids, words)));
  }
}
