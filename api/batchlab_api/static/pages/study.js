/** One study: its question, picture, claims, plots and spec, what became of it before, and a form that starts it. */

import { apiPath, link, search } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h, keyed } from "../base/dom.js";
import { title } from "../base/router.js";
import { coloured } from "../parts/json-colour.js";
import { compact, tidy } from "../parts/json-text.js";
import { problemCard, skeleton } from "../parts/problem.js";
import { studyPicture } from "../parts/study-picture.js";
import { experimentRow } from "./experiment-row.js";
import { starter } from "./study-start.js";

const EARLIER = 20;

export function studyPage(url) {
  const name = url.path[1];
  const node = h("div.page", {}, skeleton(6));
  const page = { name, node, disposed: false };
  load(page);
  return { node, update: () => title(page.study?.title ?? name), dispose: () => (page.disposed = true) };
}

async function load(page) {
  try {
    page.study = await get(apiPath(["studies", page.name]));
    if (page.disposed) return;
    title(page.study.title);
    fill(page.node, content(page.study));
  } catch (error) {
    if (!page.disposed)
      fill(
        page.node,
        problemCard(error, () => load(page)),
      );
  }
}

function content(study) {
  return [
    h(
      "header.head",
      {},
      h("p.faint.source", {}, [study.source, study.topic].filter(Boolean).join(" · ")),
      h("h1", {}, study.title),
      h("p.lead.question", {}, study.question),
    ),
    h(
      "div.split",
      {},
      h(
        "div",
        {},
        study.doc.split(/\n\s*\n/).map((text) => h("p", {}, text)),
        expected(study),
        claims(study),
        earlier(study),
        spec(study),
      ),
      starter(study),
    ),
  ];
}

const expected = (study) =>
  h(
    "section",
    {},
    h("h2", {}, "What to expect"),
    study.links.picture ? h("figure.card.expected", {}, studyPicture(study)) : null,
    h("p.plotnames", {}, h("span.faint", {}, "Plots: "), listed(study.plots.map((name) => name.replace(/-/g, " ")))),
  );

const listed = (names) => names.map((name) => h("span.fact", {}, name));

const claims = ({ claims: list }) =>
  list.length
    ? h(
        "section",
        {},
        h("h2", {}, "Claims"),
        h(
          "ul.claims",
          {},
          list.map((claim) => h("li", {}, claim.text, h("span.faint", {}, ` ${claim.source}`))),
        ),
      )
    : null;

/** The experiments that were started from this study, newest first. */
function earlier(study) {
  const list = h("ul.experiments");
  const rows = keyed(
    list,
    ({ id }) => id,
    (item) => experimentRow(item),
  );
  const node = h("section", { hidden: true }, h("h2", {}, "Earlier experiments"), list);
  get(`/experiments${search({ q: study.name, limit: EARLIER })}`).then(({ items }) => {
    const mine = items.filter((item) => item.study === study.name);
    rows(mine);
    node.hidden = !mine.length;
  }, String);
  return node;
}

const spec = (study) =>
  h("section", {}, h("h2", {}, "Spec"), fill(h("pre.code", { tabindex: "0" }), coloured(compact(tidy(study.spec)))));
