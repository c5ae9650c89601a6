/** JSON as people write it: short lists and objects on one line. */

const WIDTH = 88;

/** `value` as JSON text, indented by two, nothing broken that fits a line. */
export function compact(value, indent = "") {
  const flat = oneLine(value);
  if (flat.length + indent.length <= WIDTH && (indent || typeof value !== "object")) return flat;
  if (value === null || typeof value !== "object" || !Object.keys(value).length) return flat;
  const inner = `${indent}  `;
  const list = Array.isArray(value);
  const lines = Object.entries(value).map(([key, item]) => `${inner}${list ? "" : `${JSON.stringify(key)}: `}${compact(item, inner)}`);
  return `${list ? "[" : "{"}\n${lines.join(",\n")}\n${indent}${list ? "]" : "}"}`;
}

function oneLine(value) {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`).join(", ")}}`;
}
