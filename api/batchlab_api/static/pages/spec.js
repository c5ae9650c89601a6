/** The spec as it was stored, and the same experiment as a command, a script, a file. */

import { link } from "../base/address.js";
import { fill, h } from "../base/dom.js";
import { coloured } from "../parts/json-colour.js";
import { compact, tidy } from "../parts/json-text.js";
import { curl, python } from "../parts/snippets.js";
import { copy } from "../parts/toast.js";

export function specTab(experiment) {
  const text = compact(tidy(experiment.spec));
  const code = fill(h("pre.code", { tabindex: "0" }), coloured(text));
  const button = (name, what) => h("button", { type: "button", onclick: () => copy(what(), name) }, `Copy ${name}`);
  const bar = h(
    "div.toolbar",
    {},
    button("JSON", () => text),
    button("curl", () => curl(text)),
    button("Python", () => python(text)),
    h("a.button", { href: link(["new"], { from: experiment.id }) }, "New from this"),
  );
  return {
    node: h("div.spec", {}, bar, code),
    update: () => undefined,
    changed: () => undefined,
    dispose: () => undefined,
  };
}
