/** System: the parts of the server, who works here, and how another worker joins. */

import { link } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { ago, duration, instant } from "../base/format.js";
import { poll } from "../base/poll.js";
import { title } from "../base/router.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { copy } from "../parts/toast.js";

const ASK_SECONDS = 3;
const JOIN =
  "BATCHLAB_DATABASE_URL=postgresql+psycopg://… \\\nBATCHLAB_BROKER_URL=redis://… \\\nbatchlab worker --queues cpu,gpu";

export function workersPage() {
  const health = h("div.parts");
  const workers = h("div", {}, skeleton(3));
  const asks = poll(
    (signal) => ask(health, workers, signal),
    ASK_SECONDS,
    (error) => {
      if (!workers.querySelector("table"))
        fill(
          workers,
          problemCard(error, () => asks.now()),
        );
    },
  );
  return {
    node: h(
      "div.page",
      {},
      h("div.heading", {}, h("h1", {}, "System")),
      health,
      h("h2", {}, "Workers"),
      workers,
      h("h2", {}, "One more worker"),
      join(),
      more(),
    ),
    update: () => title("System"),
    dispose: () => asks.stop(),
  };
}

async function ask(health, workers, signal) {
  const [{ items }, parts] = await Promise.all([get("/workers", { signal }), partsOf(signal)]);
  fill(health, Object.entries(parts).map(part));
  fill(workers, items.length ? table(items) : nobody());
}

/** The parts, whether they are well (200) or not (503: the problem carries them). */
async function partsOf(signal) {
  try {
    return (await get("/health/ready", { signal })).parts ?? {};
  } catch (error) {
    if (error.status !== 503) throw error;
    return error.parts ?? { server: { ok: false, detail: error.message } };
  }
}

const part = ([name, { ok, detail }]) =>
  h("div.card.part", { dataset: { ok: String(ok) } }, h("b", {}, ok ? "✓ " : "✕ ", name), h("span.faint", {}, detail));

const nobody = () =>
  emptyCard(
    "No worker has been heard of",
    "Experiments wait until one starts: `batchlab up` brings its own, and the command below adds more.",
  );

function table(items) {
  const heads = ["worker", "state", "trains", "device", "queues", "data", "heard of", "up"];
  return h(
    "div.scroll.card",
    {},
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, items.map(row)),
    ),
  );
}

function row(worker) {
  const state = worker.alive ? worker.state : "gone";
  const slice = worker.slice;
  return h(
    "tr",
    {},
    h("td", {}, h("code", {}, worker.worker)),
    h("td", {}, h("span.worker", { dataset: { state } }, h("i.dot"), state)),
    h(
      "td",
      {},
      slice
        ? h(
            "a",
            { href: link(["experiments", slice.experiment]) },
            slice.experiment,
            slice.phase ? ` · ${slice.phase}` : "",
          )
        : "–",
    ),
    h("td", {}, worker.device),
    h("td", {}, worker.queues.join(", ")),
    h("td.wrap.faint", {}, worker.datasets.join(", ")),
    h("td.num", { title: instant(worker.last_heartbeat) }, ago(worker.last_heartbeat)),
    h("td.num", {}, worker.alive ? duration((Date.now() - Date.parse(worker.started_at)) / 1000) : "–"),
  );
}

const join = () =>
  h(
    "section.card",
    {},
    h(
      "p",
      {},
      "Any machine that sees the database and the broker can help: workers share nothing else. On a cluster, " +
        "let the scheduler run this command; being stopped at any moment costs at most a few seconds of work.",
    ),
    h("pre.code", {}, JOIN),
    h("p.actions", {}, h("button", { type: "button", onclick: () => copy(JOIN, "Command") }, "Copy")),
  );

const more = () =>
  h(
    "p.faint",
    {},
    "For scripts: ",
    h("a", { href: "/docs" }, "the API"),
    ". For Prometheus: ",
    h("a", { href: "/metrics" }, "metrics"),
    ".",
  );
