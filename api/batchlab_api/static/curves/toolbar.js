/** The choices about curves, in one line: metrics, x, scales, what a line is, its band, its colour, batch sizes. */

import { fill, h } from "../base/dom.js";
import { nameOf } from "../parts/axes.js";
import { checkMenu } from "../parts/menu.js";

const MOST_METRICS = 4;
const OVER = { step: "over updates", epoch: "over epochs", examples: "over examples", seconds: "over seconds" };
const LINES = { seed: "mean over seeds", cell: "every seed" };
const BANDS = { ci95: "95 % interval", minmax: "min–max", none: "no band" };
const CELL_BANDS = { minmax: "min–max", none: "no band" };

/** `change(changes)` hears each choice as a change of the address. */
export function toolbar(change) {
  const node = h("div.toolbar.curvebar", { role: "group", "aria-label": "What the curves show" });
  let shown = "";
  return {
    node,
    update(experiment, options, cells) {
      const sizes = [...new Set(cells.map((cell) => cell.batch_size))].sort((a, b) => a - b);
      const key = JSON.stringify([options, sizes, Object.keys(experiment.metrics)]);
      if (key === shown) return;
      shown = key;
      keepingPlace(node, () => fill(node, controls(experiment, options, sizes, change)));
    },
  };
}

/** Open menus stay open, and the focus stays where it was. */
function keepingPlace(node, redraw) {
  const places = () => [...node.querySelectorAll("button, select, summary, input")];
  const focused = places().indexOf(document.activeElement);
  const open = [...node.querySelectorAll("details[open]")].map(({ id }) => id);
  redraw();
  open.forEach((id) => node.querySelector(`#${id}`)?.setAttribute("open", ""));
  places()[focused]?.focus({ preventScroll: true });
}

function controls(experiment, options, sizes, change) {
  return [
    metricMenu(Object.keys(experiment.metrics).sort(byInterest), options.metrics, change),
    select("x axis", OVER, options.x, (x) => change({ x, from: "", to: "" })),
    toggle("log x", options.logX, (on) => change({ _xs: on ? "log" : "", from: "", to: "" })),
    toggle("log y", options.logY, (on) => change({ _y: on ? "log" : "" })),
    options.seeds > 1 ? select("Lines", LINES, options.group, (group) => change({ group, _iso: "", _band: "" })) : null,
    select("Band", options.group === "seed" ? BANDS : CELL_BANDS, options.band, (band) => change({ _band: band })),
    colourSelect(options, change),
    sizes.length > 1 ? sizeMenu(sizes, options.batchSizes, change) : null,
    options.from || options.to
      ? h("button", { type: "button", onclick: () => change({ from: "", to: "" }) }, "Undo zoom")
      : null,
  ];
}

function colourSelect({ axes, colour }, change) {
  if (axes.length < 2) return null;
  const names = Object.fromEntries(axes.map(({ axis }) => [axis, `colour: ${nameOf(axis)}`]));
  return select("Colour", names, colour, (axis) => change({ _c: axis }));
}

function select(name, choices, value, chosen) {
  const options = Object.entries(choices).map(([key, text]) =>
    h("option", { value: key, selected: key === value }, text),
  );
  return h("select", { "aria-label": name, title: name, onchange: (event) => chosen(event.target.value) }, options);
}

const toggle = (name, on, chosen) =>
  h("button.toggle", { type: "button", "aria-pressed": String(on), onclick: () => chosen(!on) }, name);

const FIRST = ["val_loss", "val_accuracy", "train_loss", "train_accuracy", "loss", "grad_norm"];

/** What people look at first, then the others by name. */
function byInterest(a, b) {
  const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function metricMenu(all, chosen, change) {
  const pick = (name) => {
    const now = chosen.includes(name)
      ? chosen.filter((other) => other !== name)
      : [...chosen, name].slice(-MOST_METRICS);
    if (now.length) change({ metrics: now.join(",") });
  };
  return checkMenu("metrics", chosen.join(", "), all, (name) => chosen.includes(name), pick);
}

function sizeMenu(sizes, chosen, change) {
  const pick = (size) => {
    const now = chosen.includes(size)
      ? chosen.filter((other) => other !== size)
      : [...chosen, size].sort((a, b) => a - b);
    change({ batch_size: now.length === sizes.length ? "" : now.join(",") });
  };
  const title = chosen.length ? `Batch ${chosen.join(", ")}` : "All batch sizes";
  return checkMenu("sizes", title, sizes, (size) => chosen.includes(size), pick);
}
