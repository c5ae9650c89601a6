/** The first look at an experiment: its plots, and its headline curve while there is nothing to plot yet. */

import { link } from "../base/address.js";
import { h } from "../base/dom.js";
import { curvesFigure } from "../curves/headline.js";
import { plotFigures } from "./plots.js";

export function overviewTab(experiment, cells) {
  const curve = curvesFigure(experiment, cells);
  const plots = plotFigures(experiment, { most: 2 });
  const more = h(
    "p.faint",
    {},
    "More under ",
    h("a", { href: link(["experiments", experiment.id, "curves"]) }, "Curves"),
    ", ",
    h("a", { href: link(["experiments", experiment.id, "plots"]) }, "Plots"),
    " and ",
    h("a", { href: link(["experiments", experiment.id, "results"]) }, "Results"),
    ".",
  );
  return {
    node: h("div.overview", {}, curve.node, plots.node, more),
    update: () => undefined,
    changed(now) {
      curve.changed(now);
      plots.changed(now);
    },
    dispose() {
      curve.dispose();
      plots.dispose();
    },
  };
}
