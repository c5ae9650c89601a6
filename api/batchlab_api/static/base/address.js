/**
 * The page's address: the API's address behind a `#`. Delete the `#` and you have the data.
 *
 * Keys that begin with `_` are view only and never sent. Keys stand in order, so that equal views have equal addresses.
 */

/** "#/experiments/ab/curves?x=epoch" -> { path: ["experiments", "ab", "curves"], query: { x: "epoch" } }. */
export function parse(hash) {
  const [path, search = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % is itself
  }
}

/** The address of a path and a query; empty values are left out. */
export const serialise = ({ path, query }) => `#${apiPath(path)}${search(query)}`;

/** Path segments as the API's path. */
export const apiPath = (path) => `/${path.map(encodeURIComponent).join("/")}`;

/** A query as "?a=1&b=2", or "". Commas and colons are kept legible. */
export function search(query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = pairs.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${escaped(key)}=${escaped(value)}`);
  return text.length ? `?${text.join("&")}` : "";
}

const escaped = (text) => encodeURIComponent(text).replace(/%2C/g, ",").replace(/%3A/g, ":").replace(/%2F/g, "/");

/** What of a query the API is sent. */
export const sent = (query) => Object.fromEntries(Object.entries(query).filter(([key]) => !key.startsWith("_")));

/** Where the address is now. */
export const here = () => parse(location.hash);

/** Keys that follow the reader from page to page. */
const KEPT = ["_theme"];

/** The address of another page. */
export function link(path, query = {}) {
  const kept = Object.fromEntries(Object.entries(here().query).filter(([key]) => KEPT.includes(key)));
  return serialise({ path, query: { ...kept, ...query } });
}

/** This page's address with some keys changed; null or "" removes a key. */
export const changed = (changes) => serialise({ path: here().path, query: { ...here().query, ...changes } });
