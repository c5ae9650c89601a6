/** What the address says about curves. */

import { differing } from "../parts/axes.js";

/** Values of `x=`, and how an axis calls them. */
export const XS = { step: "update", epoch: "epoch", examples: "examples seen", seconds: "training time (s)" };
const BANDS = ["ci95", "minmax", "none"];
const HEADLINE = ["val_loss", "grad_norm"];
/** With fewer seeds an interval says little: they are drawn one by one. */
export const FEW = 3;
/** As many lines as a picture bears. */
export const MOST_LINES = 40;

/**
 * What of the API's parameters an address should say and does not. The page writes it there, so that the rule holds:
 * delete the # and you have the data.
 */
export function unsaid(query, experiment, cells) {
  const sweeps = new Set(cells.map((cell) => cell.batch_size)).size > 1;
  const wanted = {
    metrics: headline(experiment).join(","),
    group: seedsOf(cells) >= FEW ? "seed" : "cell",
    x: sweeps && experiment.spec.budget?.epochs ? "epoch" : "step",
  };
  return Object.fromEntries(Object.entries(wanted).filter(([key]) => !query[key]));
}

const seedsOf = (cells) => new Set(cells.map((cell) => cell.seed)).size;

/** The choices of a query over the cells of an experiment. */
export function options(given, experiment, cells) {
  const query = { ...unsaid(given, experiment, cells), ...given };
  const axes = differing(cells);
  const seeds = seedsOf(cells);
  const group = query.group;
  const lines = group === "seed" ? axes.filter(({ axis }) => axis !== "seed") : axes;
  return {
    metrics: listed(query.metrics),
    group,
    seeds,
    x: query.x in XS ? query.x : "step",
    from: query.from ?? "",
    to: query.to ?? "",
    batchSizes: listed(query.batch_size).map(Number),
    chosen: listed(query.cells),
    logX: query._xs === "log",
    logY: query._y === "log",
    band: BANDS.includes(query._band) ? query._band : group === "seed" && seeds >= FEW ? "ci95" : "minmax",
    isolated: listed(query._iso),
    fitAll: query._fit === "all",
    axes: lines,
    ...channels(lines, query._c),
  };
}

const listed = (text) => (text ? text.split(",") : []);

/** The headline metrics that this experiment has. */
export function headline({ metrics }) {
  const found = HEADLINE.filter((name) => name in metrics);
  return found.length ? found : Object.keys(metrics).slice(0, 1);
}

/** Which axis takes the colour and which the dash: the first two that differ, unless `_c` names the first. */
function channels(axes, wanted) {
  const named = axes.map(({ axis }) => axis);
  const colour = named.includes(wanted) ? wanted : (named.find((axis) => axis !== "variant") ?? named[0] ?? null);
  const dashed = named.find((axis) => axis !== colour && axis !== "seed") ?? null;
  return { colour, dashed };
}

/** The cells that are drawn, and of how many lines that is all or a part: { cells, lines, all }. */
export function drawn(cells, options) {
  const wanted = cells.filter((cell) => chosen(cell, options));
  const groups = new Map();
  for (const cell of wanted) {
    const key = keyOf(cell, options);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const every = [...groups.values()];
  const kept = every.length > MOST_LINES ? spaced(every, MOST_LINES) : every;
  return { cells: kept.flat(), lines: kept.length, all: every.length };
}

const chosen = (cell, { batchSizes, chosen: ids }) =>
  (!batchSizes.length || batchSizes.includes(cell.batch_size)) && (!ids.length || ids.includes(cell.id));

const spaced = (list, count) =>
  Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]);

/** The name of a line: the same for a cell and for the series that the server makes of it. */
export function keyOf(point, { group }) {
  const by = [point.variant ?? "", point.batch_size, point.lr, point.momentum ?? ""];
  const params = Object.entries(point.params ?? {})
    .sort()
    .flat();
  return [...by, ...params, group === "cell" ? point.seed : "all"].join("_").replace(/,/g, ";");
}

/** The request for what is drawn; `points` a series. */
export function request(options, picked, points) {
  const { metrics, group, x, from, to } = options;
  const part = picked.lines < picked.all || options.chosen.length;
  return {
    metrics: metrics.join(","),
    group,
    x,
    from,
    to,
    batch_size: options.batchSizes.join(","),
    cells: part ? picked.cells.map(({ id }) => id).join(",") : "",
    points,
  };
}
