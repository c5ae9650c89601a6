/** One metric's curves: title, chart, the values at the pointer, what is not shown, and the same as a table. */

import { fill, h, say } from "../base/dom.js";
import { count, number, plural } from "../base/format.js";
import { shown as theme } from "../parts/theme.js";
import { crossesOf, domains, linesOf, rowsOf } from "./lines.js";
import { XS } from "./options.js";
import { pointer } from "./pointer.js";
import { readout } from "./readout.js";
import { chartSpec } from "./spec.js";
import { LiveChart } from "./vega.js";

const FEW_POINTS = 30;

/** `on`: zoom(from, to), out(). `show(series, options)` draws; `focus(keys)` dims all other lines. */
export function figure(metric, unit, on) {
  const box = h("div.canvas");
  const chart = new LiveChart(box);
  const state = { metric, chart, lines: [], options: null };
  const values = readout();
  const area = pointer(() => chart.plane(), {
    ...on,
    hover: (x, y) =>
      x === null || !state.lines.length ? values.clear() : values.show(visible(state), state.options, x, y),
  });
  values.clear();
  Object.assign(state, { badge: h("span.badge"), notes: h("p.notes.faint"), summary: h("p.sr"), table: dataTable() });
  const head = h("figcaption", {}, h("h3", {}, metric, unitText(unit)), state.badge);
  const node = h(
    "figure.curve",
    {},
    head,
    h("div.chartbox", {}, box, area),
    values.node,
    state.notes,
    state.summary,
    state.table.node,
  );
  const watch = new ResizeObserver(() => chart.resize());
  watch.observe(box);
  return {
    node,
    lines: () => state.lines,
    show: (series, options) => show(state, series, options),
    focus: (keys) => chart.set("focus", keys),
    dispose: () => (watch.disconnect(), chart.close()),
  };
}

const unitText = (unit) => (unit && unit !== "1" ? h("span.faint", {}, ` (${unit})`) : null);

const visible = ({ lines, options: { isolated } }) =>
  isolated.length ? lines.filter(({ key }) => isolated.includes(key)) : lines;

function show(state, series, options) {
  const lines = linesOf(series, options, theme());
  Object.assign(state, { lines, options });
  const ends = domains(lines, options);
  const shape = shapeOf(lines, options);
  const data = { points: rowsOf(lines, ends, options), crosses: crossesOf(lines, ends) };
  const [[xMin, xMax], [yMin, yMax]] = [ends.x, ends.y];
  const params = { xMin, xMax, yMin, yMax, focus: options.isolated };
  describe(state, lines, options, ends);
  return state.chart.show(JSON.stringify(shape), (size) => chartSpec(shape, size), data, params);
}

function shapeOf(lines, options) {
  return {
    lines: lines.map(({ key, colour, dash }) => ({ key, colour, dash })),
    logX: options.logX,
    logY: options.logY,
    xTitle: XS[options.x],
    theme: theme(),
    dots: lines.every(({ points }) => points.length <= FEW_POINTS),
    banded: options.band !== "none",
  };
}

function describe({ badge, notes, summary, table, metric }, lines, options, ends) {
  const level = Math.max(0, ...lines.map((line) => line.level));
  const exact = lines.every((line) => line.exact);
  say(badge, exact ? "exact" : `÷${count(8 ** level)} · min–max kept`);
  badge.title = exact ? "Every stored value is drawn." : `A point stands for up to ${count(8 ** level)} updates.`;
  badge.hidden = !lines.length;
  say(notes, remarks(lines, ends));
  say(summary, inWords(metric, lines, options));
  table.update(lines);
}

function remarks(lines, ends) {
  const hidden = lines.reduce((sum, line) => sum + line.hidden, 0);
  const said = [];
  if (hidden) said.push(`${plural(hidden, "point")} ≤ 0 not shown on a log axis.`);
  if (ends.floor !== null) said.push(`Bands reach lower: they are cut at ${number(ends.floor, 2)}.`);
  if (ends.cut) said.push("The axis is fitted to the lines that did not diverge.");
  return said.join(" ");
}

function inWords(metric, lines, { x }) {
  const ended = lines.filter((line) => line.last !== null);
  if (!ended.length) return `${metric}: nothing measured yet.`;
  const sorted = [...ended].sort((a, b) => a.last - b.last);
  const say = (line) => `${number(line.last)} at ${line.label}`;
  return `${metric} over ${XS[x]}: ${plural(lines.length, "line")}; last values from ${say(sorted[0])} to ${say(sorted.at(-1))}.`;
}

/** The lines as a table, made when it is opened. */
function dataTable() {
  const body = h("tbody");
  let lines = [];
  const heads = ["line", "values", "first", "lowest", "highest", "last"].map((name) => h("th", { scope: "col" }, name));
  const table = h("div.scroll", {}, h("table", {}, h("thead", {}, h("tr", {}, heads)), body));
  const node = h("details", {}, h("summary", {}, "As a table"), table);
  const draw = () => node.open && fill(body, lines.map(tableRow));
  node.addEventListener("toggle", draw);
  return { node, update: (now) => ((lines = now), draw()) };
}

function tableRow({ label, raw, points, last }) {
  const lowest = points.reduce((least, { y }) => Math.min(least, y), Infinity);
  const highest = points.reduce((most, { y }) => Math.max(most, y), -Infinity);
  const cells = [points[0]?.y, lowest, highest, last].map((value) => h("td.num", {}, number(value)));
  return h("tr", {}, h("th", { scope: "row" }, label), h("td.num", {}, count(raw)), cells);
}
