/** Starts experiments, and goes to watch them. */

import { freshKey, send } from "../base/api.js";
import { link } from "../base/address.js";
import { go } from "../base/router.js";
import { complain, toast } from "./toast.js";

const EXAMPLE = "/studies/grad-norm-vs-batch/experiments";

/** Post to `path`, once however often the button is pressed, and open what was started. */
export async function run(path, body, { key = freshKey(), button } = {}) {
  if (button) button.disabled = true;
  try {
    const started = await send("POST", path, { body, key });
    started.warnings.forEach((warning) => toast(warning, "warn"));
    go(link(["experiments", started.id]));
    return started;
  } finally {
    if (button) button.disabled = false;
  }
}

/** A study so small that it ends within seconds. */
export const runExample = (button) => run(EXAMPLE, { size: "smoke" }, { button }).catch(complain);
