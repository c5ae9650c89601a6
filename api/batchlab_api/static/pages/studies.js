/** The studies: presets with a question, a source and claims. */

import { link } from "../base/address.js";
import { get } from "../base/api.js";
import { fill, h } from "../base/dom.js";
import { plural } from "../base/format.js";
import { title } from "../base/router.js";
import { fixedFacts, variedFacts } from "../parts/facts.js";
import { emptyCard, problemCard, skeleton } from "../parts/problem.js";

export function studiesPage() {
  const body = h("div.studies", {}, skeleton(6));
  load(body);
  return {
    node: h(
      "div.page",
      {},
      h("div.heading", {}, h("h1", {}, "Studies")),
      h("p.lead", {}, "Each asks one question of a textbook or a paper, and answers it by training."),
      body,
    ),
    update: () => title("Studies"),
    dispose: () => undefined,
  };
}

async function load(body) {
  try {
    const { items } = await get("/studies");
    fill(body, items.length ? items.map(card) : emptyCard("No study here", "This server brings none."));
  } catch (error) {
    fill(
      body,
      problemCard(error, () => load(body)),
    );
  }
}

const card = (study) =>
  h(
    "article.card.study",
    {},
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
