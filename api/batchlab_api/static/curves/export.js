/** The curves of this address elsewhere: a link, a command, a file. */

import { apiPath, here, search, sent } from "../base/address.js";
import { h } from "../base/dom.js";
import { menu } from "../parts/menu.js";
import { curlGet } from "../parts/snippets.js";
import { copy } from "../parts/toast.js";

const address = (more = {}) => {
  const { path, query } = here();
  return `${apiPath(path)}${search({ ...sent(query), ...more })}`;
};

/** A menu whose entries read the address when they are used. */
export function exportMenu() {
  const button = (text, act) => h("button", { type: "button", onclick: act }, text);
  const file = (format) =>
    button(`Download ${format.toUpperCase()}`, () => window.location.assign(address({ format })));
  return menu("Share", [
    button("Copy link", () => copy(location.href, "Link")),
    button("Copy as curl", () => copy(curlGet(address()), "Command")),
    button("Open as JSON", () => window.open(address(), "_blank", "noopener")),
    file("csv"),
    file("parquet"),
  ]);
}
