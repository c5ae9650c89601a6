/** The pointer over a chart: a hair with the nearest values, and a brush along x that zooms. */

import { h } from "../base/dom.js";

const LEAST = 6;

/**
 * `on`: hover(x value or null, y value), zoom(from, to), out(). The overlay lies over the chart's box and knows only
 * the plane that `plane()` gives.
 */
export function pointer(plane, on) {
  const hair = h("i.hair", { hidden: true });
  const brush = h("i.brush", { hidden: true });
  const node = h("div.overlay", {}, hair, brush);
  const state = { plane, on, hair, brush, node, from: null };
  node.addEventListener("pointerdown", (event) => begin(state, event));
  node.addEventListener("pointermove", (event) => move(state, event));
  node.addEventListener("pointerup", (event) => end(state, event));
  node.addEventListener("pointercancel", () => stop(state));
  node.addEventListener("pointerleave", () => leave(state));
  node.addEventListener("dblclick", () => on.out());
  return node;
}

/** Where the pointer is in the plane, kept inside it; null before there is a picture. */
function place({ plane, node }, event) {
  const area = plane();
  if (!area) return null;
  const box = node.getBoundingClientRect();
  const px = Math.min(Math.max(event.clientX - box.left - area.left, 0), area.width);
  const py = Math.min(Math.max(event.clientY - box.top - area.top, 0), area.height);
  return { area, px, x: area.x.invert(px), y: area.y.invert(py) };
}

function begin(state, event) {
  const at = event.button === 0 ? place(state, event) : null;
  if (!at) return;
  state.from = at;
  state.node.setPointerCapture(event.pointerId);
}

function move(state, event) {
  const at = place(state, event);
  if (!at) return;
  span(state.hair, at.area, at.px, at.px);
  if (state.from) span(state.brush, at.area, state.from.px, at.px);
  else state.on.hover(at.x, at.y);
}

function span(node, area, one, other) {
  node.hidden = false;
  node.style.left = `${area.left + Math.min(one, other)}px`;
  node.style.width = `${Math.abs(one - other)}px`;
  node.style.top = `${area.top}px`;
  node.style.height = `${area.height}px`;
}

function end(state, event) {
  const [from, at] = [state.from, place(state, event)];
  stop(state);
  if (!from || !at || Math.abs(at.px - from.px) < LEAST) return;
  state.on.zoom(Math.min(from.x, at.x), Math.max(from.x, at.x));
}

function stop(state) {
  state.from = null;
  state.brush.hidden = true;
}

function leave(state) {
  if (state.from) return;
  state.hair.hidden = true;
  state.on.hover(null, null);
}
