/** The legend, in HTML: reached by keyboard, read by screen readers. Click isolates a line, Ctrl-click adds one. */

import { h, keyed, say, svg } from "../base/dom.js";
import { count, number } from "../base/format.js";
import { nameOf } from "../parts/axes.js";

/** `on`: hot(key or null) for the line under the pointer, isolate(keys) for a choice. */
export function legend(on) {
  const list = h("ul");
  const [names, hint] = [h("h3"), h("p.faint")];
  const state = { on, isolated: [], counted: false };
  const draw = keyed(
    list,
    (line) => line.key,
    () => entry(state),
  );
  return {
    node: h("aside.legend", { "aria-label": "Legend" }, names, list, hint),
    update(lines, { isolated, group, axes }) {
      const counts = new Set(lines.map(({ n }) => n));
      Object.assign(state, { isolated, counted: group === "seed" && counts.size > 1 });
      say(names, heading(lines, group, axes, counts));
      say(hint, isolated.length ? "Isolated. Esc shows all." : "Click isolates a line, Ctrl-click adds one.");
      draw(lines);
    },
  };
}

/** "batch · lr, n = 5": what the entries' values are; seeds are counted here where all have as many. */
function heading(lines, group, axes, counts) {
  const names = axes.map(({ axis }) => nameOf(axis)).join(" · ") || "line";
  return group === "seed" && counts.size === 1 && lines.length ? `${names}, n = ${lines[0].n}` : names;
}

function entry(state) {
  const stroke = svg("path", { d: "M1 5h24" });
  const parts = { label: h("span"), n: h("span.faint"), ended: h("span.diverged"), value: h("span.num.value") };
  const node = h(
    "button.line",
    { type: "button" },
    svg("svg", { viewBox: "0 0 26 10", class: "stroke", "aria-hidden": "true" }, stroke),
    h("span.label", {}, parts.label, parts.n, parts.ended),
    parts.value,
  );
  const row = { node: h("li", {}, node), update: (line) => update(parts, node, stroke, line, state) };
  hear(node, state);
  return row;
}

function update(parts, node, stroke, line, { isolated, counted }) {
  node.dataset.key = line.key;
  node.setAttribute("aria-pressed", String(isolated.includes(line.key)));
  stroke.setAttribute("stroke", line.colour);
  stroke.setAttribute("stroke-dasharray", line.dash[1] ? line.dash.join(" ") : "none");
  node.title = line.label;
  say(parts.label, line.short);
  say(parts.n, counted && line.n ? ` n ${line.n}` : "");
  say(parts.ended, line.divergedAt === null ? "" : `✕ diverged at ${count(line.divergedAt)}`);
  say(parts.value, number(line.last));
}

function hear(node, state) {
  const hot = (key) => () => state.on.hot(key && node.dataset.key);
  node.addEventListener("pointerenter", hot(true));
  node.addEventListener("pointerleave", hot(null));
  node.addEventListener("focus", hot(true));
  node.addEventListener("blur", hot(null));
  node.addEventListener("click", (event) => {
    const add = event.ctrlKey || event.metaKey || event.shiftKey;
    state.on.isolate(toggled(node.dataset.key, state.isolated, add));
  });
}

/** Which lines are isolated after a click on `key`; `add` keeps the others. */
export function toggled(key, isolated, add) {
  const others = isolated.filter((other) => other !== key);
  const was = others.length < isolated.length;
  if (add) return was ? others : [...isolated, key];
  return was && !others.length ? [] : [key];
}
