/** An address that names no page. */

import { h } from "../base/dom.js";
import { link } from "../base/address.js";
import { title } from "../base/router.js";
import { emptyCard } from "../parts/problem.js";

export function lostPage() {
  const home = h("a.button", { href: link(["experiments"]) }, "To the experiments");
  return {
    node: emptyCard("There is no such page", "The address names nothing that the dashboard knows.", home),
    update: () => title("No such page"),
    dispose: () => undefined,
  };
}
