/** Statuses as icon and word, and bars of cells by status: never colour alone. */

import { fill, h, say, svg } from "../base/dom.js";
import { count, percent } from "../base/format.js";

const ICONS = {
  queued: "M8 3.5v4.5l3 2M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4",
  running: "M5 3.2v9.6l8-4.8z",
  stalled: "M8 2.2l6.3 11.3H1.7zM8 6.5v3.5M8 11.7v.3",
  paused: "M5.5 3.5v9M10.5 3.5v9",
  succeeded: "M3 8.5l3.5 3.5L13 4.5",
  diverged: "M2 12c4 0 5-1 6.5-4.5C9.5 5 10.5 3 14 2.5M10.5 9.5l3.5 3.5M14 9.5l-3.5 3.5",
  failed: "M4 4l8 8M12 4l-8 8",
  cancelled: "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4M3.8 12.2l8.4-8.4",
};
const MEANING = {
  queued: "waiting for a worker",
  running: "being trained",
  stalled: "no living worker can train it: start one, or look at System",
  paused: "waits until it is resumed",
  succeeded: "every cell has ended",
  diverged: "its loss left the numbers: a result, with its curve up to there",
  failed: "some cell could not be trained: see Cells for the cause",
  cancelled: "stopped on request",
};
/** Statuses of cells in the order in which bars show them. */
export const CELL_STATUSES = ["succeeded", "diverged", "failed", "cancelled", "running", "queued"];

/** The drawing of a status. */
export const statusIcon = (status) =>
  svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[status] }));

/** A chip with icon and word; `update(status)` changes it in place. */
export function statusChip(status) {
  const node = h("span.status");
  const chip = {
    node,
    update(now) {
      if (node.dataset.status === now) return;
      node.dataset.status = now;
      node.title = MEANING[now];
      fill(node, statusIcon(now), now);
    },
  };
  chip.update(status);
  return chip;
}

/** Share of updates done, from 0 to 1. */
export const share = (progress) => (progress.updates_total ? progress.updates_done / progress.updates_total : 0);

/** "12 succeeded, 1 diverged, 3 running" */
export const words = (cells) =>
  CELL_STATUSES.filter((status) => cells[status])
    .map((status) => `${count(cells[status])} ${status}`)
    .join(", ");

/** One bar of all cells, a stretch for each status as long as its cells are many. */
export function cellBar() {
  const stretches = CELL_STATUSES.map((status) => h("i", { dataset: { status } }));
  const node = h("div.cellbar", { role: "img" }, stretches);
  return {
    node,
    update(progress) {
      stretches.forEach((i) => i.style.setProperty("flex-grow", progress.cells[i.dataset.status]));
      node.setAttribute("aria-label", words(progress.cells) || "no cells");
      node.title = words(progress.cells);
    },
  };
}

/** How much of the training is done: a thin bar and per cents. */
export function progressLine() {
  const done = h("i");
  const text = h("span.num");
  return {
    node: h("div.progress", {}, h("div.track", {}, done), text),
    update(progress) {
      done.style.setProperty("width", `${share(progress) * 100}%`);
      say(text, percent(share(progress)));
    },
  };
}
