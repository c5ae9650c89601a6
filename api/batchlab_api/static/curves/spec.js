/** The Vega-Lite chart of curves: structure only. Points, axes' ends and emphasis come as data and parameters. */

import { INK } from "./palette.js";

const TICKS = { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8, labelPadding: 5 };

/** 250k, 20, 0.01: prefixes for the large only. */
const LABEL = "format(datum.value, abs(datum.value) < 1 ? '~g' : '~s')";
/** On a log axis the powers of ten alone, unless there are hardly any. */
const LOG_LABEL = `xMax < 15 * xMin || abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-9 ? ${LABEL} : ''`;

/** `shape` is what makes two charts different: { lines, logX, logY, xTitle, theme, dots, banded }. */
export function chartSpec(shape, size) {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    ...size,
    autosize: { type: "fit", contains: "padding" },
    padding: { left: 2, top: 8, right: 12, bottom: 2 },
    background: null,
    params: [...["xMin", "xMax", "yMin", "yMax"].map((name) => ({ name, value: 1 })), { name: "focus", value: [] }],
    config: config(shape.theme),
    encoding: encoding(shape),
    layer: [...(shape.banded ? [band(shape)] : []), line(shape), cross(shape)],
  };
}

function config(theme) {
  const { ink, faint, grid } = INK[theme];
  const colours = { domainColor: faint, tickColor: faint, gridColor: grid, labelColor: ink, titleColor: ink };
  return {
    font: "system-ui, sans-serif",
    view: { stroke: null },
    axis: { ...TICKS, ...colours },
    legend: { disable: true },
  };
}

function encoding(shape) {
  const keys = shape.lines.map(({ key }) => key);
  return {
    x: {
      field: "x",
      type: "quantitative",
      scale: scale("x", shape.logX),
      axis: { title: shape.xTitle, tickCount: 7, labelExpr: shape.logX ? LOG_LABEL : LABEL, grid: false },
    },
    color: { field: "k", type: "nominal", scale: { domain: keys, range: shape.lines.map(({ colour }) => colour) } },
  };
}

function scale(name, isLog) {
  const domain = [{ expr: `${name}Min` }, { expr: `${name}Max` }];
  return isLog ? { type: "log", nice: false, domain } : { type: "linear", zero: false, nice: false, domain };
}

const Y_AXIS = {
  title: null, // the figure's heading says it
  // Room for the widest label from the start, so that the picture does not move as values change.
  minExtent: 46,
  tickCount: 5,
  format: "~g",
};

const yOf = (shape) => ({ field: "y", type: "quantitative", scale: scale("y", shape.logY), axis: Y_AXIS });

/** An opacity for lines that are in focus, one while none is, and one for the others. */
const emphasis = (focused, plain, faded) => ({
  condition: [
    { test: "length(focus) == 0", value: plain },
    { test: "indexof(focus, datum.k) >= 0", value: focused },
  ],
  value: faded,
});

/** The more bands lie over each other, the fainter each of them. */
const bandOpacity = ({ lines }) => Math.max(0.03, Math.min(0.18, 0.6 / Math.max(lines.length, 1)));

const band = (shape) => ({
  data: { name: "points" },
  mark: { type: "area", clip: true, line: false },
  encoding: {
    y: { field: "lo", type: "quantitative" },
    y2: { field: "hi" },
    opacity: emphasis(0.2, bandOpacity(shape), 0),
  },
});

function line(shape) {
  const keys = shape.lines.map(({ key }) => key);
  const dashes = { domain: keys, range: shape.lines.map(({ dash }) => dash) };
  return {
    data: { name: "points" },
    mark: { type: "line", clip: true, strokeWidth: 1.7, point: shape.dots ? { size: 18, filled: true } : false },
    encoding: {
      y: yOf(shape),
      strokeDash: { field: "k", type: "nominal", scale: dashes },
      opacity: emphasis(1, 1, 0.1),
    },
  };
}

const cross = (shape) => ({
  data: { name: "crosses" },
  mark: { type: "text", text: "✕", fontSize: 15, fontWeight: "bold", stroke: INK[shape.theme].ink, strokeWidth: 0.4 },
  encoding: { y: { field: "y", type: "quantitative" }, opacity: emphasis(1, 1, 0.15) },
});
