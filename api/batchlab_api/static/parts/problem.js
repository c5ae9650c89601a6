/** What stands where something could not be shown: an error with its remedy, or nothing yet with the next step. */

import { h } from "../base/dom.js";

/** A card for an error; `again` adds a button. */
export function problemCard(error, again) {
  return h(
    "section.card.problem",
    { role: "alert" },
    h("h2", {}, error.title || "Something went wrong"),
    h("p", {}, error.message),
    error.requestId
      ? h("p.faint", {}, "Request ", h("code", {}, error.requestId), ": the server's log knows it.")
      : null,
    again ? h("button", { type: "button", onclick: again }, "Try again") : null,
  );
}

/** A card that says what would be here, and how it comes. */
export const emptyCard = (title, text, ...actions) =>
  h(
    "section.card.empty",
    {},
    h("h2", {}, title),
    h("p", {}, text),
    actions.length ? h("p.actions", {}, actions) : null,
  );

/** Grey lines while the first answer is awaited. */
export const skeleton = (lines = 3) =>
  h(
    "div.skeleton",
    { "aria-hidden": "true" },
    Array.from({ length: lines }, () => h("div")),
  );
