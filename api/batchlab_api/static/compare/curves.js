/** Curves of several experiments over each other: colour by experiment, dash by point of the sweep. */

import { apiPath, search } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { push } from "../base/router.js";
import { INK, colours, dash } from "../curves/palette.js";
import { draw } from "../curves/vega.js";
import { differingWithin, labelOf } from "../parts/axes.js";
import { problemCard, skeleton } from "../parts/problem.js";
import { shown as theme } from "../parts/theme.js";

const POINTS = 300;
const MOST_LINES = 6;
const X = { step: "update", epoch: "epoch", examples: "examples", seconds: "training time (s)" };
const FIRST = ["val_loss", "loss"];

export function curvesOver(all) {
  const box = h("div.plotbox", {}, skeleton(4));
  const bar = h("div.toolbar");
  const metrics = Object.keys(all[0].metrics).filter((name) => all.every((one) => name in one.metrics));
  const state = { all, metrics, box, note: h("p.faint.small"), query: {}, turn: 0 };
  const redraw = () => refresh(state);
  window.addEventListener("theme", redraw);
  return {
    node: h("figure.card.overlaid", {}, bar, box, state.note),
    update(query) {
      state.query = query;
      fill(bar, choices(state));
      refresh(state);
    },
    dispose() {
      window.removeEventListener("theme", redraw);
      state.result?.finalize();
    },
  };
}

const metricOf = ({ metrics, query }) =>
  metrics.includes(query._curve) ? query._curve : (FIRST.find((name) => metrics.includes(name)) ?? metrics[0]);
const axisOf = ({ query }) => (query._x in X ? query._x : "epoch");

function choices(state) {
  const select = (name, key, values, chosen) =>
    h(
      "label",
      {},
      h("span", {}, name),
      h(
        "select",
        { onchange: (event) => push({ [key]: event.target.value }) },
        values.map((value) => h("option", { value, selected: value === chosen }, (X[value] ?? value).replace(/_/g, " "))),
      ),
    );
  return [
    select("Metric", "_curve", state.metrics, metricOf(state)),
    select("Along", "_x", Object.keys(X), axisOf(state)),
  ];
}

async function refresh(state) {
  const turn = (state.turn += 1);
  try {
    const asked = { metrics: metricOf(state), group: "seed", x: axisOf(state), points: POINTS };
    const answers = await Promise.all(
      state.all.map(({ id }) => get(`${apiPath(["experiments", id, "curves"])}${search(asked)}`)),
    );
    if (turn !== state.turn) return;
    await show(state, answers, turn);
  } catch (error) {
    fill(state.box, problemCard(error));
  }
}

async function show(state, answers, turn) {
  const axes = differingWithin(answers.map(({ series }) => series));
  const kept = answers.map(({ series }) => some(series));
  const cut = answers.some(({ series }, i) => series.length > kept[i].length);
  state.note.textContent = cut ? `${MOST_LINES} points of each sweep are drawn, evenly chosen.` : "";
  const fresh = h("div");
  const result = await draw(fresh, spec(state, kept, axes), { renderer: "svg" });
  if (turn !== state.turn) return result.finalize();
  state.result?.finalize();
  state.result = result;
  return fill(state.box, fresh);
}

const some = (series) =>
  series.length <= MOST_LINES
    ? series
    : Array.from({ length: MOST_LINES }, (_, i) => series[Math.round((i * (series.length - 1)) / (MOST_LINES - 1))]);

function spec(state, kept, axes) {
  const names = state.all.map(({ label }) => label);
  const rows = kept.flatMap((series, i) => series.flatMap((one) => points(one, names[i], axes)));
  const points_ = [...new Set(rows.map(({ point }) => point))];
  const positive = rows.every(({ y }) => y > 0);
  const ink = INK[theme()];
  const wide = positive && Math.max(...rows.map(({ y }) => y)) > 20 * Math.min(...rows.map(({ y }) => y));
  const width = Math.max(240, Math.min(860, Math.floor(state.box.getBoundingClientRect().width) - 90));
  const looks = { labelLimit: 320, title: null, symbolType: "stroke", symbolSize: 300 };
  const legend = { orient: "bottom", columns: Math.max(1, Math.floor(width / 240)), ...looks };
  const dashes = { domain: points_, range: points_.map((_, i) => dash(i)) };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width,
    height: 300,
    background: null,
    data: { values: rows },
    mark: { type: "line", strokeWidth: 1.7, clip: true },
    encoding: {
      x: { field: "x", type: "quantitative", title: X[axisOf(state)], axis: { grid: false } },
      y: {
        field: "y",
        type: "quantitative",
        title: metricOf(state).replace(/_/g, " "),
        scale: { type: wide ? "log" : "linear", zero: false },
      },
      color: { field: "of", scale: { domain: names, range: colours(names, theme()) }, legend },
      strokeDash: { field: "point", scale: dashes, legend: points_.length > 1 ? legend : null },
      detail: { field: "line" },
    },
    config: {
      view: { stroke: null },
      axis: { domainColor: ink.faint, tickColor: ink.faint, gridColor: ink.grid, labelColor: ink.ink, titleColor: ink.ink },
      legend: { labelColor: ink.ink, layout: { bottom: { direction: "vertical", anchor: "start", margin: 8 } } },
    },
  };
}

function points(series, of, axes) {
  const point = labelOf(series, axes) || "all cells";
  const rows = series.x.map((x, i) => ({ of, point, line: `${of} ${point}`, x, y: series.mean[i] }));
  return rows.filter(({ y }) => y !== null);
}
