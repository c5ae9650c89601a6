/** What a spec says, in a line: what is fixed and what varies. */

import { plural } from "../base/format.js";

/** "softmax on sectors · 500 epochs · sgd" */
export function fixedFacts(spec) {
  const facts = [`${kinds(spec, "model")} on ${kinds(spec, "dataset")}`, budget(spec.budget), kinds(spec, "optimizer")];
  if (kind(spec.schedule) && kind(spec.schedule) !== "constant") facts.push(kind(spec.schedule));
  if (spec.lr?.rule && spec.lr.rule !== "fixed") facts.push(`${spec.lr.rule} lr`);
  if (spec.engine && spec.engine !== "auto") facts.push(`engine ${spec.engine}`);
  if (spec.isolated) facts.push("isolated");
  return facts.filter(Boolean);
}

const kind = (value) => (value?.kind === "user" ? value.name : value?.kind ?? "");
const NAMED = 2;

/** The kinds that cells have of something, where variants may replace it: "mlp and cnn", "6 optimizers" */
function kinds(spec, name) {
  const arms = spec.variants?.length ? spec.variants : [{}];
  const found = [...new Set(arms.map((arm) => kind({ ...spec[name], ...arm[name] })))];
  return found.length > NAMED ? plural(found.length, name) : found.join(" and ");
}

function budget(value = {}) {
  const [unit] = ["epochs", "steps", "examples"].filter((name) => value[name]);
  return unit ? plural(value[unit], unit.replace(/s$/, "")) : "";
}

/** "16 batch sizes × 5 seeds" */
export function variedFacts(spec) {
  const base = spec.lr?.base ?? spec.lr?.values;
  const many = [
    [spec.variants, "variant"],
    [spec.batch_sizes, "batch size"],
    [base, "rate"],
    [spec.momentum, "momentum", "momenta"],
    [typeof spec.seeds === "number" ? Array(spec.seeds) : spec.seeds, "seed"],
  ];
  const parts = many.filter(([value]) => Array.isArray(value) && value.length > 1);
  return parts.map(([value, ...names]) => plural(value.length, ...names)).join(" × ");
}
