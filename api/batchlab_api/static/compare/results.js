/** One metric of several experiments, point by point: means with their intervals, and how far from the first one. */

import { h } from "../base/dom.js";
import { estimate, estimatedTime, number } from "../base/format.js";
import { push } from "../base/router.js";
import { differingWithin, labelOf } from "../parts/axes.js";

const FIRST = ["val_accuracy", "val_loss", "best_val_loss", "train_loss"];
const AXES = ["variant", "batch_size", "lr", "momentum"];
const MOST_ROWS = 200;

export function resultsBeside(all, query) {
  const metrics = metricsOf(all);
  if (!metrics.length) return h("p.faint", {}, "No result yet.");
  const asked = metrics.includes(query._m) ? query._m : null;
  const metric = asked ?? FIRST.find((name) => metrics.includes(name)) ?? metrics[0];
  return h("div", {}, h("div.toolbar", {}, choice(metrics, metric)), table(all, metric));
}

/** Metrics that some group of every experiment has a value for. */
function metricsOf(all) {
  const sets = all.map(({ results }) => new Set(results.groups.flatMap(measured)));
  return sets.length ? [...sets[0]].filter((name) => sets.every((set) => set.has(name))) : [];
}

const measured = (group) =>
  Object.keys(group).filter((key) => group[key]?.mean !== null && group[key]?.mean !== undefined);

const choice = (metrics, metric) =>
  h(
    "label",
    {},
    h("span", {}, "Metric"),
    h(
      "select",
      { onchange: (event) => push({ _m: event.target.value }) },
      metrics.map((name) => h("option", { value: name, selected: name === metric }, name.replace(/_/g, " "))),
    ),
  );

const pointOf = ({ by }) => ({
  ...by,
  params: Object.fromEntries(Object.entries(by).filter(([key]) => !AXES.includes(key))),
});

function table(all, metric) {
  const axes = differingWithin(all.map(({ results }) => results.groups.map(pointOf)));
  const byLabel = all.map(
    ({ results }) => new Map(results.groups.map((group) => [labelOf(pointOf(group), axes) || "all cells", group])),
  );
  const labels = [...new Set(byLabel.flatMap((groups) => [...groups.keys()]))];
  const head = h("tr", {}, h("th", {}, "point"), all.map(({ label }) => h("th.num", { scope: "col" }, label)));
  const rows = labels.slice(0, MOST_ROWS).map((label) => row(label, byLabel.map((groups) => groups.get(label)), metric));
  return [
    h("div.scroll.card", {}, h("table.results", {}, h("thead", {}, head), h("tbody", {}, rows))),
    h("p.faint.small", {}, "Mean ± half of its 95 % interval over seeds (n); below, the difference from the first."),
    labels.length > MOST_ROWS ? h("p.faint", {}, `${MOST_ROWS} of ${labels.length} points shown.`) : null,
  ];
}

function row(label, groups, metric) {
  const base = groups[0]?.[metric]?.mean ?? null;
  return h("tr", {}, h("th", { scope: "row" }, label), groups.map((group, i) => cell(group, metric, i ? base : null)));
}

function cell(group, metric, base) {
  const value = group?.[metric];
  if (!value || value.mean === null) return h("td.num", {}, "–");
  const text = metric.startsWith("seconds") ? estimatedTime(value) : estimate(value);
  return h("td.num", {}, text, h("span.faint", {}, ` (${group.n})`), difference(value.mean, base));
}

/** In per cent where there is something to divide by. */
function difference(mean, base) {
  if (base === null) return null;
  const share = base === 0 ? null : (mean - base) / Math.abs(base);
  const far = share === null ? number(mean - base, 3) : `${number(100 * share, 3)} %`;
  return h("div.faint.small", {}, mean > base ? `+${far}` : far);
}
