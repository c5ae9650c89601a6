/** Work that many events ask for, done no more often than it helps. */

const SHARE = 4;

/**
 * `ask()` has `work` done at once or, where it was done within `seconds`, as soon as they are over; never twice at a
 * time. Work that takes long waits in proportion, so that a large picture leaves the server most of its time.
 */
export function paced(work, seconds) {
  const state = { timer: 0, busy: false, wanted: false, urgent: false, rest: 0, stopped: false };
  async function turn() {
    state.busy = true;
    state.wanted = state.urgent = false;
    const began = performance.now();
    await work();
    state.busy = false;
    const took = performance.now() - began;
    state.rest = state.urgent ? 0 : performance.now() + Math.max(seconds * 1000, SHARE * took);
    if (state.wanted) ask();
  }
  function ask() {
    state.wanted = true;
    if (state.busy || state.stopped) return;
    clearTimeout(state.timer);
    state.timer = setTimeout(turn, Math.max(0, state.rest - performance.now()));
  }
  return {
    ask,
    /** Do it now, however lately it was done. */
    now() {
      state.rest = 0;
      state.urgent = true;
      ask();
    },
    stop() {
      state.stopped = true;
      clearTimeout(state.timer);
    },
  };
}
