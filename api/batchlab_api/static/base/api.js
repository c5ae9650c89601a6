/** The API: JSON in, JSON out, problems as errors. Answers are kept with their ETag, so an unchanged one costs nothing. */

const KEPT = 60;
const kept = new Map();

/** What the server refused (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the server answered ${status}`);
    this.status = status;
    this.title = body.title || "Something went wrong";
    this.kind = (body.type || "").split("#").pop();
    this.requestId = body.request_id || "";
    this.errors = body.errors || [];
    this.parts = body.parts;
  }
}

/** The server could not be reached at all. */
export class Unreachable extends Error {
  constructor() {
    super("the server cannot be reached");
    this.title = "Server not reached";
  }
}

/** GET a path. Unchanged data is the very same object as before: compare with `===`. */
export async function get(path, { signal } = {}) {
  const known = kept.get(path);
  const headers = { Accept: "application/json", ...(known ? { "If-None-Match": known.tag } : {}) };
  const response = await reach(path, { headers, signal, cache: "no-store" });
  if (response.status === 304 && known) return known.data;
  const data = await answer(response);
  keep(path, response.headers.get("ETag"), data);
  return data;
}

function keep(path, tag, data) {
  kept.delete(path);
  if (!tag) return;
  kept.set(path, { tag, data });
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
}

/** Every item of a list, page by page, up to `most`. */
export async function all(path, { most = Infinity, signal } = {}) {
  const items = [];
  for (let cursor = ""; cursor !== null && items.length < most;) {
    const joined = cursor ? `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : path;
    const page = await get(joined, { signal });
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

/** POST, PATCH or DELETE; `body` becomes JSON (text is sent as it is). */
export async function send(method, path, { body, key, signal } = {}) {
  const headers = { Accept: "application/json", ...(key ? { "Idempotency-Key": key } : {}) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  return answer(await reach(path, { method, headers, body: text, signal }));
}

async function reach(path, options) {
  try {
    const response = await fetch(path, options);
    announce("reached");
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    announce("unreached");
    throw new Unreachable();
  }
}

async function answer(response) {
  if (response.status === 204) return null;
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  if (response.status === 401) announce("token-needed");
  throw new Problem(response.status, problemBody(response, text));
}

function problemBody(response, text) {
  const isJson = (response.headers.get("Content-Type") || "").includes("json");
  return isJson ? JSON.parse(text) : { title: `${response.status} ${response.statusText}` };
}

const announce = (what) => window.dispatchEvent(new CustomEvent(what));

/** A key that makes a repeated POST one experiment. */
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID exists only behind TLS or on localhost
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
