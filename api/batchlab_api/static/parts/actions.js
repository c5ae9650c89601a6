/** What can be done to an experiment, as its status allows. */

import { apiPath, link } from "../base/address.js";
import { send } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { plural } from "../base/format.js";
import { go } from "../base/router.js";
import { menu } from "./menu.js";
import { askNumber, askText, confirmed } from "./dialog.js";
import { complain, toast } from "./toast.js";

const LIVE = ["queued", "running", "stalled", "paused"];
const ENDED = ["succeeded", "failed", "cancelled"];
const MOST_SEEDS = 1000;

const ACTIONS = [
  { name: "Pause", when: ["queued", "running", "stalled"], act: (e) => post(e, "pause") },
  { name: "Resume", when: ["paused"], act: (e) => post(e, "resume"), kind: "primary" },
  { name: "Cancel", when: LIVE, act: (e) => post(e, "cancel") },
  { name: "Retry", when: ["failed", "cancelled"], act: (e) => post(e, "retry"), kind: "primary", says: retried },
];
const MORE = [
  { name: "Add seeds…", when: [...LIVE, ...ENDED], act: addSeeds },
  { name: "Rename…", when: [...LIVE, ...ENDED], act: rename },
  { name: "Note…", when: [...LIVE, ...ENDED], act: annotate },
  { name: "New from this", when: [...LIVE, ...ENDED], act: (e) => go(link(["new"], { from: e.id })) },
  { name: "Delete…", when: ENDED, act: remove, kind: "danger" },
];

const post = (experiment, verb) => send("POST", apiPath(["experiments", experiment.id, verb]));
const patch = (experiment, body) => send("PATCH", apiPath(["experiments", experiment.id]), { body });

function retried(experiment) {
  const { failed, cancelled } = experiment.progress.cells;
  return `Runs again what failed or was cancelled: ${plural(failed + cancelled, "cell")}`;
}

async function addSeeds(experiment) {
  const add = await askNumber("Add seeds", "How many more seeds for every point of the sweep?", "Add", 1, MOST_SEEDS);
  return add === null ? null : send("POST", apiPath(["experiments", experiment.id, "seeds"]), { body: { add } });
}

async function rename(experiment) {
  const name = await askText("Rename", "Name", experiment.name);
  return name === null ? null : patch(experiment, { name });
}

async function annotate(experiment) {
  const note = await askText("Note", "Note", experiment.note, { long: true });
  return note === null ? null : patch(experiment, { note });
}

async function remove(experiment) {
  const text = `“${experiment.name}” and everything it measured will be gone.`;
  if (!(await confirmed("Delete this experiment?", text, "Delete"))) return null;
  await send("DELETE", apiPath(["experiments", experiment.id]));
  toast(`“${experiment.name}” deleted`);
  go(link(["experiments"]));
  return null;
}

/** Buttons that change with the status; `changed(experiment)` hears what the server then says. */
export function actionBar(changed) {
  const node = h("div.actions");
  let shown = "";
  return {
    node,
    update(experiment) {
      node.experiment = experiment;
      if (shown === experiment.status) return;
      shown = experiment.status;
      const allowed = (list) => list.filter(({ when }) => when.includes(experiment.status));
      const button = (action) => actionButton(action, node, changed);
      fill(node, allowed(ACTIONS).map(button), menu("More", allowed(MORE).map(button)));
    },
  };
}

function actionButton({ name, act, kind, says }, node, changed) {
  const button = h(kind ? `button.${kind}` : "button", { type: "button" }, name);
  if (says) button.title = says(node.experiment);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const now = await act(node.experiment);
      if (now) changed(now);
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}
