/** Above the results table: which points, which columns, and the whole as a file. */

import { fill, h, say } from "../base/dom.js";
import { push, replace } from "../base/router.js";

const FILES = { csv: "CSV", parquet: "Parquet" };

/** `base` is the address of the results, `id` names the files. */
export function resultBar(base, id) {
  const input = filterInput();
  const fault = h("span.fault", { role: "alert" });
  const columns = columnMenu();
  const file = (format) =>
    h("a.button", { href: `${base}?format=${format}`, download: `${id}.${format}` }, FILES[format]);
  return {
    node: h("div.toolbar", {}, input, columns.node, Object.keys(FILES).map(file), fault),
    focus: () => input.focus(),
    columns: columns.update,
    update(query, complaint) {
      if (document.activeElement !== input) input.value = query._f ?? "";
      say(fault, complaint);
    },
  };
}

function filterInput() {
  const looks = { type: "search", placeholder: "batch_size>=32 lr<1", "aria-label": "Filter points" };
  const input = h("input.filter", looks);
  input.addEventListener("input", () => replace({ _f: input.value }));
  return input;
}

/** Check boxes that are made anew only when the metrics themselves change, so that the focus stays. */
function columnMenu() {
  const list = h("div.entries.checks");
  const boxes = new Map();
  const pick = () => push({ _cols: [...boxes].flatMap(([name, box]) => (box.checked ? [name] : [])).join(",") });
  const make = () => h("input", { type: "checkbox", onchange: pick });
  return {
    node: h("details.menu", {}, h("summary.button", {}, "Columns"), list),
    update(all, chosen) {
      if (all.join() !== [...boxes.keys()].join()) {
        boxes.clear();
        all.forEach((name) => boxes.set(name, make()));
        fill(
          list,
          [...boxes].map(([name, box]) => h("label.check", {}, box, name)),
        );
      }
      boxes.forEach((box, name) => (box.checked = chosen.includes(name)));
    },
  };
}
