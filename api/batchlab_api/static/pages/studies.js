/** The studies as a gallery: a question each, a picture of what to expect, found by topic and by words. */

import { link } from "../base/address.js";
import { get } from "../base/api.js";
import { debounced, fill, h } from "../base/dom.js";
import { plural } from "../base/format.js";
import { push, replace, title } from "../base/router.js";
import { fixedFacts, variedFacts } from "../parts/facts.js";
import { bind } from "../parts/keys.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";
import { studyPicture } from "../parts/study-picture.js";

export function studiesPage() {
  const page = { query: {}, items: null, bar: filters(), body: h("div.studies", {}, skeleton(6)) };
  load(page);
  const unbind = bind({ "/": () => page.bar.focus() });
  const lead = "Each asks one question of a textbook, a lecture or a paper, and answers it by training.";
  return {
    node: h(
      "div.page",
      {},
      h("div.heading", {}, h("h1", {}, "Studies")),
      h("p.lead", {}, lead),
      page.bar.node,
      page.body,
    ),
    update(url) {
      title("Studies");
      page.query = url.query;
      show(page);
    },
    dispose: unbind,
  };
}

async function load(page) {
  try {
    page.items = (await get("/studies")).items;
    show(page);
  } catch (error) {
    fill(
      page.body,
      problemCard(error, () => load(page)),
    );
  }
}

function show(page) {
  if (!page.items) return;
  const kept = page.items.filter((study) => fits(study, page.query));
  page.bar.update(page.items, page.query, kept.length);
  fill(page.body, kept.length ? kept.map(card) : emptyCard("No study matches", "Try fewer words, or every topic."));
}

const SEARCHED = ["name", "title", "source", "question", "topic"];

const fits = (study, { _topic, _q }) =>
  (!_topic || study.topic === _topic) && words(_q).every((word) => textOf(study).includes(word));

const words = (text = "") => text.toLowerCase().split(/\s+/).filter(Boolean);
const textOf = (study) =>
  SEARCHED.map((key) => study[key] ?? "")
    .join(" ")
    .toLowerCase();

function filters() {
  const looks = { type: "search", placeholder: "Words, or figure 3.9", "aria-label": "Filter studies" };
  const typed = debounced((text) => replace({ _q: text }), 200);
  const input = h("input", { ...looks, oninput: () => typed(input.value) });
  const topics = h("span.topics", { role: "group", "aria-label": "Topics" });
  const found = h("span.faint.num", { role: "status" });
  return {
    node: h("div.toolbar", { role: "search" }, input, topics, found),
    focus: () => input.focus(),
    update(items, query, count) {
      if (document.activeElement !== input) input.value = query._q ?? "";
      const names = [...new Set(items.map(({ topic }) => topic))].filter(Boolean);
      fill(topics, ["", ...names].map((name) => topicButton(name, query._topic ?? "")));
      found.textContent = plural(count, "study", "studies");
    },
  };
}

const topicButton = (name, chosen) =>
  h(
    "button.toggle",
    { type: "button", "aria-pressed": String(name === chosen), onclick: () => push({ _topic: name }) },
    name || "all topics",
  );

const card = (study) =>
  h(
    "article.card.study",
    {},
    studyPicture(study),
    h("p.faint.source", {}, study.source),
    h("h2", {}, h("a", { href: link(["studies", study.name]) }, study.title)),
    h("p.question", {}, study.question),
    h(
      "p.facts",
      {},
      [...fixedFacts(study.spec), variedFacts(study.spec)].filter(Boolean).map((fact) => h("span.fact", {}, fact)),
    ),
    study.claims.length ? h("p.faint", {}, `${plural(study.claims.length, "claim")} to test`) : null,
  );
