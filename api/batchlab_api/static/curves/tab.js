/** The Curves tab: `/#/experiments/ID/curves?…` shows what `/experiments/ID/curves?…` returns. */

import { link } from "../base/address.js";
import { h } from "../base/dom.js";
import { push, replace } from "../base/router.js";
import { bind } from "../parts/keys.js";
import { exportMenu } from "./export.js";
import { unsaid } from "./options.js";
import { curvesPanel } from "./panel.js";
import { toolbar } from "./toolbar.js";

export function curvesTab(experiment, cells) {
  const bar = toolbar(push);
  const panel = curvesPanel(experiment, cells, push);
  const tab = { experiment, query: {} };
  const redraw = () => panel.options() && bar.update(tab.experiment, panel.options(), cells.items);
  const complete = () => {
    const missing = cells.items ? unsaid(tab.query, tab.experiment, cells.items) : {};
    if (Object.keys(missing).length) replace(missing);
  };
  const unlisten = cells.listen(() => tab.ready && (redraw(), complete()));
  const unbind = bind(keys(tab));
  return {
    node: h("div", {}, h("div.curvetop", {}, bar.node, exportMenu()), panel.node),
    update(url, now) {
      Object.assign(tab, { experiment: now, query: url.query, ready: true });
      panel.update(url.query);
      redraw();
      complete();
    },
    changed(now) {
      tab.experiment = now;
      panel.changed(now);
    },
    dispose() {
      unlisten();
      unbind();
      panel.dispose();
    },
  };
}

const keys = (tab) => ({
  l: () => push({ _y: tab.query._y === "log" ? "" : "log" }),
  k: () => push({ _xs: tab.query._xs === "log" ? "" : "log", from: "", to: "" }),
  Backspace: () => tab.query.from && history.back(),
  Escape: () => tab.query._iso && push({ _iso: "" }),
});

/** Where the same choices are shown with a toolbar. */
export const curvesAddress = (id, query) => link(["experiments", id, "curves"], query);
