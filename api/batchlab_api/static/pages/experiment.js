/** One experiment: its state above, and a tab below; both follow the training live. */

import { apiPath, link } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { percent } from "../base/format.js";
import { follow } from "../base/live.js";
import { title } from "../base/router.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { share } from "../parts/status.js";
import { analysesTab } from "./analyses.js";
import { cellStore } from "./cell-store.js";
import { cellsTab } from "./cells.js";
import { curvesTab } from "../curves/tab.js";
import { experimentHead } from "./experiment-head.js";
import { overviewTab } from "./overview.js";
import { plotsTab } from "./plots.js";
import { resultsTab } from "./results.js";
import { specTab } from "./spec.js";
import { verdictsTab } from "./verdicts.js";

const TABS = {
  "": ["Overview", overviewTab],
  curves: ["Curves", curvesTab],
  plots: ["Plots", plotsTab],
  results: ["Results", resultsTab],
  verdicts: ["Verdicts", verdictsTab],
  analyses: ["Analyses", analysesTab],
  cells: ["Cells", cellsTab],
  spec: ["Spec", specTab],
};

export function experimentPage(url) {
  const id = url.path[1];
  const page = { id, url, experiment: null, tab: null, cells: cellStore(id), node: h("div.page", {}, skeleton(6)) };
  page.head = experimentHead(page.cells, (experiment) => changed(page, experiment));
  page.tabs = h("nav.tabs", { "aria-label": "Views of the experiment" });
  page.below = h("div.tab");
  page.live = follow(id, {
    progress: (progress) => page.experiment && changed(page, { ...page.experiment, progress }),
    status: ({ status, error }) => told(page, status, error),
    gone: () => gone(page),
  });
  load(page);
  return {
    node: page.node,
    update: (now) => ((page.url = now), page.experiment && show(page)),
    dispose: () => dispose(page),
  };
}

function dispose(page) {
  page.disposed = true;
  page.live.stop();
  page.cells.stop();
  page.tab?.view.dispose();
}

/** Ask for the whole experiment: at first, and whenever its status has changed. */
async function load(page) {
  try {
    const experiment = await get(apiPath(["experiments", page.id]));
    if (!page.disposed) changed(page, experiment);
  } catch (error) {
    if (page.disposed || page.experiment) return;
    if (error.status === 404) gone(page);
    else
      fill(
        page.node,
        problemCard(error, () => load(page)),
      );
  }
}

function told(page, status, error) {
  if (!page.experiment || page.experiment.status === status) return;
  changed(page, { ...page.experiment, status, error });
  load(page);
}

function gone(page) {
  const back = h("a.button", { href: link(["experiments"]) }, "To the experiments");
  page.live.stop();
  fill(page.node, emptyCard("No such experiment", "It was deleted, or the address is not quite right.", back));
}

/** The experiment is now like this. */
function changed(page, experiment) {
  const first = page.experiment === null;
  const moved = page.experiment?.status !== experiment.status;
  page.experiment = experiment;
  if (first) fill(page.node, page.head.node, page.tabs, page.below);
  if (moved) page.live.again();
  page.head.update(experiment);
  page.cells.ask();
  rename(page);
  if (first) show(page);
  else page.tab?.view.changed(experiment);
}

function rename({ experiment }) {
  const running = ["running", "queued"].includes(experiment.status);
  title(running ? `${percent(share(experiment.progress))} · ${experiment.name}` : experiment.name);
}

const tabOf = (url) => url.path[2] ?? url.query._tab ?? "";

function show(page) {
  const name = tabOf(page.url) in TABS ? tabOf(page.url) : "";
  drawTabs(page, name);
  if (page.tab?.name !== name) {
    page.tab?.view.dispose();
    page.tab = { name, view: TABS[name][1](page.experiment, page.cells) };
    fill(page.below, page.tab.view.node);
  }
  page.tab.view.update(page.url, page.experiment);
}

function drawTabs(page, now) {
  const address = (name) =>
    name === "spec"
      ? link(["experiments", page.id], { _tab: "spec" })
      : link(["experiments", page.id, name].filter(Boolean));
  const entry = ([name, [word]]) => h("a", { href: address(name), "aria-current": name === now ? "page" : null }, word);
  fill(page.tabs, Object.entries(TABS).map(entry));
}
