/** Short messages at the edge of the page, read out by screen readers. */

import { h } from "../base/dom.js";

const SHOWN_SECONDS = 6;

/** Say something that needs no answer. */
export function toast(text, kind = "note") {
  const node = h(`p.toast.${kind}`, {}, text);
  document.querySelector(".toasts").append(node);
  setTimeout(() => node.remove(), SHOWN_SECONDS * 1000);
}

/** Say why something failed. */
export const complain = (error) => toast(error.message, "bad");

/** Put text into the clipboard, and say so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not allow copying here", "bad");
  }
}
