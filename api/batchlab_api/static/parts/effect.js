/** An effect with its interval, drawn against what is claimed: the shaded part of the line is where the claim is true. */

import { h, svg } from "../base/dom.js";
import { number } from "../base/format.js";

const WIDTH = 440;
const HEIGHT = 58;
const EDGE = 26;
const LINE = 24;
const AIR = 0.12;
/** Labels nearer than this would touch. */
const APART = 40;

/** The picture of a claim that has an effect; null for one that has none. */
export function effectPicture({ effect, ci95, ci_holm: holm, claimed, measured, smallest_effect: least }) {
  if (effect === null) return null;
  const [from, to] = extent([0, effect, ...(ci95 ?? []), ...(holm ?? []), ...claimed]);
  const at = (value) => EDGE + ((WIDTH - 2 * EDGE) * (value - from)) / (to - from);
  const within = (value, open) => at(value === null ? open : Math.min(Math.max(value, from), to));
  const [left, right] = [within(claimed[0], from), within(claimed[1], to)];
  const bounds = claimed.filter((value) => value !== null && value !== 0);
  const crowded = bounds.some((value) => Math.abs(at(value) - at(0)) < APART);
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "effect", role: "img", "aria-label": said(effect, ci95, claimed) },
    svg("rect", { class: "claimed", x: left, y: LINE - 13, width: Math.max(right - left, 1), height: 26 }),
    svg("line", { class: "axis", x1: EDGE, x2: WIDTH - EDGE, y1: LINE, y2: LINE }),
    tick(at(0), crowded ? "" : "0"),
    bounds.map((value) => tick(at(value), number(value, 2))),
    holm ? svg("line", { class: "holm", x1: at(holm[0]), x2: at(holm[1]), y1: LINE, y2: LINE }) : null,
    ci95 ? svg("line", { class: "ci", x1: at(ci95[0]), x2: at(ci95[1]), y1: LINE, y2: LINE }) : null,
    svg("circle", { class: "mean", cx: at(effect), cy: LINE, r: 5 }),
  );
  const closed = bounds.length === 2;
  const margin = closed ? `within ${number(least, 3)} counts as equal` : `at least ${number(least, 3)} to matter`;
  const caption = [measured, least === null ? "" : margin].filter(Boolean).join("; ");
  return h("figure.effectbox", {}, drawing, h("figcaption.faint.small", {}, caption));
}

function extent(values) {
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const air = AIR * (high - low) || Math.abs(high) || 1;
  return [low - air, high + air];
}

const tick = (x, text) => [
  svg("line", { class: "axis", x1: x, x2: x, y1: LINE + 9, y2: LINE + 14 }),
  svg("text", { x, y: LINE + 27, "text-anchor": "middle" }, text),
];

function said(effect, ci95, [low, high]) {
  const interval = ci95 ? `, 95 % interval ${number(ci95[0], 3)} to ${number(ci95[1], 3)}` : "";
  const ends = [low === null ? "" : `at least ${number(low, 3)}`, high === null ? "" : `at most ${number(high, 3)}`];
  return `effect ${number(effect, 3)}${interval}; claimed: ${ends.filter(Boolean).join(" and ")}`;
}
