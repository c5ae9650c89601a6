/** What an experiment would cost, before it is started. */

import { fill, h } from "../base/dom.js";
import { bytes, count, duration } from "../base/format.js";

/** A box of fixed height: `show(plan)`, `clear()`. */
export function planLine() {
  const values = ["cells", "updates", "storage", "time"].map((name) => [name, h("b.num", {}, "–")]);
  const warnings = h("ul.warnings");
  const facts = values.map(([name, value]) => h("div", {}, value, h("span.faint", {}, name)));
  const node = h("div.plan", { "aria-live": "polite" }, h("div.numbers", {}, facts), warnings);
  const set = (texts, list = []) => {
    values.forEach(([, value], i) => (value.textContent = texts[i]));
    fill(
      warnings,
      list.map((warning) => h("li", {}, warning)),
    );
  };
  return {
    node,
    clear: () => set(["–", "–", "–", "–"]),
    show(plan) {
      const time = plan.eta_seconds === null ? "not known yet" : `≈ ${duration(plan.eta_seconds)}`;
      set([count(plan.cells), count(plan.updates), bytes(plan.storage), time], plan.warnings);
    },
  };
}
