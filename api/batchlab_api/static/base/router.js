/** Shows the page that the address names, and keeps it where only its query or tab has changed. */

import { fill } from "./dom.js";
import { changed, here, serialise } from "./address.js";

let routes = [];
let current = null;
let main = null;

/**
 * Begin. A route is { matches(path), key(path), page(url) }; a page is { node, update(url), dispose(), title() }.
 * Two addresses with one key are one page: it is told `update(url)` instead of being made anew.
 */
export function start(element, table) {
  main = element;
  routes = table;
  window.addEventListener("popstate", show);
  window.addEventListener("hashchange", show);
  show();
}

function show() {
  if (location.hash === "#main") return;
  const url = here();
  const route = routes.find((candidate) => candidate.matches(url.path));
  const key = `${routes.indexOf(route)} ${route.key(url.path)}`;
  if (current?.key !== key) open(route, key, url);
  current.address = serialise(url);
  current.page.update(url);
  window.dispatchEvent(new CustomEvent("navigated", { detail: url }));
}

function open(route, key, url) {
  current?.page.dispose();
  const arriving = current !== null;
  current = { key, page: route.page(url) };
  fill(main, current.page.node);
  window.scrollTo(0, 0);
  if (arriving) main.focus({ preventScroll: true });
}

/** Make the page that is shown anew: after logging in, say. */
export function reload() {
  current?.page.dispose();
  current = null;
  show();
}

/** Go to an address; Back comes back here. */
export function go(address) {
  if (address === location.hash) return;
  history.pushState(null, "", address);
  show();
}

/** Change some keys of this address, as a step that Back undoes. */
export const push = (changes) => go(changed(changes));

/** Change some keys of this address in place: for what is being typed. */
export function replace(changes) {
  history.replaceState(null, "", changed(changes));
  show();
}

/** Name the page in the browser's title. */
export function title(text) {
  const full = text ? `${text} — batchlab` : "batchlab";
  if (document.title !== full) document.title = full;
}
