// Terms in the text open a card: the sign from the drawing, how to say it, what it means, in whom it was measured.

import { button, closeButton, element, uniqueId } from "./dom.js";
import { glyph } from "./scene/glyphs.js";

// `rows`: the server's table. Returns a function that turns a text into nodes; each term opens its card once a text.
export function glossary(rows) {
  const cards = new Map();
  const words = rows.flatMap((row) => row.words.split("|").map((word) => ({ word, row })));
  words.sort((a, b) => b.word.length - a.word.length);
  const pattern = new RegExp(`\\b(?:${words.map(({ word }) => word).join("|")})\\b`);
  const rowOf = new Map(words.map(({ word, row }) => [word, row]));

  const termButton = (word, row) => {
    if (!cards.has(row.term)) cards.set(row.term, document.body.appendChild(card(row)));
    const shown = cards.get(row.term);
    const place = (event) => placeNear(shown, event.currentTarget);
    return button(word, place, {
      class: "term",
      popovertarget: shown.id,
      "aria-haspopup": "dialog",
      title: `What is ${row.term}?`,
    });
  };

  return (text) => {
    const nodes = [];
    const shown = new Set();
    let rest = text;
    for (let match = pattern.exec(rest); match; match = pattern.exec(rest)) {
      const [word] = match;
      const row = rowOf.get(word);
      nodes.push(rest.slice(0, match.index), shown.has(row) ? word : termButton(word, row));
      shown.add(row);
      rest = rest.slice(match.index + word.length);
    }
    return [...nodes, rest].filter((node) => node !== "");
  };
}

const GAP = 8; // px
const CARD = { width: 340, height: 300 }; // about, in px

// Below the term, or above it where there is no room; it scrolls with the term.
function placeNear(card, term) {
  const box = term.getBoundingClientRect();
  const left = Math.max(GAP, Math.min(box.left, innerWidth - CARD.width - GAP));
  const below = box.bottom + GAP + CARD.height < innerHeight;
  card.style.left = `${left}px`;
  card.style.top = below ? `${scrollY + box.bottom + GAP}px` : "auto";
  card.style.bottom = below ? "auto" : `${Math.max(GAP, innerHeight - box.top + GAP) - scrollY}px`;
}

function card(row) {
  const id = uniqueId("term");
  const heading = element("h3", { id: `${id}-title` }, row.term, row.say && element("small", { text: row.say }));
  const where = element("p", {
    class: "secondary",
    text: `In the drawing: ${row.drawn}. Measured in: ${row.measured}.`,
  });
  const content = element("div", { class: "content" }, heading, element("p", { text: row.meaning }), where);
  const sign = element("div", { class: "drawing-of-term" }, glyph(row.glyph));
  const close = closeButton(null, { popovertarget: id, popovertargetaction: "hide" });
  return element(
    "div",
    { id, class: "term-card", popover: "auto", role: "dialog", "aria-labelledby": `${id}-title` },
    close,
    sign,
    content,
  );
}
