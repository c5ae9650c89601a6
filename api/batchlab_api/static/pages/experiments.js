/** Home: every experiment with its status and progress, found by name, status and tag. */

import { get } from "../base/api.js";
import { debounced, fill, h, keyed } from "../base/dom.js";
import { changed, link, search, sent } from "../base/address.js";
import { poll } from "../base/poll.js";
import { push, replace, title } from "../base/router.js";
import { bind } from "../parts/keys.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { runExample } from "../parts/run.js";
import { MOST } from "../compare/page.js";
import { experimentRow } from "./experiment-row.js";

const ASK_SECONDS = 3;
const STATUSES = ["running", "queued", "stalled", "paused", "succeeded", "failed", "cancelled"];

export function experimentsPage() {
  const page = { url: null, poll: null, filters: filters(), list: h("ul.experiments") };
  page.marks = new Map();
  page.rows = keyed(
    page.list,
    ({ id }) => id,
    (item) => marked(page, item),
  );
  page.compare = h("div.comparebar", { hidden: true });
  page.below = h("div.below");
  page.node = h("div.page", {}, heading(), page.filters.node, page.compare, page.list, page.below);
  fill(page.below, skeleton(5));
  const unbind = bind({ "/": () => page.filters.focus() });
  return {
    node: page.node,
    update: (url) => update(page, url),
    dispose: () => (page.poll?.stop(), unbind()),
  };
}

function marked(page, item) {
  const row = experimentRow(item, (id, chosen) => choose(page, id, chosen));
  page.marks.set(item.id, row.mark);
  return row;
}

const chosenOf = (page) => (page.url.query._sel ?? "").split(",").filter(Boolean);

/** What is marked stands in the address, in the order in which it was marked. */
function choose(page, id, chosen) {
  const others = chosenOf(page).filter((other) => other !== id);
  replace({ _sel: (chosen ? [...others, id] : others).join() });
}

function showChosen(page) {
  const ids = chosenOf(page);
  page.marks.forEach((mark, id) => mark(ids.includes(id)));
  page.compare.hidden = !ids.length;
  const enough = ids.length > 1 && ids.length <= MOST;
  const words = ids.length < 2 ? "Mark one more to compare" : `At most ${MOST} can be compared`;
  fill(
    page.compare,
    enough
      ? h("a.button.primary", { href: link(["compare"], { ids: ids.join() }) }, `Compare ${ids.length} experiments`)
      : h("span.faint", {}, words),
    h("button.quiet", { type: "button", onclick: () => replace({ _sel: "" }) }, "Clear"),
  );
}

const heading = () =>
  h(
    "div.heading",
    {},
    h("h1", {}, "Experiments"),
    h("a.button", { href: link(["studies"]) }, "Run a study"),
    h("a.button.primary", { href: link(["new"]) }, "New experiment"),
  );

function update(page, url) {
  title("");
  page.url = url;
  page.filters.update(url.query);
  showChosen(page);
  page.poll?.stop();
  page.poll = poll(
    (signal) => ask(page, signal),
    ASK_SECONDS,
    (error) => show(page, null, error),
  );
}

/** As many pages as the reader has opened; a cursor in the address is where the first begins. */
async function ask(page, signal) {
  const items = [];
  let next = page.url.query.cursor ?? "";
  for (let i = 0; i < pages(page) && next !== null; i += 1) {
    const query = { ...sent(page.url.query), cursor: next };
    const answer = await get(`/experiments${search(query)}`, { signal });
    items.push(...answer.items);
    next = answer.next;
  }
  show(page, { items, next });
}

const pages = (page) => Number(page.url.query._pages) || 1;

function show(page, answer, error) {
  if (error) {
    // What is shown stays readable while the server is away; the frame says that it is.
    if (!page.list.childElementCount)
      fill(
        page.below,
        problemCard(error, () => page.poll.now()),
      );
    return;
  }
  page.rows(answer.items);
  showChosen(page);
  fill(page.below, answer.items.length ? more(page, answer.next) : nothing(page.url.query));
}

const more = (page, next) =>
  next === null ? null : h("button", { type: "button", onclick: () => replace({ _pages: pages(page) + 1 }) }, "More");

function nothing(query) {
  if (query.q || query.status || query.tag) {
    const clear = h("a.button", { href: changed({ q: "", status: "", tag: "", cursor: "" }) }, "Show all");
    return emptyCard("No experiment matches", "None has that name, status and tag together.", clear);
  }
  const example = h("button.primary", { type: "button", onclick: () => runExample(example) }, "Run a short example");
  const study = h("a.button", { href: link(["studies"]) }, "Choose a study");
  return emptyCard(
    "Nothing here yet",
    "An experiment trains one model at many batch sizes, rates and seeds.",
    example,
    study,
  );
}

function filters() {
  const typed = debounced((q) => replace({ q, cursor: "", _pages: "" }), 250);
  const name = h("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name" });
  name.addEventListener("input", () => typed(name.value));
  const options = STATUSES.map((status) => h("option", { value: status }, status));
  const status = h("select", { "aria-label": "Status" }, h("option", { value: "" }, "any status"), options);
  status.addEventListener("change", () => push({ status: status.value, cursor: "", _pages: "" }));
  const tag = h("span.tagfilter");
  return {
    node: h("div.toolbar", { role: "search" }, name, status, tag),
    focus: () => name.focus(),
    update(query) {
      if (document.activeElement !== name) name.value = query.q ?? "";
      status.value = query.status ?? "";
      fill(tag, query.tag ? tagChip(query.tag) : null);
    },
  };
}

const tagChip = (tag) =>
  h(
    "a.chip.on",
    { href: changed({ tag: "", cursor: "" }), title: "Show every tag" },
    tag,
    h("span", { "aria-hidden": "true" }, " ×"),
  );
