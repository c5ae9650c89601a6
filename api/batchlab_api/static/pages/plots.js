/** The server's plots: one definition for the page, the picture for a paper and the file for a colleague. */

import { apiPath } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h, keyed } from "../base/dom.js";
import { paced } from "../base/paced.js";
import { draw } from "../curves/vega.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { shown as theme } from "../parts/theme.js";

const LEAST_SECONDS = 4;
/** An experiment may have fifty plots: only those on the screen, or nearly so, are asked for. */
const NEAR = "400px";
const FORMATS = ["svg", "png", "pdf", "html", "json"];

export function plotsTab(experiment) {
  const figures = plotFigures(experiment, {});
  return { ...figures, update: () => undefined };
}

/** The first `most` plots, drawn anew when more is known. */
export function plotFigures(experiment, { most = Infinity }) {
  const abort = new AbortController();
  const list = h("div.plots");
  const below = h("div", {}, skeleton(4));
  const plots = new Set();
  const rows = keyed(
    list,
    ({ name }) => name,
    (info) => tracked(plots, plotFigure(experiment.id, info, abort.signal)),
  );
  const state = { experiment, most, below, rows, plots, signal: abort.signal };
  const pace = paced(() => refresh(state), LEAST_SECONDS);
  const redraw = () => plots.forEach((plot) => plot.draw());
  window.addEventListener("theme", redraw);
  pace.ask();
  return {
    node: h("div", {}, list, below),
    changed: (now) => ((state.experiment = now), pace.ask()),
    dispose() {
      window.removeEventListener("theme", redraw);
      abort.abort();
      pace.stop();
      plots.forEach((plot) => plot.dispose());
    },
  };
}

const tracked = (plots, plot) => (plots.add(plot), plot);

async function refresh({ experiment, most, below, rows, plots, signal }) {
  try {
    const { items } = await get(apiPath(["experiments", experiment.id, "plots"]), { signal });
    rows(items.slice(0, most));
    fill(
      below,
      items.length ? null : emptyCard("No plot fits", "Plots over the batch size need more than one of them."),
    );
    await Promise.all([...plots].map((plot) => plot.draw()));
  } catch (error) {
    if (!signal.aborted && !plots.size) fill(below, problemCard(error));
  }
}

function plotFigure(id, info, signal) {
  const state = {
    id,
    name: info.name,
    signal,
    drawn: null,
    near: false,
    result: null,
    box: h("div.plotbox", {}, skeleton(4)),
    fault: h("div"),
  };
  const links = FORMATS.map((format) =>
    h(
      "a",
      { href: info.links[format] ?? `${path(state)}.${format}`, download: `${info.name}.${format}` },
      format.toUpperCase(),
    ),
  );
  const node = h(
    "figure.plot.card",
    { id: info.name },
    h("figcaption", {}, h("h3.sr", {}, info.title), h("span.downloads", {}, h("span.faint", {}, "Download "), links)),
    state.box,
    state.fault,
  );
  const watch = new IntersectionObserver(([entry]) => seen(state, entry.isIntersecting), { rootMargin: NEAR });
  watch.observe(node);
  return {
    node,
    update: () => undefined,
    draw: () => state.near && refreshPlot(state),
    dispose: () => (watch.disconnect(), state.result?.finalize()),
  };
}

function seen(state, near) {
  state.near = near;
  if (near) refreshPlot(state);
}

const path = ({ id, name }) => apiPath(["experiments", id, "plots", name]);

async function refreshPlot(state) {
  try {
    const spec = await get(`${path(state)}.json?theme=${theme()}&width=${widthOf(state.box)}`, {
      signal: state.signal,
    });
    if (spec === state.drawn) return;
    const fresh = h("div");
    const result = await draw(fresh, { ...spec, background: null }, { renderer: "svg" });
    state.result?.finalize();
    Object.assign(state, { drawn: spec, result });
    fill(state.box, fresh);
    fill(state.fault);
  } catch (error) {
    if (!state.signal.aborted && !state.drawn) fill(state.fault, problemCard(error));
  }
}

/** In steps, so that a window being resized does not ask for a hundred widths. */
const widthOf = (box) => Math.min(900, Math.max(280, Math.floor(box.getBoundingClientRect().width / 20) * 20));
