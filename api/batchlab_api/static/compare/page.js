/** Several experiments beside each other: where their specs differ, their results, their curves. All in the address. */

import { apiPath, link } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { title } from "../base/router.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { statusChip } from "../parts/status.js";
import { curvesOver } from "./curves.js";
import { resultsBeside } from "./results.js";
import { specDifferences } from "./specs.js";

/** More than these beside each other cannot be read. */
export const MOST = 6;

export function comparePage() {
  const page = { node: h("div.page", {}, skeleton(6)), ids: null, curves: null, disposed: false };
  return { node: page.node, update: (url) => update(page, url), dispose: () => dispose(page) };
}

function dispose(page) {
  page.disposed = true;
  page.curves?.dispose();
}

function update(page, url) {
  title("Compare");
  page.query = url.query;
  const ids = (url.query.ids ?? "").split(",").filter(Boolean).slice(0, MOST);
  if (ids.join() === page.ids?.join()) return page.all && show(page);
  page.ids = ids;
  return load(page);
}

async function load(page) {
  const ids = page.ids;
  if (ids.length < 2) return fill(page.node, heading([]), nothing());
  try {
    const all = await Promise.all(ids.map(one));
    if (page.disposed || ids !== page.ids) return null;
    page.all = named(all);
    page.curves?.dispose();
    page.curves = curvesOver(page.all);
    return show(page);
  } catch (error) {
    return fill(
      page.node,
      problemCard(error, () => load(page)),
    );
  }
}

async function one(id) {
  const base = ["experiments", id];
  const [experiment, results] = await Promise.all([get(apiPath(base)), get(apiPath([...base, "results"]))]);
  return { ...experiment, results };
}

/** Equal names are told apart by their ids. */
function named(all) {
  const twice = (name) => all.filter((other) => other.name === name).length > 1;
  return all.map((one) => ({ ...one, label: twice(one.name) ? `${one.name} (${one.id.slice(0, 5)})` : one.name }));
}

function show(page) {
  page.curves.update(page.query);
  fill(
    page.node,
    heading(page.all),
    h("section", {}, h("h2", {}, "Where their specs differ"), specDifferences(page.all)),
    h("section", {}, h("h2", {}, "Results"), resultsBeside(page.all, page.query)),
    h("section", {}, h("h2", {}, "Curves"), page.curves.node),
  );
}

const heading = (all) => [
  h("div.heading", {}, h("h1", {}, "Compare")),
  all.length ? h("ul.compared", {}, all.map(entry)) : null,
];

const entry = (experiment) =>
  h(
    "li",
    {},
    h("a", { href: link(["experiments", experiment.id]) }, experiment.label),
    statusChip(experiment.status).node,
  );

const nothing = () =>
  emptyCard(
    "Choose at least two experiments",
    `Mark them in the list, up to ${MOST}; the first is what the others are compared with.`,
    h("a.button.primary", { href: link(["experiments"]) }, "To the experiments"),
  );
