/** One experiment in the list. */

import { fill, h, say } from "../base/dom.js";
import { link } from "../base/address.js";
import { ago, count, duration, instant, plural } from "../base/format.js";
import { cellBar, progressLine, statusChip } from "../parts/status.js";

const LIVE = ["queued", "running", "stalled", "paused"];

/** A row that changes in place; with `choose(id, chosen)` it has a box to mark it for a comparison. */
export function experimentRow(first, choose = null) {
  const parts = {
    box: choose && h("input", { type: "checkbox", onchange: (event) => choose(first.id, event.target.checked) }),
    name: h("a.name"),
    tags: h("span.tags"),
    status: statusChip(first.status),
    bar: cellBar(),
    line: progressLine(),
    cells: h("span.num"),
    time: h("span.num"),
    when: h("time.faint.num"),
  };
  const head = h("div.what", {}, parts.name, parts.tags);
  const progress = h("div.how", {}, parts.bar.node, parts.line.node);
  const node = h(
    "li.experiment",
    {},
    h("div", {}, parts.box, parts.status.node),
    head,
    progress,
    h("div.much", {}, parts.cells, parts.time),
    h("div.when", {}, parts.when),
  );
  return {
    node,
    update: (item) => update(parts, node, item),
    mark: (chosen) => parts.box && (parts.box.checked = chosen),
  };
}

function update(parts, node, item) {
  node.dataset.status = item.status;
  parts.status.update(item.status);
  parts.name.href = link(["experiments", item.id]);
  say(parts.name, item.name);
  parts.box?.setAttribute("aria-label", `Compare ${item.name}`);
  parts.bar.update(item.progress);
  parts.line.update(item.progress);
  const cells = Object.values(item.progress.cells).reduce((a, b) => a + b, 0);
  say(parts.cells, plural(cells, "cell"));
  parts.cells.title = `${count(item.progress.updates_done)} of ${count(item.progress.updates_total)} updates`;
  say(parts.time, timeOf(item));
  say(parts.when, ago(item.created_at));
  parts.when.title = instant(item.created_at);
  showTags(parts.tags, item.tags);
}

function timeOf(item) {
  if (LIVE.includes(item.status)) {
    const left = item.progress.eta_seconds;
    return left === null || item.status !== "running" ? "" : `${duration(left)} left`;
  }
  return item.started_at ? duration((Date.parse(item.finished_at) - Date.parse(item.started_at)) / 1000) : "";
}

function showTags(node, tags) {
  const key = tags.join("\n");
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  fill(
    node,
    tags.map((tag) => h("a.tag", { href: link(["experiments"], { tag }) }, tag)),
  );
}
