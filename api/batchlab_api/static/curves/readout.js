/** The values nearest to the pointer, in a row of fixed height below the chart. */

import { fill, h } from "../base/dom.js";
import { number } from "../base/format.js";
import { XS } from "./options.js";

const MOST = 8;

/** Text for the lines at `x`, those nearest to `y` first. */
export function readout() {
  const node = h("div.readout.num");
  return {
    node,
    clear: () => fill(node, h("span.faint", {}, "Point at the chart for values; drag along it to zoom.")),
    show: (lines, options, x, y) => fill(node, ...entries(lines, options, x, y)),
  };
}

function entries(lines, { x: axis, logY }, x, y) {
  const distance = ({ at }) => (logY ? Math.abs(Math.log(at.y / y)) : Math.abs(at.y - y));
  const near = lines.map((line) => ({ line, at: nearest(line.points, x) })).filter(({ at }) => at);
  near.sort((a, b) => distance(a) - distance(b));
  const rest = near.length - MOST;
  return [
    h("b", {}, `${XS[axis].replace(/ \(.*/, "")} ${number(x, 3)}`),
    ...near.slice(0, MOST).map(({ line, at }) => entry(line, at)),
    rest > 0 ? h("span.faint", {}, `and ${rest} more`) : null,
  ];
}

const entry = (line, at) =>
  h("span", {}, h("i.swatch", { style: { "--colour": line.colour } }), `${line.label}: ${number(at.y)}`);

/** The point of a sorted list whose x is nearest. */
export function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x < x) low = middle;
    else high = middle;
  }
  const [a, b] = [points[low], points[high]];
  return a && b && Math.abs(b.x - x) < Math.abs(a.x - x) ? b : a;
}
