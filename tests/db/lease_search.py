"""Every reachable state of the lease's model, what must hold in each transition, and whether an end can be reached."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lease_model import FAIR, SOUND, Action, Rules, State, Worker, actions, start, step


def database(state: State) -> tuple[object, ...]:
    """What is durable."""
    return state[1:-1]


def wrongs(before: State, action: Action, after: State) -> Iterator[str]:
    """What is wrong with a transition."""
    if sum(worker.fresh for worker in after.workers) > 1:
        yield "two workers hold the cohort"
    if any(worker.fresh and worker.at != after.stored for worker in after.workers):
        yield "the holder goes on from other steps than those stored"
    if after.checkpoint > after.stored and after.status != "new":
        yield "the checkpoint is ahead of the stored steps"
    if after.checkpoint < before.checkpoint and action.name != "retry":
        yield "the checkpoint goes backwards"
    if before.outcome and action.name != "retry" and database(after) != database(before):
        yield "something is written after the end"
    if after.paused and after.status == "running":
        yield "a paused experiment runs"
    if _is_stale(before, action) and database(after) != database(before):
        yield "a stale holder writes"


def _is_stale(state: State, action: Action) -> bool:
    writes = action.who is not None and action.name not in ("claim", "crash", "forget", "send")
    return writes and not state.workers[action.who or 0].fresh


@dataclass
class Exploration:
    """Every reachable state, with the action by which it was first reached."""

    came_by: dict[State, tuple[State, Action] | None]
    transitions: int = 0
    wrong: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What went wrong -> the shortest way to it."""
    stuck: set[State] = field(default_factory=set)
    """States from which the lab's own doing never reaches an end."""

    def way_to(self, state: State) -> tuple[str, ...]:
        before = self.came_by[state]
        return () if before is None else (*self.way_to(before[0]), str(before[1]))


def explore(workers: int, rules: Rules = SOUND, *, alike: bool = False) -> Exploration:
    """Walk through every reachable state, shortest ways first.

    `alike`: states that differ in the order of the workers alone count as one (ways then name a worker by its
    place, which changes).
    """
    starts = [start(workers, messages) for messages in (0, 1)]
    found = Exploration(dict.fromkeys(starts))
    back: dict[State, list[State]] = {}
    todo = deque(starts)
    while todo:
        state = todo.popleft()
        for action in actions(workers):
            after = step(state, action, rules)
            if after is None:
                continue
            found.transitions += 1
            for wrong in wrongs(state, action, after):
                found.wrong.setdefault(wrong, (*found.way_to(state), str(action)))
            if alike:
                after = after._replace(workers=tuple(sorted(after.workers, key=_order)))
            if action.name in FAIR:
                back.setdefault(after, []).append(state)
            if after not in found.came_by:
                found.came_by[after] = (state, action)
                todo.append(after)
    found.stuck = found.came_by.keys() - _reaching(back, [state for state in found.came_by if state.outcome])
    return found


def _order(worker: Worker) -> tuple[int, ...]:
    return (-1 if worker.at is None else worker.at, *worker[1:])


def _reaching(back: Mapping[State, list[State]], ends: list[State]) -> set[State]:
    reached, todo = set(ends), list(ends)
    while todo:
        for before in back.get(todo.pop(), ()):
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return reached
