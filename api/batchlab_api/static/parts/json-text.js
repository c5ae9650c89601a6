/** JSON as people write it: short lists and objects on one line. */

const WIDTH = 88;

/** `value` as JSON text, indented by two, nothing broken that fits a line. */
export function compact(value, indent = "") {
  const flat = oneLine(value);
  if (flat.length + indent.length <= WIDTH && (indent || typeof value !== "object")) return flat;
  if (value === null || typeof value !== "object" || !Object.keys(value).length) return flat;
  const inner = `${indent}  `;
  const list = Array.isArray(value);
  const lines = Object.entries(value).map(
    ([key, item]) => `${inner}${list ? "" : `${JSON.stringify(key)}: `}${compact(item, inner)}`,
  );
  return `${list ? "[" : "{"}\n${lines.join(",\n")}\n${indent}${list ? "]" : "}"}`;
}

function oneLine(value) {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`)
    .join(", ")}}`;
}

const ORDER = [
  ...["$schema", "name", "tags", "note", "study", "dataset", "model", "batch_sizes", "lr", "momentum", "optimizer"],
  ...["schedule", "budget", "seeds", "evaluate", "probes", "variants", "loss", "reduction", "shuffle", "init"],
];

/** A stored spec in the order in which people write one, without what is null: that is the default. */
export function tidy(spec) {
  if (spec === null || typeof spec !== "object" || Array.isArray(spec)) return spec;
  const entries = Object.entries(spec).filter(([, value]) => value !== null && value !== "");
  return Object.fromEntries(entries.sort(inOrder).map(([key, value]) => [key, tidy(value)]));
}

/** What says which kind of thing it is comes first; keys not in the list keep their order after it. */
function inOrder([a], [b]) {
  const rank = (key) => (["kind", "rule"].includes(key) ? -1 : ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  return rank(a) - rank(b);
}
