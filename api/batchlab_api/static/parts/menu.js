/** Menus that open below a button. An open one closes when something else is clicked, and on Escape. */

import { h } from "../base/dom.js";

/** A menu of buttons; choosing one closes it. */
export function menu(label, entries) {
  const node = h("details.menu", {}, h("summary.button", {}, label), h("div.entries", {}, entries));
  node.lastChild.addEventListener("click", () => node.removeAttribute("open"));
  return node;
}

/** A menu of check boxes, open while it is used: `pick(value)` hears each click. */
export function checkMenu(id, label, values, isOn, pick) {
  const box = (value) =>
    h(
      "label.check",
      {},
      h("input", { type: "checkbox", checked: isOn(value), onchange: () => pick(value) }),
      `${value}`,
    );
  return h("details.menu", { id }, h("summary.button", {}, label), h("div.entries.checks", {}, values.map(box)));
}

/** Close what is open when the reader turns to something else. */
export function begin() {
  document.addEventListener("pointerdown", ({ target }) => close((node) => !node.contains(target)));
  document.addEventListener("focusin", ({ target }) => close((node) => !node.contains(target)));
  document.addEventListener("keydown", ({ key }) => key === "Escape" && close(() => true));
}

function close(which) {
  for (const node of document.querySelectorAll("details.menu[open]")) if (which(node)) node.removeAttribute("open");
}
