// Of 100 simulated people, in how many an output goes above a threshold: a number and 100 dots, beside what trials found.

import { getJson, LatestTask, postJson, ServerError } from "./api.js";
import { debounce, element, linkButton, svgElement } from "./dom.js";

const PEOPLE = 100;
const HOURS = 4;
const COLUMNS = 20;
const STEP = 16; // px
const NOT_IN_ANIMALS = "Choose a route in people to see how many of 100 people are affected.";

// The number of people of 100 in whom the first curve of a track goes above a threshold within some hours of the dose.
export async function shareAbove(scenario, track, threshold) {
  const request = { track, until: HOURS, patients: PEOPLE, individuals: PEOPLE, ranked_at: 1 };
  const { curves } = await postJson("/api/population", { scenario, ...request });
  return curves[0].individuals.filter((values) => Math.max(...values) > threshold).length;
}

// `row`: of the server's table; it follows the treatment of the story while it is in view.
export function shareOfPeople(row, state, openEvidence) {
  const title = element("h3", { text: "Simulating 100 people …" });
  const dots = element("div", {});
  const published = element("p", { class: "secondary" });
  const node = element("div", { class: "share-of-people", id: `share-${row.id}` }, title, dots, published);
  const task = new LatestTask(async () => {
    if (state.species) {
      title.textContent = NOT_IN_ANIMALS;
      return dots.replaceChildren();
    }
    try {
      const count = await shareAbove(state.scenario, row.track, row.threshold);
      title.textContent = `Of 100 people like these, ${count} ${row.words}`;
      dots.replaceChildren(hundredDots(count));
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      title.textContent = error.message;
    }
  });
  let isInView = false;
  const update = debounce(400, () => isInView && task.run());
  state.onChange(update);
  const observer = new IntersectionObserver(([{ isIntersecting }]) => {
    isInView = isIntersecting;
    if (!isInView) return;
    update();
    if (!published.childNodes.length) showPublished(row, published, openEvidence);
  });
  observer.observe(node);
  return node;
}

function hundredDots(count) {
  const size = { width: COLUMNS * STEP, height: (PEOPLE / COLUMNS) * STEP };
  const dot = (_, i) =>
    svgElement("circle", {
      class: i < count ? "is-affected" : "is-not",
      cx: (i % COLUMNS) * STEP + STEP / 2,
      cy: Math.floor(i / COLUMNS) * STEP + STEP / 2,
      r: 5.2,
    });
  const attributes = { viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": `${count} of 100 dots are filled` };
  return svgElement("svg", attributes, Array.from({ length: PEOPLE }, dot));
}

// What trials found: the values of the evidence rows that the text names in braces.
async function showPublished({ published, evidence, words }, place, openEvidence) {
  const ids = evidence.split(";");
  const { rows } = await getJson(`/api/evidence?ids=${ids.join(",")}`);
  const valueOf = (id) => rows.find((row) => row.id === id)?.value ?? "?";
  const text = published.replace(/\{([\w-]+)\}/g, (_, id) => valueOf(id));
  place.replaceChildren(text, " ", linkButton("Open the values", () => openEvidence(ids, words)));
}
