/** Figures and their legend, kept up to date: asked for anew while cells train, left alone while the reader zooms. */

import { apiPath, search } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h, say } from "../base/dom.js";
import { count } from "../base/format.js";
import { paced } from "../base/paced.js";
import { emptyCard, problemCard } from "../parts/problem.js";
import { figure } from "./figure.js";
import { legend } from "./legend.js";
import { drawn, options, request } from "./options.js";

const LEAST_SECONDS = 1;
/** Points of all lines together, and of one. */
const POINTS_IN_ALL = 32000;
const LEAST_POINTS = 100;
const MOST_POINTS = 1000;

/** `change(changes)` hears of what the reader does, as changes of the address. */
export function curvesPanel(experiment, cells, change) {
  const abort = new AbortController();
  const panel = { experiment, cells, change, query: null, figures: new Map(), error: h("div"), signal: abort.signal };
  panel.legend = legend({ hot: (key) => hot(panel, key), isolate: (keys) => change({ _iso: keys.join(",") }) });
  panel.pill = h("button.pill", { type: "button", hidden: true, onclick: () => change({ from: "", to: "" }) });
  panel.note = h("p.notes.faint");
  panel.stack = h("div.figures");
  panel.node = h(
    "div.curves",
    {},
    h("div.main", {}, panel.error, panel.pill, panel.note, panel.stack),
    panel.legend.node,
  );
  panel.pace = paced(() => refresh(panel), LEAST_SECONDS);
  const redraw = () => draw(panel);
  window.addEventListener("theme", redraw);
  const unlisten = cells.listen(() => panel.series || panel.pace.ask());
  return {
    node: panel.node,
    options: () => (cells.items ? options(panel.query, panel.experiment, cells.items) : null),
    update: (query) => update(panel, query),
    changed: (now) => changed(panel, now),
    dispose() {
      window.removeEventListener("theme", redraw);
      unlisten();
      abort.abort();
      panel.pace.stop();
      panel.figures.forEach((one) => one.dispose());
    },
  };
}

function update(panel, query) {
  panel.query = query;
  if (!isZoomed(panel)) resume(panel);
  // A choice about looks shows at once; for other numbers the picture waits for them.
  if (panel.series && wanted(panel).path === panel.path) draw(panel);
  else panel.pace.now();
}

const isZoomed = ({ query }) => Boolean(query.from || query.to);

function resume(panel) {
  panel.frozenAt = null;
  panel.pill.hidden = true;
}

/** While zoomed the picture stands still, and a pill says what came since. */
function changed(panel, experiment) {
  panel.experiment = experiment;
  if (!isZoomed(panel)) {
    panel.pace.ask();
    return;
  }
  const done = experiment.progress.updates_done;
  panel.frozenAt ??= done;
  panel.pill.hidden = done <= panel.frozenAt;
  say(panel.pill, `${count(done - panel.frozenAt)} new updates — follow`);
}

/** What the choices ask of the server: { picked, path }. */
function wanted({ query, experiment, cells }) {
  const chosen = options(query, experiment, cells.items);
  const picked = drawn(cells.items, chosen);
  const share = Math.floor(POINTS_IN_ALL / Math.max(picked.lines * chosen.metrics.length, 1));
  const points = Math.max(LEAST_POINTS, Math.min(MOST_POINTS, share));
  const base = apiPath(["experiments", experiment.id, "curves"]);
  return { picked, path: `${base}${search(request(chosen, picked, points))}` };
}

async function refresh(panel) {
  if (!panel.cells.items || !panel.query) return;
  const { picked, path } = wanted(panel);
  try {
    const answer = await get(path, { signal: panel.signal });
    if (answer === panel.answer || path !== wanted(panel).path) return;
    Object.assign(panel, { answer, picked, path, series: answer.series });
    fill(panel.error);
    draw(panel);
  } catch (error) {
    // What is drawn stays; a picture that could never be drawn says why.
    if (!panel.signal.aborted && (error.status || !panel.series)) fill(panel.error, problemCard(error, panel.pace.now));
  }
}

function draw(panel) {
  if (!panel.series) return;
  const chosen = options(panel.query, panel.experiment, panel.cells.items);
  const figures = chosen.metrics.map((metric) => figureOf(panel, metric));
  arrange(panel, figures);
  figures.forEach((one, i) => {
    const series = panel.series.filter(({ metric }) => metric === chosen.metrics[i]);
    one.show(series, chosen);
  });
  panel.legend.update(figures[0]?.lines() ?? [], chosen);
  say(panel.note, noteOf(panel.picked));
}

function noteOf({ lines, all }) {
  return lines < all ? `${lines} of ${all} lines are drawn, evenly spaced: choose fewer cells to see each.` : "";
}

function figureOf(panel, metric) {
  if (!panel.figures.has(metric)) {
    const zoom = (from, to) => panel.change({ from: rounded(from, to - from), to: rounded(to, to - from) });
    const unit = panel.experiment.metrics[metric];
    panel.figures.set(metric, figure(metric, unit, { zoom, out: () => panel.change({ from: "", to: "" }) }));
  }
  return panel.figures.get(metric);
}

/** A number short enough for an address: a thousandth of the span is as fine as the eye. */
function rounded(value, span) {
  const places = Math.max(0, Math.min(12, 3 - Math.floor(Math.log10(span))));
  return String(Number(value.toFixed(places)));
}

function arrange(panel, figures) {
  for (const [metric, one] of panel.figures) {
    if (!figures.includes(one)) (one.dispose(), panel.figures.delete(metric));
  }
  const nodes = figures.map(({ node }) => node);
  const nothing = !panel.series.length;
  if (nothing) return fill(panel.stack, waiting(panel.experiment));
  if (nodes.some((node, i) => panel.stack.children[i] !== node) || panel.stack.childElementCount !== nodes.length)
    fill(panel.stack, nodes);
  return undefined;
}

const waiting = ({ status }) =>
  ["queued", "stalled"].includes(status)
    ? emptyCard("No curve yet", "Curves appear here within seconds of the first update.")
    : emptyCard("No curve here", "No cell with this choice has measured these metrics yet.");

function hot(panel, key) {
  const chosen = options(panel.query, panel.experiment, panel.cells.items);
  panel.figures.forEach((one) => one.focus(key ? [key] : chosen.isolated));
}
