/** Small questions. */

import { h } from "../base/dom.js";

/** Ask before something that cannot be undone; true for yes. */
export const confirmed = (heading, text, verb) => question(heading, [h("p", {}, text)], verb, "danger", () => true);

/** Ask for a whole number from `least`; null where the reader thinks better of it. */
export function askNumber(heading, text, verb, least, most) {
  const input = h("input", {
    type: "number",
    min: String(least),
    max: String(most),
    value: String(least),
    required: true,
  });
  return question(heading, [h("p", {}, text), input], verb, "primary", () => Number(input.value));
}

/** Ask for text; null where the reader thinks better of it. */
export function askText(heading, label, value, { long = false } = {}) {
  const input = h(long ? "textarea.note" : "input", { value, "aria-label": label, maxlength: long ? "20000" : "200" });
  return question(heading, [input], "Save", "primary", () => input.value);
}

function question(heading, content, verb, kind, answer) {
  return new Promise((resolve) => {
    const end = (value) => (resolve(value), dialog.remove());
    const no = h("button", { type: "button", onclick: () => end(null) }, "No");
    const form = h(
      "form",
      { onsubmit: (event) => (event.preventDefault(), end(answer())) },
      h("h2", {}, heading),
      content,
      h("p.actions", {}, no, h(`button.${kind}`, {}, verb)),
    );
    const dialog = h("dialog", { "aria-label": heading, onclose: () => end(null) }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}
