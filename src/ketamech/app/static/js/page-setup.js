// What all pages share: light or dark colours, and a banner while the connection is lost.

import { onConnectionChange } from "./api.js";
import { element, find } from "./dom.js";
import { storeForOfflineUse } from "./static-site.js";

const root = document.documentElement;
const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark());

try {
  const saved = localStorage.getItem("theme");
  if (saved) root.dataset.theme = saved;
} catch {
  // storage is off
}

export function setUpPage() {
  setUpThemeButton(find("#theme"));
  showConnectionBanner();
  storeForOfflineUse();
  find('.skip-link[href="#time-slider"]')?.addEventListener("click", (event) => {
    event.preventDefault(); // the part of the address after the # holds the cases
    find("#time-slider").focus();
  });
}

function setUpThemeButton(button) {
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // storage is off
    }
    label();
  });
  label();
}

function showConnectionBanner() {
  const banner = element("div", { class: "connection-lost", role: "alert", hidden: true });
  document.body.prepend(banner);
  onConnectionChange((connected) => {
    banner.hidden = connected;
    banner.textContent = connected
      ? ""
      : "Connection to the server lost. Is “ketamech serve” still running? Trying again; your settings are unchanged.";
  });
}
