/** Light or dark: as the system says, as the reader chose (kept in this browser), or as the address says (`_theme=`). */

import { here } from "../base/address.js";

const KEY = "batchlab.theme";
const ORDER = ["auto", "light", "dark"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** What was chosen: auto, light or dark. */
export function choice() {
  const asked = here().query._theme || stored();
  return ORDER.includes(asked) ? asked : "auto";
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden: then the system decides
  }
}

/** What is shown: light or dark. */
export const shown = () => (choice() === "auto" ? (dark.matches ? "dark" : "light") : choice());

/** Make the page look as chosen, now and whenever the system or the address changes. */
export function begin() {
  dark.addEventListener("change", apply);
  window.addEventListener("navigated", apply);
  apply();
}

let last = "";

function apply() {
  document.documentElement.style.colorScheme = choice() === "auto" ? "light dark" : choice();
  document.documentElement.dataset.theme = shown();
  if (shown() === last) return;
  last = shown();
  window.dispatchEvent(new CustomEvent("theme"));
}

/** Choose the next of auto, light, dark; returns it. */
export function next() {
  const chosen = ORDER[(ORDER.indexOf(choice()) + 1) % ORDER.length];
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    return choice();
  }
  apply();
  return chosen;
}
