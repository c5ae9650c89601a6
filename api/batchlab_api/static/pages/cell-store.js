/** The cells of one experiment, asked for once and shared by everything that shows them. */

import { apiPath } from "../base/address.js";
import { all } from "../base/api.js";
import { paced } from "../base/paced.js";

const LEAST_SECONDS = 1.5;

/** { items, ask(), listen(call), stop() }: `ask` after something has changed; listeners hear new items. */
export function cellStore(id) {
  const listeners = new Set();
  const abort = new AbortController();
  const store = {
    items: null,
    error: null,
    listen(call) {
      listeners.add(call);
      if (store.items) call(store.items);
      return () => listeners.delete(call);
    },
    stop() {
      abort.abort();
      pace.stop();
    },
  };
  const pace = paced(() => read(store, id, abort.signal, listeners), LEAST_SECONDS);
  store.ask = pace.ask;
  return store;
}

async function read(store, id, signal, listeners) {
  try {
    store.items = await all(`${apiPath(["experiments", id, "cells"])}?limit=1000`, { signal });
    store.error = null;
  } catch (error) {
    if (signal.aborted) return;
    store.error = error; // what was read before stays
  }
  if (store.items) listeners.forEach((call) => call(store.items));
}
