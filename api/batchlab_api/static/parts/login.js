/** Asks for the lab's token when the server wants one. */

import { h } from "../base/dom.js";
import { send } from "../base/api.js";
import { reload } from "../base/router.js";

let dialog = null;

/** Listen for answers that say a token is needed. */
export const begin = () => window.addEventListener("token-needed", ask);

function ask() {
  if (dialog) return;
  const token = h("input", { type: "password", name: "token", required: true, autocomplete: "current-password" });
  const fault = h("p.fault", { role: "alert" });
  const form = h(
    "form",
    { onsubmit: (event) => (event.preventDefault(), enter(token, fault)) },
    h("h2", {}, "This lab asks for its token"),
    h("p.faint", {}, "On the server, ", h("code", {}, "batchlab token"), " prints it."),
    h("label", {}, "Token", token),
    fault,
    h("p.actions", {}, h("button.primary", {}, "Log in")),
  );
  dialog = h("dialog.login", { "aria-label": "Log in", oncancel: (event) => event.preventDefault() }, form);
  document.body.append(dialog);
  dialog.showModal();
  token.focus();
}

async function enter(token, fault) {
  try {
    await send("POST", "/login", { body: { token: token.value } });
  } catch (error) {
    fault.textContent = error.status === 401 ? "That is not the token." : error.message;
    token.select();
    return;
  }
  dialog.remove();
  dialog = null;
  reload();
}
