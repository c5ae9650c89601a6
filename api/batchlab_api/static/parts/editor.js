/** A text area for JSON, with colours, line numbers, and faults written at the line they belong to. */

import { fill, h } from "../base/dom.js";
import { coloured } from "./json-colour.js";

/** `changed(text)` hears what is typed. `mark(faults)` shows faults { from, to, msg }; `goTo(fault)` puts the cursor there. */
export function editor(text, changed, label = "Spec, as JSON") {
  const paper = h("pre.paper", { "aria-hidden": "true" });
  const area = h("textarea", {
    value: text,
    spellcheck: false,
    autocomplete: "off",
    autocapitalize: "off",
    wrap: "off",
    "aria-label": label,
    "aria-describedby": "faults",
  });
  const node = h("div.editor", {}, h("div.sheet", {}, paper, area));
  const state = { area, paper, faults: [] };
  area.addEventListener("input", () => (draw(state), changed(area.value)));
  area.addEventListener("keydown", (event) => indent(event, area));
  draw(state);
  return {
    node,
    text: () => area.value,
    set: (now) => ((area.value = now), (state.faults = []), draw(state)),
    mark: (faults) => ((state.faults = faults), draw(state)),
    goTo: (fault) => goTo(area, node, fault),
  };
}

function draw({ area, paper, faults }) {
  const text = area.value;
  area.setAttribute("aria-invalid", String(faults.length > 0));
  let from = 0;
  const lines = text.split("\n").map((line) => {
    const mine = faults.filter((fault) => fault.from >= from && fault.from <= from + line.length);
    const node = lineOf(line, from, mine);
    from += line.length + 1;
    return node;
  });
  fill(paper, lines);
}

function lineOf(line, start, faults) {
  const fault = faults[0];
  if (!fault) return h("div.row", {}, coloured(line), "\u200b");
  const [from, to] = [fault.from - start, Math.min(line.length, Math.max(fault.to, fault.from + 1) - start)];
  const marked = h("mark", {}, line.slice(from, to) || " ");
  const says = h("span.says", {}, faults.map(({ msg }) => msg).join(" · "));
  return h("div.row.wrong", {}, coloured(line.slice(0, from)), marked, coloured(line.slice(to)), says);
}

function goTo(area, node, { from, to }) {
  area.focus();
  area.setSelectionRange(from, Math.max(to, from));
  const line = area.value.slice(0, from).split("\n").length - 1;
  const height = parseFloat(getComputedStyle(area).lineHeight);
  const top = line * height;
  if (top < node.scrollTop || top > node.scrollTop + node.clientHeight - 3 * height)
    node.scrollTop = top - node.clientHeight / 3;
}

/** Enter keeps the line's indentation. Tab still leaves the field: a keyboard must not be caught in it. */
function indent(event, area) {
  if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
  const { selectionStart: at, value } = area;
  const spaces = /^[ ]*/.exec(value.slice(value.lastIndexOf("\n", at - 1) + 1))[0];
  const deeper = /[[{]\s*$/.test(value.slice(0, at)) ? "  " : "";
  event.preventDefault();
  document.execCommand("insertText", false, `\n${spaces}${deeper}`); // the one way that keeps undo
}
