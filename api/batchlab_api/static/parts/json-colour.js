/** JSON with its parts told apart by colour. */

import { h } from "../base/dom.js";

const TOKEN = /("(?:[^"\\\n]|\\.)*"?)(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

/** `text` as nodes: keys, strings, numbers and words in spans, everything else as it is. */
export function coloured(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    nodes.push(text.slice(end, match.index), span(match));
    end = match.index + match[0].length;
  }
  return [...nodes, text.slice(end)];
}

function span([all, string, colon, number]) {
  if (string && colon !== undefined) return [h("span.key", {}, string), colon];
  return h(string ? "span.string" : number ? "span.number" : "span.word", {}, all);
}
