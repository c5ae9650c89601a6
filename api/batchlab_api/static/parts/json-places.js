/** Where in a JSON text a path is: what an editor needs to point at a fault. Reads as far as the text makes sense. */

const TOKEN = /\s*("(?:[^"\\\n]|\\.)*"|[[\]{}:,]|[^\s[\]{}:,"]+)/gy;

/** JSON Pointer -> { from, to } of its value, and of its key as { key: { from, to } }. The whole text is "". */
export function places(text) {
  const reader = { tokens: tokens(text), at: 0, found: new Map() };
  value(reader, "");
  return reader.found;
}

function tokens(text) {
  const found = [];
  for (const match of text.matchAll(TOKEN)) {
    const to = match.index + match[0].length;
    found.push({ text: match[1], from: to - match[1].length, to });
  }
  return found;
}

const peek = (reader) => reader.tokens[reader.at];
const take = (reader) => reader.tokens[reader.at++];

function value(reader, pointer, key) {
  const first = take(reader);
  if (!first) return;
  if (first.text === "{") members(reader, pointer);
  else if (first.text === "[") items(reader, pointer);
  const last = reader.tokens[Math.min(reader.at, reader.tokens.length) - 1];
  reader.found.set(pointer, { from: first.from, to: last.to, key });
}

function members(reader, pointer) {
  while (peek(reader) && peek(reader).text !== "}") {
    const key = take(reader);
    if (key.text === ",") continue;
    if (peek(reader)?.text !== ":") return;
    take(reader);
    value(reader, `${pointer}/${escaped(key.text)}`, { from: key.from, to: key.to });
  }
  take(reader);
}

function items(reader, pointer) {
  for (let i = 0; peek(reader) && peek(reader).text !== "]";) {
    if (peek(reader).text === ",") take(reader);
    else value(reader, `${pointer}/${i++}`);
  }
  take(reader);
}

function escaped(literal) {
  try {
    return JSON.parse(literal).replace(/~/g, "~0").replace(/\//g, "~1");
  } catch {
    return literal;
  }
}

/**
 * The place of a fault: of its value, of its key where that is what is wrong, or of the nearest thing around it that
 * is in the text (a missing key is shown at the object that lacks it).
 */
export function placeOf(text, { pointer, msg }) {
  const found = places(text);
  for (let path = pointer; ; path = path.slice(0, path.lastIndexOf("/"))) {
    const place = found.get(path);
    if (place)
      return path === pointer && msg.startsWith("unknown key") && place.key ? place.key : head(place, path === pointer);
    if (!path) return { from: 0, to: 0 };
  }
}

/** Of something around a fault only the beginning is shown: a whole object would be no place. */
const head = ({ from, to, key }, exact) => (exact ? { from, to } : (key ?? { from, to: from + 1 }));

/** Where `JSON.parse` stopped: { from, to, msg } or null for good JSON. */
export function syntaxFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const at = Number(/position (\d+)/.exec(error.message)?.[1] ?? text.length);
    return {
      from: Math.min(at, text.length),
      to: Math.min(at + 1, text.length),
      msg: error.message.replace(/ in JSON at .*/, ""),
    };
  }
}
