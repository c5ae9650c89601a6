/** The lines of several specs that are not the same in all of them. */

import { h } from "../base/dom.js";

const NOT_SPEC = ["name", "tags", "note", "study"];

export function specDifferences(all) {
  const rows = differences(all.map(({ spec }) => spec));
  if (!rows.length) return h("p.faint", {}, "They ask for the same.");
  const head = h("tr", {}, h("th", {}, "key"), all.map(({ label }) => h("th", { scope: "col" }, label)));
  return h("div.scroll.card", {}, h("table.specs", {}, h("thead", {}, head), h("tbody", {}, rows.map(row))));
}

const row = ({ path, values }) =>
  h("tr", {}, h("th", { scope: "row" }, h("code", {}, path)), values.map((value) => h("td.wrap", {}, h("code", {}, value))));

/** [{ path, values }]: dotted keys whose JSON differs, "–" where a spec lacks one. */
export function differences(specs) {
  const flats = specs.map((spec) => new Map(leaves(spec, "")));
  const paths = [...new Set(flats.flatMap((flat) => [...flat.keys()]))];
  return paths
    .map((path) => ({ path, values: flats.map((flat) => flat.get(path) ?? "–") }))
    .filter(({ path, values }) => !NOT_SPEC.includes(path) && new Set(values).size > 1);
}

function leaves(value, path) {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}
