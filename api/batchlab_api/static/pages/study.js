/** One study: its question, claims and spec, and a form that starts it, smaller or changed. */

import { apiPath, link } from "../base/address.js";
import { freshKey, get, send } from "../base/api.js";
import { debounced, fill, h, say } from "../base/dom.js";
import { title } from "../base/router.js";
import { coloured } from "../parts/json-colour.js";
import { compact, tidy } from "../parts/json-text.js";
import { planLine } from "../parts/plan.js";
import { problemCard, skeleton } from "../parts/problem.js";
import { run } from "../parts/run.js";

const CHECK_MILLISECONDS = 400;

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
      h("p.faint.source", {}, study.source),
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
        claims(study),
        spec(study),
      ),
      starter(study),
    ),
  ];
}

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

const spec = (study) =>
  h("section", {}, h("h2", {}, "Spec"), fill(h("pre.code", { tabindex: "0" }), coloured(compact(tidy(study.spec)))));

function starter(study) {
  const form = { study, key: freshKey(), plan: planLine(), fault: h("p.fault", { role: "alert" }) };
  form.size = sizes(study.sizes, () => check(form));
  form.overrides = h("textarea.code", {
    rows: 5,
    spellcheck: false,
    placeholder: '{"seeds": 3}',
    "aria-label": "Changes to the spec, as JSON",
  });
  const check = debounced(plan, CHECK_MILLISECONDS);
  form.overrides.addEventListener("input", () => check(form));
  form.button = h("button.primary", {}, "Run this study");
  plan(form);
  return h(
    "form.card.sticky",
    { onsubmit: (event) => (event.preventDefault(), start(form)) },
    h("h2", {}, "Run it"),
    form.size.node,
    h("label", {}, h("span", {}, "Changes to the spec"), form.overrides),
    form.plan.node,
    form.fault,
    h(
      "p.actions",
      {},
      form.button,
      h("a.button", { href: link(["new"], { from: `study:${study.name}` }) }, "Edit the whole spec"),
    ),
  );
}

function sizes(names, changed) {
  const radio = (name) =>
    h(
      "label.check",
      {},
      h("input", { type: "radio", name: "size", value: name, checked: name === names.at(-1), onchange: changed }),
      name,
    );
  const node = h("fieldset.sizes", {}, h("legend", {}, "Size"), names.map(radio));
  return { node, value: () => node.querySelector("input:checked").value };
}

function bodyOf(form) {
  const text = form.overrides.value.trim();
  return { ...(text ? JSON.parse(text) : {}), size: form.size.value() };
}

async function plan(form) {
  form.key = freshKey();
  await guarded(form, async () => {
    form.plan.show(await send("POST", `${path(form)}?dry_run=true`, { body: bodyOf(form) }));
    say(form.fault, "");
  });
}

const path = ({ study }) => `${apiPath(["studies", study.name])}/experiments`;

const start = (form) => guarded(form, () => run(path(form), bodyOf(form), { key: form.key, button: form.button }));

async function guarded(form, act) {
  try {
    await act();
  } catch (error) {
    form.plan.clear();
    const faults = (error.errors ?? []).map(({ loc, msg }) => `${loc.join(".") || "spec"}: ${msg}`);
    say(
      form.fault,
      error instanceof SyntaxError ? `The changes are not JSON: ${error.message}` : faults.join("\n") || error.message,
    );
  }
}
