/**
 * Follows one experiment: an event stream that the browser resumes by itself, and asking every few seconds where there
 * is none. Events say that something has changed; what is drawn always comes from the GETs, so both ways agree.
 */

import { get } from "./api.js";

const ASK_SECONDS = 2;
const STREAM_AGAIN_SECONDS = 20;
const HIDDEN_SECONDS = 60;

/** Follow `/experiments/{id}`. `on` has progress(progress), status({status, error}), gone(). Returns { stop, again }. */
export function follow(id, on) {
  const path = `/experiments/${encodeURIComponent(id)}`;
  const state = { on, path, stream: null, asking: 0, again: 0, hide: 0, over: false };
  const seen = () => visibility(state);
  document.addEventListener("visibilitychange", seen);
  open(state);
  return {
    again: () => state.over && open(state),
    stop() {
      document.removeEventListener("visibilitychange", seen);
      close(state);
    },
  };
}

function open(state) {
  close(state);
  state.over = false;
  const stream = (state.stream = new EventSource(`${state.path}/events?metrics=`));
  const listen = (name, call) => stream.addEventListener(name, (event) => call(JSON.parse(event.data)));
  listen("progress", (data) => state.on.progress(data));
  listen("status", (data) => state.on.status(data));
  listen("bye", ({ reason }) => bye(state, reason));
  stream.onopen = () => stopAsking(state);
  // While it is CONNECTING the browser tries again by itself, telling the last event's id; CLOSED is for good.
  stream.onerror = () => stream.readyState === EventSource.CLOSED && ask(state);
}

function bye(state, reason) {
  if (reason !== "finished") return; // the server is stopping: the browser comes back by itself
  close(state);
  state.over = true;
}

function ask(state) {
  stopAsking(state);
  state.again = setTimeout(() => open(state), STREAM_AGAIN_SECONDS * 1000);
  const turn = async () => {
    const experiment = await get(state.path).catch((error) => (error.status === 404 ? state.on.gone() : null));
    if (!experiment) return;
    state.on.progress(experiment.progress);
    state.on.status(experiment);
  };
  state.asking = setInterval(turn, ASK_SECONDS * 1000);
  turn();
}

function stopAsking(state) {
  clearInterval(state.asking);
  clearTimeout(state.again);
}

function close(state) {
  stopAsking(state);
  clearTimeout(state.hide);
  state.stream?.close();
  state.stream = null;
}

/** A hidden page gives its connection back after a minute: a browser has six a server. */
function visibility(state) {
  clearTimeout(state.hide);
  if (document.hidden) state.hide = setTimeout(() => close(state), HIDDEN_SECONDS * 1000);
  else if (!state.stream && !state.over) open(state);
}
