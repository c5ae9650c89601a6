"""The lease protocol as an abstract machine: one cell, some workers, and everything that may happen to them.

A state says what the database holds, how many wake-ups are under way, and what each worker believes. `step` gives the
state after an action, or None where the action is not possible. `lease_search.explore` walks through every reachable
state; the same actions, by the same names, drive the real SQL in `test_lease_machine.py`.

Epochs are unbounded, but only their equality counts: a worker is `fresh` while its epoch is the row's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

STEPS = 3
"""Blocks of the cell; the last one ends it."""
MOST_LOSSES = 2
MOST_MESSAGES = 2
Status = Literal["new", "ready", "running", "done"]


class Worker(NamedTuple):
    """What a worker process believes, and (`named`) whether the row names it as the holder."""

    at: int | None = None
    """Blocks done, as it believes, while it holds the cohort; None: it holds nothing."""
    fresh: bool = False
    named: bool = False
    owes: bool = False
    """It has handed on, and its wake-up is not sent yet."""


class State(NamedTuple):
    """The database, the broker, and the workers."""

    workers: tuple[Worker, ...]
    status: Status = "new"
    """Of the cohort; new: none is formed."""
    outcome: str = ""
    paused: bool = False
    expired: bool = False
    delayed: bool = False
    progressed: bool = False
    losses: int = 0
    stored: int = 0
    checkpoint: int = 0
    messages: int = 0


@dataclass(frozen=True)
class Rules:
    """The protocol, or a mutant of it."""

    fence: Literal["epoch", "status", "none"] = "epoch"
    """What a write looks at: epoch and status; the status alone; nothing."""
    resend: bool = True


class Action(NamedTuple):
    """Something that may happen, to a worker (`who`) or to the lab."""

    name: str
    who: int | None = None

    def __str__(self) -> str:
        return self.name if self.who is None else f"{self.name}_{self.who}"


SOUND = Rules()
Move = Callable[[State, int, Rules], State | None]
Deed = Callable[[State, Rules], State | None]


def start(workers: int, messages: int = 1) -> State:
    """An experiment was just submitted; with no message, its sender died between commit and send."""
    return State((Worker(),) * workers, messages=messages)


def step(state: State, action: Action, rules: Rules = SOUND) -> State | None:
    """The state after the action; None where it cannot happen."""
    if action.who is None:
        return DEEDS[action.name](state, rules)
    return MOVES[action.name](state, action.who, rules)


def actions(workers: int) -> Iterator[Action]:
    """Every action of a lab with so many workers."""
    yield from (Action(name) for name in DEEDS)
    yield from (Action(name, who) for name in MOVES for who in range(workers))


def _with(state: State, who: int, worker: Worker) -> tuple[Worker, ...]:
    return (*state.workers[:who], worker, *state.workers[who + 1 :])


def _fence_all(state: State) -> tuple[Worker, ...]:
    """The epoch is raised: nobody is fresh, and nobody is named."""
    return tuple(worker._replace(fresh=False, named=False) for worker in state.workers)


def _release(state: State, *, losses: int, delayed: bool = False) -> State:
    released = state._replace(status="ready", losses=losses, delayed=delayed, expired=False, progressed=False)
    return released._replace(workers=_fence_all(state))


def _end(state: State, outcome: str) -> State:
    status: Status = "new" if state.status == "new" else "done"
    ended = state._replace(status=status, outcome=outcome, losses=0, delayed=False, expired=False, progressed=False)
    return ended._replace(workers=_fence_all(state))


def _lose(state: State) -> State:
    losses = 0 if state.progressed else state.losses + 1
    return _end(state, "failed") if losses >= MOST_LOSSES else _release(state, losses=losses, delayed=losses > 0)


def _let_go(state: State, who: int, *, owes: bool = False) -> State:
    return state._replace(workers=_with(state, who, state.workers[who]._replace(at=None, fresh=False, owes=owes)))


def _may_write(state: State, who: int, rules: Rules) -> bool:
    if rules.fence == "none":
        return True
    return state.status == "running" and (state.workers[who].fresh or rules.fence == "status")


def _claimable(state: State) -> bool:
    return not state.outcome and not state.paused and state.status in ("new", "ready") and not state.delayed


def claim(state: State, who: int, rules: Rules) -> State | None:
    """Answer a wake-up; what the worker still holds by the row, without knowing, is given back first."""
    worker = state.workers[who]
    if not state.messages or worker.at is not None or worker.owes:
        return None
    state = state._replace(messages=state.messages - 1)
    if state.status == "running" and worker.named:
        state = _release(state, losses=state.losses)
    if not _claimable(state):
        return state
    taken = state._replace(status="running", delayed=False, progressed=False, stored=state.checkpoint)
    taken = taken._replace(workers=_fence_all(state))
    return taken._replace(workers=_with(taken, who, Worker(at=state.checkpoint, fresh=True, named=True)))


def _write(act: Move) -> Move:
    """A write of a worker that believes to hold the cohort; behind the fence it only lets go."""

    def move(state: State, who: int, rules: Rules) -> State | None:
        if state.workers[who].at is None:
            return None
        return act(state, who, rules) if _may_write(state, who, rules) else _let_go(state, who)

    return move


def _block(state: State, who: int, *, save: bool) -> State:
    at = (state.workers[who].at or 0) + 1
    state = state._replace(stored=at, expired=False)
    if save:
        state = state._replace(checkpoint=at, progressed=True, losses=0)
    if at == STEPS:
        return _let_go(_end(state, "succeeded"), who)
    return state._replace(workers=_with(state, who, state.workers[who]._replace(at=at)))


def _hand_on(state: State, who: int, *, save: bool) -> State | None:
    at = state.workers[who].at or 0
    if save and not at:
        return None
    losses, checkpoint = (0, at) if save else (state.losses, state.checkpoint)
    state = state._replace(status="ready", losses=losses, checkpoint=checkpoint, expired=False, progressed=False)
    return _let_go(state._replace(workers=_fence_all(state)), who, owes=True)


def _renew(state: State, who: int, rules: Rules) -> State | None:
    return state._replace(expired=False) if state.expired else None


def crash(state: State, who: int, rules: Rules) -> State | None:
    """The process dies; the one that takes its place has another name and knows nothing."""
    return None if state.workers[who] == Worker() else state._replace(workers=_with(state, who, Worker()))


def forget(state: State, who: int, rules: Rules) -> State | None:
    """The answer to its claim was lost: the row names a worker that does not know it."""
    return None if state.workers[who].at is None else _let_go(state, who)


def send(state: State, who: int, rules: Rules) -> State | None:
    """The wake-up that follows a hand-on."""
    if not state.workers[who].owes:
        return None
    sent = _let_go(state, who)
    return sent._replace(messages=min(state.messages + 1, MOST_MESSAGES))


MOVES: Mapping[str, Move] = {
    "claim": claim,
    "block": _write(lambda state, who, rules: _block(state, who, save=False)),
    "save": _write(lambda state, who, rules: _block(state, who, save=True)),
    "renew": _write(_renew),
    "hand_on": _write(lambda state, who, rules: _hand_on(state, who, save=False)),
    "hand_on_saved": _write(lambda state, who, rules: _hand_on(state, who, save=True)),
    "give_up": _write(lambda state, who, rules: _let_go(_lose(state), who)),
    "fail": _write(lambda state, who, rules: _let_go(_end(state, "failed"), who)),
    "crash": crash,
    "forget": forget,
    "send": send,
}


def _resend(state: State, rules: Rules) -> State | None:
    wanted = rules.resend and _claimable(state) and not state.messages
    return state._replace(messages=1) if wanted else None


def _pause(state: State, rules: Rules) -> State | None:
    if state.outcome or state.paused:
        return None
    stopped = _release(state, losses=state.losses) if state.status == "running" else state
    return stopped._replace(paused=True)


def _retry(state: State, rules: Rules) -> State | None:
    if state.outcome not in ("failed", "cancelled"):
        return None
    return state._replace(status="new", outcome="", checkpoint=0)


DEEDS: Mapping[str, Deed] = {
    "expire": lambda s, r: s._replace(expired=True) if s.status == "running" and not s.expired else None,
    "rescue": lambda s, r: _lose(s) if s.status == "running" and s.expired else None,
    "due": lambda s, r: s._replace(delayed=False) if s.delayed else None,
    "resend": _resend,
    "drop": lambda s, r: s._replace(messages=s.messages - 1) if s.messages else None,
    "duplicate": lambda s, r: s._replace(messages=s.messages + 1) if 0 < s.messages < MOST_MESSAGES else None,
    "cancel": lambda s, r: None if s.outcome else _end(s, "cancelled")._replace(paused=False),
    "pause": _pause,
    "resume": lambda s, r: s._replace(paused=False) if s.paused else None,
    "retry": _retry,
}
FAIR = {"claim", "save", "hand_on", "send", "expire", "rescue", "due", "resend", "resume"}
"""What a lab does by itself sooner or later (and users end a pause): with these alone every experiment must end."""
