/** Keyboard: go to pages by two letters, `?` for the list. Pages add keys of their own. */

import { h } from "../base/dom.js";
import { link } from "../base/address.js";
import { go } from "../base/router.js";

const PLACES = { h: ["experiments"], s: ["studies"], n: ["new"], w: ["workers"] };
const LIST = [
  ["g h", "Experiments"],
  ["g s", "Studies"],
  ["g n", "New experiment"],
  ["g w", "System"],
  ["/", "Filter"],
  ["l", "Curves: log or linear y"],
  ["k", "Curves: log or linear x"],
  ["Backspace", "Curves: undo the zoom"],
  ["Esc", "Curves: show every line"],
  ["Ctrl Enter", "New: run"],
  ["?", "This list"],
];

const own = new Map();
let awaiting = false;

/** Let a page answer to keys while it is shown: { key: call }. Returns a function that takes them back. */
export function bind(keys) {
  Object.entries(keys).forEach(([key, call]) => own.set(key, call));
  return () => Object.entries(keys).forEach(([key, call]) => own.get(key) === call && own.delete(key));
}

/** Begin to listen. */
export const begin = () => document.addEventListener("keydown", pressed);

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const call = awaiting && PLACES[event.key] ? () => go(link(PLACES[event.key])) : keyOf(event.key);
  awaiting = event.key === "g";
  if (!call) return;
  event.preventDefault();
  call();
}

function keyOf(key) {
  if (key === "?") return showKeys;
  return own.get(key);
}

const isTyping = (node) => node.closest?.("input, textarea, select, [contenteditable], dialog") !== null;

/** Show the list of keys. */
export function showKeys() {
  const rows = LIST.map(([keys, what]) => h("tr", {}, h("td", {}, kbd(keys)), h("td", {}, what)));
  const close = () => dialog.remove();
  const dialog = h(
    "dialog",
    { "aria-label": "Keys", onclose: close, onclick: (event) => event.target === dialog && close() },
    h("h2", {}, "Keys"),
    h("table.plain", {}, h("tbody", {}, rows)),
    h("p.actions", {}, h("button", { type: "button", onclick: close }, "Close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}

const kbd = (keys) => keys.split(" ").map((key) => h("kbd", {}, key));
