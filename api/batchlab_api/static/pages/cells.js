/** Every cell with its status, cause and message; one of them in full at its own address. */

import { link } from "../base/address.js";
import { fill, h } from "../base/dom.js";
import { count, fixed, number, percent } from "../base/format.js";
import { push } from "../base/router.js";
import { differing, labelOf, nameOf, valueAt } from "../parts/axes.js";
import { emptyCard, skeleton } from "../parts/problem.js";
import { CELL_STATUSES, statusChip } from "../parts/status.js";

const MOST = 500;
const FIRST = ["failed", "diverged", "running"];

export function cellsTab(experiment, store) {
  const tab = {
    experiment,
    query: {},
    selected: "",
    cells: null,
    bar: h("div.toolbar"),
    body: h("div", {}, skeleton(5)),
  };
  const unlisten = store.listen((cells) => ((tab.cells = cells), draw(tab)));
  return {
    node: h("div", {}, tab.bar, tab.body),
    update(url) {
      Object.assign(tab, { query: url.query, selected: url.path[3] ?? "" });
      draw(tab);
    },
    changed: () => undefined,
    dispose: unlisten,
  };
}

function draw(tab) {
  if (!tab.cells) return;
  const axes = differing(tab.cells);
  const one = tab.cells.find((cell) => cell.id === tab.selected);
  fill(tab.bar, one ? neighbours(tab, one) : statuses(tab));
  fill(tab.body, one ? details(one, axes) : list(tab, axes));
}

function statuses({ cells, query }) {
  const choice = (status, text) =>
    h(
      "button.toggle",
      {
        type: "button",
        "aria-pressed": String((query._status ?? "") === status),
        onclick: () => push({ _status: status }),
      },
      text,
    );
  const has = CELL_STATUSES.map((status) => [status, cells.filter((cell) => cell.status === status).length]).filter(
    ([, n]) => n,
  );
  return [choice("", `all ${count(cells.length)}`), has.map(([status, n]) => choice(status, `${status} ${count(n)}`))];
}

function list({ cells, query, experiment }, axes) {
  const wanted = cells.filter((cell) => !query._status || cell.status === query._status);
  if (!wanted.length) return emptyCard("No such cell", "None has this status now.");
  const sorted = [...wanted].sort((a, b) => rank(a) - rank(b) || a.ordinal - b.ordinal);
  const heads = ["", ...axes.map(({ axis }) => nameOf(axis)), "updates", "engine", "message"];
  const table = h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((name) => h("th", { scope: "col" }, name || h("span.sr", {}, "status"))),
      ),
    ),
    h(
      "tbody",
      {},
      sorted.slice(0, MOST).map((cell) => row(cell, axes, experiment.id)),
    ),
  );
  const rest = sorted.length > MOST ? h("p.faint", {}, `The first ${MOST} of ${count(sorted.length)}.`) : null;
  return [h("div.scroll.card", {}, table), rest];
}

/** What needs a look comes first. */
const rank = ({ status }) => (FIRST.includes(status) ? FIRST.indexOf(status) : FIRST.length);

function row(cell, axes, id) {
  const share = cell.steps_total ? cell.steps_done / cell.steps_total : 0;
  const progress = cell.status === "running" ? ` ${percent(share)}` : "";
  return h(
    "tr",
    {},
    h("td", {}, h("a.plainlink", { href: link(["experiments", id, "cells", cell.id]) }, statusChip(cell.status).node)),
    axes.map(({ axis }) => h("td.num", {}, text(valueAt(cell, axis)))),
    h("td.num", {}, `${count(cell.steps_done)} of ${count(cell.steps_total)}${progress}`),
    h("td", {}, cell.engine ?? "–"),
    h("td.message", {}, remark(cell)),
  );
}

const text = (value) => (typeof value === "number" ? number(value) : (value ?? "–"));

function remark(cell) {
  if (cell.status === "diverged") return `loss not finite at update ${cell.result?.diverged_at ?? cell.steps_done}`;
  return [cell.cause?.replace(/_/g, " "), cell.message].filter(Boolean).join(": ");
}

/** The way back, and to the cells before and after. */
function neighbours({ cells, experiment }, one) {
  const place = cells.indexOf(one);
  const to = (cell, words) =>
    cell
      ? h("a.button", { href: link(["experiments", experiment.id, "cells", cell.id]) }, words)
      : h("button", { type: "button", disabled: true }, words);
  return [
    h("a.button", { href: link(["experiments", experiment.id, "cells"]) }, "All cells"),
    to(cells[place - 1], "← Before"),
    to(cells[place + 1], "After →"),
    h(
      "a.button",
      { href: link(["experiments", experiment.id, "curves"], { cells: one.id, group: "cell" }) },
      "Its curves",
    ),
  ];
}

function details(cell, axes) {
  const facts = {
    status: statusChip(cell.status).node,
    updates: `${count(cell.steps_done)} of ${count(cell.steps_total)}`,
    "batch size": number(cell.batch_size),
    "learning rate": number(cell.lr),
    momentum: text(cell.momentum),
    ...Object.fromEntries(Object.entries(cell.params).map(([name, value]) => [name, number(value)])),
    seed: number(cell.seed),
    variant: cell.variant,
    engine: cell.engine,
    "shared with": cell.shared_with ? `${cell.shared_with} other cells: its seconds are the shared step's` : null,
    remark: remark(cell) || null,
  };
  const heading = h("h2", {}, labelOf(cell, axes) || `Cell ${cell.ordinal}`);
  return [
    heading,
    h(
      "div.columns",
      {},
      factTable("Cell", facts),
      factTable("Result", results(cell)),
      factTable("Where", flat(cell.environment)),
    ),
  ];
}

const results = ({ result }) =>
  Object.fromEntries(Object.entries(result ?? {}).map(([name, value]) => [name.replace(/_/g, " "), resultText(value)]));

function resultText(value) {
  if (typeof value !== "number") return value;
  return Number.isInteger(value) ? count(value) : fixed(value, 5);
}

const flat = (environment) =>
  Object.fromEntries(
    Object.entries(environment ?? {}).map(([name, value]) => [
      name,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]),
  );

function factTable(heading, facts) {
  const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined);
  if (!rows.length) return null;
  const row = ([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td.num", {}, value));
  return h("section.card", {}, h("h3", {}, heading), h("table.facts", {}, h("tbody", {}, rows.map(row))));
}
