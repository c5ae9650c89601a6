/** Rows of the results table: one a point of the sweep and, once opened, one for each of its seeds. */

import { link } from "../base/address.js";
import { h } from "../base/dom.js";
import { estimate, estimatedTime, number } from "../base/format.js";
import { valueAt } from "../parts/axes.js";
import { statusChip } from "../parts/status.js";

/** `open` holds the keys of opened groups; `redraw` is called when that changes. */
export function resultRows(groups, cells, axes, columns, open, redraw) {
  return groups.flatMap((group) => {
    const key = JSON.stringify(group.by);
    const toggle = () => (open.delete(key) || open.add(key), redraw());
    const row = groupRow(group, axes, columns, open.has(key), toggle);
    const mine = open.has(key) ? cells.filter((cell) => belongs(cell, group.by)) : [];
    return [row, ...mine.map((cell) => seedRow(cell, axes, columns))];
  });
}

const NOTHING = { mean: null, ci95: null };

const valueText = (metric, value) => (metric.startsWith("seconds") ? estimatedTime(value) : estimate(value));

const belongs = (cell, by) =>
  Object.entries(by).every(([axis, value]) => (valueAt(cell, axis) ?? null) === (value ?? null));

function groupRow(group, axes, columns, isOpen, toggle) {
  const arrow = h(
    "button.arrow",
    { type: "button", "aria-expanded": String(isOpen), "aria-label": "Seeds", onclick: toggle },
    "▸",
  );
  return h(
    "tr.group",
    {},
    h("td.toggle", {}, arrow),
    axes.map((axis) => h("td.num", {}, axisText(group.by[axis]))),
    h("td.num", {}, number(group.n), lost(group)),
    columns.map((name) => h("td.num", {}, valueText(name, group[name] ?? NOTHING))),
  );
}

const axisText = (value) => (typeof value === "number" ? number(value) : (value ?? "–"));

function lost({ n_diverged: diverged, n_failed: failed }) {
  const parts = [
    diverged ? h("span.diverged", {}, ` ✕ ${diverged} diverged`) : null,
    failed ? h("span.fault", {}, ` ${failed} failed`) : null,
  ];
  return parts.filter(Boolean);
}

function seedRow(cell, axes, columns) {
  const experiment = location.hash.split("/")[2];
  const name = h("a", { href: link(["experiments", experiment, "cells", cell.id]) }, `seed ${cell.seed}`);
  return h(
    "tr.seed",
    {},
    h("td"),
    h("td", { colSpan: axes.length }, name),
    h("td", {}, statusChip(cell.status).node),
    columns.map((metric) => h("td.num", {}, valueText(metric, { mean: cell.result?.[metric] ?? null, ci95: null }))),
  );
}
