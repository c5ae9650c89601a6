/** A new experiment: its spec as JSON, what it would cost, and every fault at its place. */

import { apiPath, link } from "../base/address.js";
import { freshKey, get, send } from "../base/api.js";
import { debounced, fill, h, say } from "../base/dom.js";
import { go, title } from "../base/router.js";
import { editor } from "../parts/editor.js";
import { placeOf, syntaxFault } from "../parts/json-places.js";
import { compact, tidy } from "../parts/json-text.js";
import { planLine } from "../parts/plan.js";
import { problemCard, skeleton } from "../parts/problem.js";
import { run } from "../parts/run.js";
import { curl, python } from "../parts/snippets.js";
import { complain, copy } from "../parts/toast.js";

const CHECK_MILLISECONDS = 350;
const EXAMPLE = {
  name: "batch sizes on sectors",
  tags: [],
  dataset: { kind: "sectors" },
  model: { kind: "softmax" },
  batch_sizes: [4, 16, 64, "10%", "full"],
  lr: { rule: "fixed", base: 0.5 },
  momentum: 0.0,
  budget: { epochs: 100 },
  seeds: 3,
};

export function newPage() {
  const page = { node: h("div.page.new", {}, skeleton(8)), key: freshKey(), faults: [], turn: 0 };
  return { node: page.node, update: (now) => update(page, now), dispose: () => (page.disposed = true) };
}

function update(page, url) {
  title("New experiment");
  const from = url.query.from ?? "";
  if (from === page.from) return;
  page.from = from;
  open(page);
}

async function open(page) {
  try {
    const spec = await begun(page.from);
    if (!page.disposed) build(page, compact(tidy(spec)));
  } catch (error) {
    if (!page.disposed)
      fill(
        page.node,
        problemCard(error, () => open(page)),
      );
  }
}

/** What the page begins with: a study's spec, an experiment's, or a small example. */
async function begun(from) {
  if (!from) return EXAMPLE;
  const [kind, name] = from.startsWith("study:") ? ["studies", from.slice(6)] : ["experiments", from];
  return (await get(apiPath([kind, name]))).spec;
}

function build(page, text) {
  const later = debounced(() => check(page), CHECK_MILLISECONDS);
  page.editor = editor(text, () => {
    page.key = freshKey(); // another text is another experiment; the same text pressed twice is one
    later();
  });
  page.plan = planLine();
  page.list = h("ul.faults", { id: "faults" });
  page.state = h("p.faint", { role: "status" });
  page.button = h("button.primary", { type: "button", onclick: () => start(page) }, "Run");
  page.editor.node.addEventListener(
    "keydown",
    (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && start(page),
  );
  fill(
    page.node,
    h("div.heading", {}, h("h1", {}, "New experiment"), studyChoice()),
    h("div.split", {}, page.editor.node, side(page)),
  );
  check(page);
}

const side = (page) =>
  h(
    "aside.card.sticky",
    { "aria-label": "Plan" },
    h("h2", {}, "Plan"),
    page.plan.node,
    page.state,
    page.list,
    h(
      "p.actions",
      {},
      page.button,
      button("Copy curl", () => curl(page.editor.text())),
      button("Copy Python", () => python(page.editor.text())),
    ),
    h(
      "p.faint",
      {},
      "Lists in batch_sizes, lr, momentum and the optimizer's numbers are axes: their product is trained. ",
      h("a", { href: "/schema/experiment.json" }, "The schema"),
      " tells every key.",
    ),
  );

const button = (text, what) =>
  h("button", { type: "button", onclick: () => copy(what(), text.replace("Copy ", "")) }, text);

/** Begin from a study instead. */
function studyChoice() {
  const choice = h(
    "select.from",
    { "aria-label": "Begin from a study" },
    h("option", { value: "" }, "Begin from a study…"),
  );
  choice.addEventListener("change", () => choice.value && go(link(["new"], { from: `study:${choice.value}` })));
  get("/studies").then(
    ({ items }) => choice.append(...items.map(({ name, title: text }) => h("option", { value: name }, text))),
    complain,
  );
  return choice;
}

/** Ask what the text would cost. Faults are shown at their place; the cursor stays where the reader types. */
async function check(page) {
  const turn = (page.turn += 1);
  const text = page.editor.text();
  const broken = syntaxFault(text);
  if (broken) return show(page, [{ ...broken, where: "JSON" }]);
  try {
    const plan = await send("POST", "/experiments?dry_run=true", { body: text });
    if (turn !== page.turn || page.disposed) return true;
    page.plan.show(plan);
    return show(page, []);
  } catch (error) {
    if (turn === page.turn && !page.disposed) refused(page, text, error);
    return false;
  }
}

function refused(page, text, error) {
  const faults = (error.errors ?? []).map((fault) => ({
    ...placeOf(text, fault),
    msg: fault.msg,
    where: fault.loc.join(".") || "spec",
  }));
  show(page, faults);
  if (!faults.length) say(page.state, error.message);
}

function show(page, faults) {
  page.faults = faults.sort((a, b) => a.from - b.from);
  page.editor.mark(faults);
  if (faults.length) page.plan.clear();
  say(page.state, faults.length ? "Nothing can run before this is mended:" : "Ready to run.");
  fill(
    page.list,
    faults.map((fault) =>
      h(
        "li",
        {},
        h(
          "button.faultlink",
          { type: "button", onclick: () => page.editor.goTo(fault) },
          h("code", {}, fault.where),
          ` ${fault.msg}`,
        ),
      ),
    ),
  );
  return !faults.length;
}

/** Run the text as it is now; where it is refused the cursor goes to the first fault. */
async function start(page) {
  const text = page.editor.text();
  const broken = syntaxFault(text);
  if (broken) show(page, [{ ...broken, where: "JSON" }]);
  else
    await run("/experiments", text, { key: page.key, button: page.button }).catch((error) =>
      refused(page, text, error),
    );
  if (page.faults.length) page.editor.goTo(page.faults[0]);
}
