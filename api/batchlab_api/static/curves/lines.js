/** From the server's series to the lines of a chart: their points, what cannot be shown, and how far the axes go. */

import { labelOf, valueAt, valuesOf } from "../parts/axes.js";
import { FEW, keyOf } from "./options.js";
import { colours, dash } from "./palette.js";

/**
 * The lines of one metric: [{ key, label, short, colour, dash, points, divergedAt, last, n, raw, level, hidden }].
 * A point is { x, y, lo, hi }. `hidden` counts the points that a log axis cannot show.
 */
export function linesOf(series, options, theme) {
  const look = looks(options, theme);
  return series.map((one) => ({
    key: keyOf(one, options),
    label: labelOf(one, options.axes) || "all",
    short: valuesOf(one, options.axes) || "all",
    ...look(one),
    ...points(one, options),
    divergedAt: one.diverged_at,
    n: one.n ? Math.max(...one.n) : null,
    raw: one.n_raw,
    level: one.level,
    exact: one.exact,
  }));
}

function looks({ axes, colour, dashed }, theme) {
  const hues = palette(axes, colour, theme);
  const dashes = axes.find(({ axis }) => axis === dashed)?.values ?? [];
  return (one) => ({
    colour: hues.get(valueAt(one, colour)) ?? colours([0], theme)[0],
    dash: dash(Math.max(0, dashes.indexOf(valueAt(one, dashed)))),
  });
}

function palette(axes, name, theme) {
  const values = axes.find(({ axis }) => axis === name)?.values ?? [];
  const hues = colours(values, theme);
  return new Map(values.map((value, i) => [value, hues[i]]));
}

function points(one, options) {
  const edges = edgesOf(one, options.band);
  const found = [];
  let hidden = 0;
  for (let i = 0; i < drawable(one); i += 1) {
    const [x, y] = [one.x[i], one.mean[i]];
    if (y === null) continue;
    if ((options.logY && y <= 0) || (options.logX && x <= 0)) hidden += 1;
    else found.push({ x, y, ...edges(i, y) });
  }
  return { points: found, hidden, last: lastOf(one) };
}

/**
 * How many of a series's points make its line. The last of a thinned one is the last update's own value, not a mean
 * like those before it: in the line it would look like a sudden end.
 */
const drawable = ({ x, exact }) => (exact || x.length < 4 ? x.length : x.length - 1);

const lastOf = ({ mean }) => mean.findLast((value) => value !== null) ?? null;

/** Ends of the band at a point. An interval of two seeds is so wide that it tells nothing: there min and max stand. */
function edgesOf({ min, max, lo, hi, n }, band) {
  if (band === "none") return (_, y) => ({ lo: y, hi: y });
  const told = (i) => band === "ci95" && lo && lo[i] !== null && n[i] >= FEW;
  return (i, y) => ({ lo: (told(i) ? lo[i] : min[i]) ?? y, hi: (told(i) ? hi[i] : max[i]) ?? y });
}

/**
 * Where the axes begin and end: { x: [from, to], y: [from, to], cut, floor }: `cut` where diverged lines go beyond,
 * `floor` where bands are cut below.
 */
export function domains(lines, options) {
  const sound = lines.filter(({ divergedAt, points: p }) => divergedAt === null && p.length);
  const fitted = options.fitAll || !sound.length ? lines : sound;
  const x = padded(spread(lines, "x", "x"), options.logX, 0);
  if (options.from !== "") x[0] = Number(options.from);
  if (options.to !== "") x[1] = Number(options.to);
  const whole = spread(fitted, "lo", "hi");
  const shown = options.logY ? floored(whole, fitted) : whole;
  const y = padded(shown, options.logY, 0.04);
  const cut = fitted !== lines && lines.some((line) => line.points.some((p) => p.y > y[1]));
  return { x, y, cut, floor: shown[0] > whole[0] ? y[0] : null };
}

function spread(lines, low, high) {
  let [from, to] = [Infinity, -Infinity];
  for (const { points: found } of lines) {
    for (const point of found) {
      if (point[low] < from) from = point[low];
      if (point[high] > to) to = point[high];
    }
  }
  return from <= to ? [from, to] : [0, 1];
}

/** On a log axis a band may reach to nothing: it is cut a decade below the lowest mean. */
const floored = ([from, to], lines) => [Math.max(from, spread(lines, "y", "y")[0] / 10), to];

function padded([from, to], isLog, share) {
  if (isLog) return from > 0 && to > from ? [from / (to / from) ** share, to * (to / from) ** share] : [1e-3, 1];
  const room = to > from ? (to - from) * share : Math.abs(from) * 0.05 || 1;
  return [from - room, to + room];
}

/** The rows of a chart: every point with the key of its line, bands kept on the axis. */
export function rowsOf(lines, { y }, { logY }) {
  const floor = logY ? y[0] : -Infinity;
  return lines.flatMap(({ key, points: found }) =>
    found.map((point) => ({ k: key, x: point.x, y: point.y, lo: Math.max(point.lo, floor), hi: point.hi })),
  );
}

/** A mark at the last finite point of each diverged line, on the edge where that lies beyond the axis. */
export function crossesOf(lines, { y }) {
  const ended = lines.filter(({ divergedAt, points: found }) => divergedAt !== null && found.length);
  return ended.map(({ key, points: found }) => {
    const { x, y: value } = found.at(-1);
    return { k: key, x, y: Math.min(Math.max(value, y[0]), y[1]) };
  });
}
