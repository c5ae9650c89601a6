/** Elements without a framework. Whatever users wrote only ever becomes text: nothing here parses HTML. */

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("button.primary", { onclick }, "Run", child)`. Children may be nodes, text, lists, or empty. */
export function h(selector, props = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  Object.entries(props).forEach(([key, value]) => set(node, key, value));
  node.append(...flat(children));
  return node;
}

function set(node, key, value) {
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "style") Object.entries(value).forEach(([name, v]) => node.style.setProperty(name, v));
  else if (key === "dataset") Object.assign(node.dataset, value);
  else if (key in node && typeof value !== "string") node[key] = value;
  else if (key === "value") node.value = value;
  else if (value !== null && value !== undefined) node.setAttribute(key, value);
}

const flat = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
  node.append(...flat(children));
  return node;
}

/** Put `children` in the place of what `node` held. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/** Set text only where it differs, so that a selection or a screen reader is not disturbed. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A list that keeps its nodes: `make(item)` builds a row with an `update(item)`, found again by `key(item)`. */
export function keyed(parent, key, make) {
  const rows = new Map();
  return (items) => {
    const wanted = new Set(items.map(key));
    for (const [id, row] of rows) if (!wanted.has(id)) (row.node.remove(), rows.delete(id));
    items.forEach((item, place) => {
      const row = rows.get(key(item)) ?? make(item);
      rows.set(key(item), row);
      row.update(item);
      if (parent.children[place] !== row.node) parent.insertBefore(row.node, parent.children[place] ?? null);
    });
  };
}

/** `call`, once things have been quiet for `milliseconds`; `.cancel()` forgets it. */
export function debounced(call, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
