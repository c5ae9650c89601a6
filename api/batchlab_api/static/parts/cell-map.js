/** Every cell as a small square in the colour of its status, filled as far as it has come; the many as one bar. */

import { link } from "../base/address.js";
import { h, keyed } from "../base/dom.js";
import { percent } from "../base/format.js";
import { differing, labelOf } from "./axes.js";
import { cellBar } from "./status.js";

const MOST = 400;
const MOST_SEEDS = 12;

/** Follows a cell store. `update(experiment)` for the bar. */
export function cellMap(store) {
  const squares = h("div.cellmap", { role: "group", "aria-label": "Cells" });
  const bar = cellBar();
  const node = h("div", {}, squares, bar.node);
  let id = "";
  let axes = null;
  const draw = keyed(
    squares,
    (cell) => cell.id,
    () =>
      square(
        () => id,
        () => axes,
      ),
  );
  store.listen((cells) => {
    const few = cells.length <= MOST;
    squares.hidden = !few;
    bar.node.hidden = few;
    if (!few) return;
    axes = differing(cells);
    const { rows, ordered } = arranged(cells, axes);
    squares.style.setProperty("--rows", rows);
    squares.classList.toggle("stacked", rows > 1);
    draw(ordered);
  });
  return {
    node,
    update(experiment) {
      id = experiment.id;
      bar.update(experiment.progress);
    },
  };
}

/** A column for each point of the sweep with its seeds below each other, where that makes a picture. */
function arranged(cells, axes) {
  const points = new Map();
  const others = axes.filter(({ axis }) => axis !== "seed");
  for (const cell of cells) {
    const key = labelOf(cell, others);
    points.set(key, [...(points.get(key) ?? []), cell]);
  }
  const columns = [...points.values()];
  const rows = columns[0]?.length ?? 1;
  const even = columns.every((column) => column.length === rows);
  return even && rows <= MOST_SEEDS && columns.length > 1
    ? { rows, ordered: columns.flat() }
    : { rows: 1, ordered: cells };
}

function square(id, axes) {
  const node = h("a");
  return {
    node,
    update(cell) {
      const share = cell.steps_total ? cell.steps_done / cell.steps_total : 0;
      const state = `${cell.status}${cell.status === "running" ? ` ${percent(share)}` : ""}`;
      const text = `${labelOf(cell, axes()) || `cell ${cell.ordinal}`}: ${state}`;
      if (node.title === text && node.dataset.share === String(share)) return;
      node.href = link(["experiments", id(), "cells", cell.id]);
      node.title = text;
      node.setAttribute("aria-label", text);
      node.dataset.status = cell.status;
      node.dataset.share = String(share);
      node.style.setProperty("--share", `${share * 100}%`);
    },
  };
}
