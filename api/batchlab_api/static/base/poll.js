/** Asks again every few seconds, while somebody looks; slower while the server is away. */

import { Unreachable } from "./api.js";

const SLOWEST = 15;

/** Run `ask(signal)` now and `seconds` after each answer; errors go to `failed`. Returns { now, stop }. */
export function poll(ask, seconds, failed) {
  let timer = 0;
  let wait = seconds;
  let abort = new AbortController();
  async function turn() {
    clearTimeout(timer);
    abort.abort();
    const mine = (abort = new AbortController());
    try {
      await ask(mine.signal);
      wait = seconds;
    } catch (error) {
      if (mine.signal.aborted) return;
      wait = error instanceof Unreachable ? Math.min(SLOWEST, wait * 1.5) : seconds;
      failed(error);
    }
    if (!mine.signal.aborted) timer = setTimeout(() => !document.hidden && turn(), wait * 1000);
  }
  const seen = () => !document.hidden && turn();
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("online", seen);
  turn();
  return {
    now: turn,
    stop() {
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("online", seen);
      clearTimeout(timer);
      abort.abort();
    },
  };
}
