/** The head of an experiment's page: name, status, progress, what may be done, and every cell as a small square. */

import { link } from "../base/address.js";
import { fill, h, say } from "../base/dom.js";
import { ago, count, duration, instant } from "../base/format.js";
import { actionBar } from "../parts/actions.js";
import { cellMap } from "../parts/cell-map.js";
import { fixedFacts, variedFacts } from "../parts/facts.js";
import { progressLine, statusChip, words } from "../parts/status.js";

/** `changed(experiment)` hears what an action led to. */
export function experimentHead(cells, changed) {
  const parts = {
    name: h("h1"),
    status: statusChip("queued"),
    actions: actionBar(changed),
    facts: h("p.facts"),
    note: h("p.notetext"),
    error: h("p.fault"),
    line: progressLine(),
    sentence: h("p.faint.num.sentence"),
    map: cellMap(cells),
  };
  const node = h(
    "header.head",
    {},
    h("div.heading", {}, parts.name, parts.status.node, parts.actions.node),
    parts.facts,
    parts.note,
    parts.error,
    h("div.state", {}, parts.line.node, parts.sentence),
    parts.map.node,
  );
  return { node, update: (experiment) => update(parts, experiment) };
}

function update(parts, experiment) {
  say(parts.name, experiment.name);
  parts.status.update(experiment.status);
  parts.actions.update(experiment);
  parts.line.node.hidden = Boolean(experiment.finished_at);
  parts.line.update(experiment.progress);
  say(parts.sentence, sentence(experiment));
  say(parts.note, experiment.note);
  say(parts.error, experiment.error ?? "");
  parts.map.update(experiment);
  showFacts(parts.facts, experiment);
}

function sentence({ status, progress, created_at, started_at, finished_at }) {
  const said = [`${count(progress.updates_done)} of ${count(progress.updates_total)} updates`, words(progress.cells)];
  if (status === "running" && progress.eta_seconds !== null) said.push(`${duration(progress.eta_seconds)} left`);
  if (started_at && finished_at)
    said.push(`took ${duration((Date.parse(finished_at) - Date.parse(started_at)) / 1000)}`);
  said.push(finished_at ? instant(finished_at) : `posted ${ago(created_at)}`);
  return said.join(" · ");
}

function showFacts(node, { id, spec, tags, study }) {
  const key = JSON.stringify([tags, study, spec.seeds]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  const facts = [...fixedFacts(spec), variedFacts(spec)].filter(Boolean);
  fill(
    node,
    facts.map((fact) => h("span.fact", {}, fact)),
    study ? h("a.tag", { href: link(["studies", study]) }, `study ${study}`) : null,
    tags.map((tag) => h("a.tag", { href: link(["experiments"], { tag }) }, tag)),
    h("a.tag.plain", { href: `/experiments/${encodeURIComponent(id)}` }, "JSON"),
  );
}
