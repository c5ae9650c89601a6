/** The results table: points of the sweep with means and intervals, opening to their seeds. */

import { apiPath } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { plural } from "../base/format.js";
import { paced } from "../base/paced.js";
import { push } from "../base/router.js";
import { differing } from "../parts/axes.js";
import { bind } from "../parts/keys.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { matcher } from "./filter.js";
import { resultBar } from "./result-bar.js";
import { resultRows } from "./result-rows.js";

const LEAST_SECONDS = 2;
const FIRST = ["val_loss", "val_accuracy", "best_val_loss", "mean_grad_norm", "seconds_per_update"];
const NOT_METRICS = ["by", "n", "n_diverged", "n_failed", "n_reached"];

export function resultsTab(experiment) {
  const abort = new AbortController();
  const base = apiPath(["experiments", experiment.id, "results"]);
  const tab = {
    base,
    experiment,
    query: {},
    results: null,
    open: new Set(),
    signal: abort.signal,
    body: h("div", {}, skeleton(6)),
  };
  tab.bar = resultBar(base, experiment.id);
  tab.pace = paced(() => refresh(tab), LEAST_SECONDS);
  const unbind = bind({ "/": () => tab.bar.focus() });
  return {
    node: h("div", {}, tab.bar.node, tab.body),
    update(url) {
      tab.query = url.query;
      draw(tab);
      tab.pace.ask();
    },
    changed: () => tab.pace.ask(),
    dispose: () => (abort.abort(), tab.pace.stop(), unbind()),
  };
}

async function refresh(tab) {
  try {
    const results = await get(tab.base, { signal: tab.signal });
    if (results === tab.results) return;
    tab.results = results;
    draw(tab);
  } catch (error) {
    if (!tab.signal.aborted && !tab.results) fill(tab.body, problemCard(error, tab.pace.now));
  }
}

/** Metrics that some group has a value for, the chosen ones first. */
function metricsOf({ groups }) {
  const names = new Set(groups.flatMap((group) => Object.keys(group).filter((key) => !NOT_METRICS.includes(key))));
  return [...names].filter((name) =>
    groups.some((group) => group[name]?.mean !== null && group[name]?.mean !== undefined),
  );
}

function draw(tab) {
  if (!tab.results) return;
  const metrics = metricsOf(tab.results);
  const chosen = tab.query._cols ? tab.query._cols.split(",") : FIRST;
  const columns = metrics.filter((name) => chosen.includes(name));
  tab.bar.columns(metrics, columns);
  const points = tab.results.groups.map((group) => ({ ...group, point: { ...group.by, params: paramsOf(group.by) } }));
  const axes = differing(points.map(({ point }) => point));
  const { keep, fault } = matcher(tab.query._f ?? "");
  tab.bar.update(tab.query, fault);
  const kept = sorted(points.filter(keep), tab.query._sort, axes);
  if (!tab.results.groups.some(hasEnded))
    fill(tab.body, emptyCard("No result yet", "A row appears when the first cell of its point ends."));
  else fill(tab.body, table(tab, axes, columns, kept), foot(kept.length, points.length));
}

const hasEnded = (group) => group.n + group.n_diverged + group.n_failed > 0;

const AXES = ["variant", "batch_size", "lr", "momentum"];
const paramsOf = (by) => Object.fromEntries(Object.entries(by).filter(([key]) => !AXES.includes(key)));

const foot = (kept, all) => (kept < all ? h("p.faint", {}, `${kept} of ${plural(all, "point")} match.`) : null);

function sorted(groups, by, axes) {
  if (!by) return groups;
  const name = by.replace(/^-/, "");
  const value = (group) =>
    axes.some(({ axis }) => axis === name) ? group.by[name] : (group[name]?.mean ?? group[name]);
  const sign = by.startsWith("-") ? -1 : 1;
  const missing = (v) => v === null || v === undefined || typeof v === "object";
  return [...groups].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y); // what has no value stands last, whichever way
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
}

function table(tab, axes, columns, groups) {
  const sort = (name) =>
    push({ _sort: tab.query._sort === name ? `-${name}` : tab.query._sort === `-${name}` ? "" : name });
  const head = (name, kind = "num") => heading(name, kind, tab.query._sort, () => sort(name));
  const names = axes.length ? axes.map(({ axis }) => axis) : ["batch_size"];
  const heads = [
    h("th.toggle", {}, h("span.sr", {}, "Seeds")),
    names.map((name) => head(name)),
    head("n"),
    columns.map((name) => head(name)),
  ];
  const rows = resultRows(groups, tab.results.cells, names, columns, tab.open, () => draw(tab));
  return h("div.scroll.card", {}, h("table.results", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)));
}

function heading(name, kind, sort, onclick) {
  const state = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
  const mark = { ascending: " ↑", descending: " ↓", none: "" }[state];
  const button = h("button.sort", { type: "button", onclick, title: name }, name.replace(/_/g, " "), mark);
  return h(`th.${kind}`, { scope: "col", "aria-sort": state }, button);
}
