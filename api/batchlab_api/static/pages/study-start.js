/** The form that starts a study: how much of it, how many seeds, and changes to its spec with every fault in place. */

import { apiPath, link } from "../base/address.js";
import { freshKey, send } from "../base/api.js";
import { debounced, h, say } from "../base/dom.js";
import { editor } from "../parts/editor.js";
import { placeOf, syntaxFault } from "../parts/json-places.js";
import { planLine } from "../parts/plan.js";
import { run } from "../parts/run.js";

const CHECK_MILLISECONDS = 400;
const SIZES = { smoke: "seconds", small: "a minute or two", full: "as the source" };
const FIRST = "small";

export function starter(study) {
  const form = { study, key: freshKey(), turn: 0, plan: planLine(), fault: h("p.fault", { role: "alert" }) };
  const later = debounced(() => plan(form), CHECK_MILLISECONDS);
  form.size = sizes(study.sizes, later);
  form.seeds = h("input", { type: "number", min: "1", max: "1000", placeholder: "the study's own", oninput: later });
  form.overrides = editor("{}", later, "Changes to the spec, as JSON");
  form.button = h("button.primary", {}, "Run this study");
  plan(form);
  const whole = link(["new"], { from: `study:${study.name}` });
  return h(
    "form.card.sticky",
    { onsubmit: (event) => (event.preventDefault(), start(form)) },
    h("h2", {}, "Run it"),
    form.size.node,
    h("label", {}, h("span", {}, "Seeds"), form.seeds),
    h("div.changes", {}, h("span.faint", {}, "Changes to the spec (JSON Merge Patch)"), form.overrides.node),
    form.plan.node,
    form.fault,
    h("p.actions", {}, form.button, h("a.button", { href: whole }, "Edit the whole spec")),
  );
}

function sizes(names, changed) {
  const first = names.includes(FIRST) ? FIRST : names.at(-1);
  const radio = (name) =>
    h(
      "label.check",
      { title: SIZES[name] ?? "" },
      h("input", { type: "radio", name: "size", value: name, checked: name === first, onchange: changed }),
      name,
    );
  const node = h("fieldset.sizes", {}, h("legend", {}, "Size"), names.map(radio));
  return { node, value: () => node.querySelector("input:checked").value };
}

function bodyOf(form) {
  const text = form.overrides.text().trim();
  const seeds = Number(form.seeds.value);
  return { ...(text ? JSON.parse(text) : {}), ...(seeds ? { seeds } : {}), size: form.size.value() };
}

const path = ({ study }) => `${apiPath(["studies", study.name])}/experiments`;

async function plan(form) {
  const turn = (form.turn += 1);
  form.key = freshKey(); // another body is another experiment; the same one pressed twice is one
  await guarded(form, async () => {
    const found = await send("POST", `${path(form)}?dry_run=true`, { body: bodyOf(form) });
    if (turn !== form.turn) return;
    form.plan.show(found);
    say(form.fault, "");
    form.overrides.mark([]);
  });
}

const start = (form) => guarded(form, () => run(path(form), bodyOf(form), { key: form.key, button: form.button }));

async function guarded(form, act) {
  const text = form.overrides.text();
  const broken = text.trim() ? syntaxFault(text) : null;
  if (broken) return refuse(form, [{ ...broken, where: "JSON" }], `The changes are not JSON: ${broken.msg}`);
  try {
    return await act();
  } catch (error) {
    const faults = (error.errors ?? []).map((fault) => ({ ...placeOf(text, fault), ...fault }));
    const told = faults.map(({ loc, msg }) => `${loc.join(".") || "spec"}: ${msg}`);
    return refuse(form, faults, told.join("\n") || error.message);
  }
}

/** The fault is written at its line, and again below for those who listen. */
function refuse(form, faults, words) {
  form.plan.clear();
  form.overrides.mark(faults);
  say(form.fault, words);
}
