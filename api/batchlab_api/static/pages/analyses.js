/** What is computed from the trained cells: a line to ask for more, and a card for each analysis with what it found. */

import { apiPath } from "../base/address.js";
import { get, send } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { number, percent } from "../base/format.js";
import { poll } from "../base/poll.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { statusChip } from "../parts/status.js";
import { complain } from "../parts/toast.js";

const SECONDS = 2;
const FORMATS = ["json", "csv", "parquet"];

export function analysesTab(experiment, cells) {
  const abort = new AbortController();
  const tab = { id: experiment.id, cells, shown: null, signal: abort.signal, list: h("div", {}, skeleton(4)) };
  tab.form = h("form.card", { onsubmit: (event) => (event.preventDefault(), ask(tab)) });
  offer(tab);
  tab.poll = poll(
    (signal) => refresh(tab, signal),
    SECONDS,
    (error) => tab.shown ?? fill(tab.list, problemCard(error)),
  );
  return {
    node: h("div", {}, tab.form, tab.list),
    update: () => undefined,
    changed: () => tab.poll.now(),
    dispose: () => (abort.abort(), tab.poll.stop()),
  };
}

/** The kinds of the catalogue and the cells that have been trained. */
async function offer(tab) {
  try {
    const options = { signal: tab.signal };
    const [{ analyses }, { items }] = await Promise.all([
      get("/catalog", options),
      get(apiPath(["experiments", tab.id, "cells"]), options),
    ]);
    const kinds = Object.keys(analyses).map((kind) => h("option", { value: kind }, kind));
    const trained = items.filter((cell) => cell.status === "succeeded");
    const cells = trained.map((cell) => h("option", { value: cell.id }, named(cell)));
    tab.kind = h("select", { name: "kind" }, kinds);
    tab.cell = h("select", { name: "cell" }, h("option", { value: "" }, "every trained cell"), cells);
    const start = h("button.primary", { type: "submit", disabled: !trained.length }, "Analyse");
    fill(tab.form, h("label", {}, "Compute ", tab.kind), " ", h("label", {}, "of ", tab.cell), " ", start);
  } catch (error) {
    if (!tab.signal.aborted) fill(tab.form, problemCard(error));
  }
}

const named = (cell) =>
  [cell.variant, `batch ${cell.batch_size}`, `lr ${number(cell.lr)}`, `seed ${cell.seed}`].filter(Boolean).join(" · ");

async function ask(tab) {
  const cells = tab.cell.value ? [tab.cell.value] : null;
  try {
    await send("POST", apiPath(["experiments", tab.id, "analyses"]), { body: { kind: tab.kind.value, cells } });
    tab.poll.now();
  } catch (error) {
    complain(error);
  }
}

async function refresh(tab, signal) {
  const { items } = await get(apiPath(["experiments", tab.id, "analyses"]), { signal });
  const known = JSON.stringify(items);
  if (known === tab.shown) return;
  tab.shown = known;
  const none = emptyCard("Nothing analysed yet", "Sharpness, curvature and landscapes are computed from trained cells.");
  fill(tab.list, items.length ? items.map((item) => card(tab, item)) : none);
}

function card(tab, item) {
  const of = item.cells.map(({ cell, steps }) => `cell ${cell} after ${steps.join(", ") || "all"} updates`).join("; ");
  const open = ["queued", "running"].includes(item.status);
  const cancel = h("button", { type: "button", onclick: () => stop(tab, item) }, "Cancel");
  const links = FORMATS.map((format) => h("a", { href: item.links[format], download: "" }, format.toUpperCase()));
  return h(
    "article.card",
    { id: item.id },
    h("h3", {}, item.kind, " ", chip(item.status), item.status === "running" ? ` ${percent(item.fraction)}` : ""),
    h("p.faint", {}, of),
    item.message ? h("p", {}, `${item.cause}: ${item.message}`) : null,
    item.values ? table(item) : null,
    open ? cancel : null,
    item.values ? h("p.downloads", {}, h("span.faint", {}, "Arrays "), links) : null,
  );
}

/** The word alone: what it means for a training would mislead here. */
function chip(status) {
  const { node } = statusChip(status);
  node.removeAttribute("title");
  return node;
}

function table({ values, meta }) {
  const errors = meta?.standard_error ?? {};
  const shown = (value) => (typeof value === "number" ? number(value) : String(value ?? "–"));
  const rows = Object.entries(values).map(([name, value]) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, shown(value)), h("td", {}, spread(errors[name]))),
  );
  const head = ["value", "", "standard error"].map((word) => h("th", { scope: "col" }, word));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
}

const spread = (error) => (typeof error === "number" ? `± ${number(error)}` : "");

async function stop(tab, item) {
  try {
    await send("POST", `${item.links.self}/cancel`);
    tab.poll.now();
  } catch (error) {
    complain(error);
  }
}
