// Light or dark: the system's choice until the reader makes another. And the line about a lost connection.

import { find, make } from "./dom.js";
import { onConnection } from "./api.js";

const root = document.documentElement;
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);

try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch { /* storage is off */ }

export function dress() {
  const button = find("#theme");
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`); };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is off */ }
    name();
  });
  name();
  const line = make("div", { class: "lost", role: "alert", hidden: true });
  document.body.prepend(line);
  onConnection((now) => {
    line.hidden = now;
    line.textContent = now ? "" : "The connection to the program is lost. Is “ketamech app” still running? Trying again; nothing you set is lost.";
  });
}
