/** The headline curve on the overview; whatever the reader does to it goes on in the Curves tab. */

import { go } from "../base/router.js";
import { headline } from "./options.js";
import { curvesPanel } from "./panel.js";
import { curvesAddress } from "./tab.js";

export function curvesFigure(experiment, cells) {
  const query = { metrics: headline(experiment)[0] };
  const panel = curvesPanel(experiment, cells, (changes) => go(curvesAddress(experiment.id, { ...query, ...changes })));
  panel.update(query);
  return panel;
}
