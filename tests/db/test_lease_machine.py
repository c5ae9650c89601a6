"""The real SQL does what the model of the lease does: hypothesis drives both by the same actions and compares them."""

import os
from collections import Counter
from typing import Any

import lease_model
from batchlab_db import broker, claims, experiments, rescue
from batchlab_db.errors import Fenced
from batchlab_db.reconcile import Pass
from batchlab_db.settings import Settings
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import sampled_from
from kit import Bench, block, stretch
from lease_model import MOST_LOSSES, STEPS, Action, State
from redis import Redis

WORKERS = 2
EXAMPLES = int(os.environ.get("BATCHLAB_EXAMPLES", "15"))
"""More of them find more; this many fit into the tests of every change."""

OBSERVE = """
    SELECT coalesce(c.status, 'new') AS status, coalesce(e.outcome, '') AS outcome, e.paused,
        c.status = 'running' AND c.lease_until < clock_timestamp() AS expired,
        c.status = 'ready' AND c.not_before > clock_timestamp() AS delayed,
        c.status = 'running' AND c.progressed AS progressed,
        CASE WHEN c.status IN ('ready', 'running') THEN c.losses ELSE 0 END AS losses,
        (SELECT coalesce(sum(n), 0)::int FROM series_blocks WHERE cell_id = k.id AND metric = 'loss') AS stored,
        coalesce((p.steps ->> '0')::int, 0) AS checkpoint, k.status AS cell, k.steps_done, c.worker_id
    FROM experiments e JOIN cells k ON k.experiment_id = e.id
    LEFT JOIN cohorts c ON c.id = k.cohort_id LEFT JOIN checkpoints p ON p.cohort_id = c.id
    WHERE e.id = :id
"""
SPARINGLY = {"cancel": 1, "pause": 1, "drop": 1, "duplicate": 1, "fail": 1}
"""How often at most for one experiment: these are often possible, and would crowd out the rest."""
EVERYTHING = tuple(lease_model.actions(WORKERS))
BY_ITSELF = ("resume", "due", "send", "save", "claim", "rescue", "expire", "resend")
"""What leads to an end from anywhere, in the order in which it is tried."""


class Lab:
    """The real thing under the model's action names. Leases are long: only `expire` ends one."""

    def __init__(self, bench: Bench, redis: Redis) -> None:
        self.bench, self.engine, self.redis = bench, bench.engine, redis
        redis.delete("cpu")
        for table in ("experiments", "workers", "facts"):
            bench.sql(f"DELETE FROM {table}")
        self.experiment = bench.submit(budget={"steps": STEPS}, device="cpu")
        self.send(0)
        self.workers = [bench.worker() for _ in range(WORKERS)]
        self.leases: list[claims.Lease | None] = [None] * WORKERS

    def do(self, action: Action) -> None:
        act = getattr(self, action.name)
        act() if action.who is None else act(action.who)

    def claim(self, who: int) -> None:
        assert self.redis.rpop("cpu") is not None
        self.leases[who] = self.bench.claim(self.workers[who])

    def block(self, who: int) -> None:
        self._record(who, saved=False)

    def save(self, who: int) -> None:
        self._record(who, saved=True)

    def _record(self, who: int, *, saved: bool) -> None:
        lease = self._held(who)
        at = lease.cells[0].steps_done + lease.blocks
        part = block(stretch(at, at + 1, "succeeded" if at + 1 == STEPS else None))
        self._write(who, lambda: claims.record(self.engine, lease, part, bytes([at + 1]) if saved else None))
        if lease.finished:
            self.leases[who] = None

    def renew(self, who: int) -> None:
        self._write(who, lambda: claims.renew(self.engine, self._held(who), "train"))

    def hand_on(self, who: int) -> None:
        self._write(who, lambda: claims.hand_on(self.engine, self._held(who)))
        self.leases[who] = None

    def hand_on_saved(self, who: int) -> None:
        lease = self._held(who)
        state = bytes([lease.cells[0].steps_done + lease.blocks])
        self._write(who, lambda: claims.hand_on(self.engine, lease, state))
        self.leases[who] = None

    def give_up(self, who: int) -> None:
        self._write(who, lambda: claims.give_up(self.engine, self._held(who), self.bench.settings, "unfit"))
        self.leases[who] = None
        self._hold_delay()

    def fail(self, who: int) -> None:
        self._write(who, lambda: claims.fail(self.engine, self._held(who), "code_error", "wrong"))
        self.leases[who] = None

    def crash(self, who: int) -> None:
        self.leases[who] = None
        self.workers[who] = self.bench.worker()

    def forget(self, who: int) -> None:
        self.leases[who] = None

    def send(self, who: int) -> None:
        if self.messages() < lease_model.MOST_MESSAGES:
            assert broker.wake(self.bench.settings, ["cpu"]) == 1

    def expire(self) -> None:
        self.bench.sql("UPDATE cohorts SET lease_until = clock_timestamp() - interval '1 s' WHERE status = 'running'")

    def rescue(self) -> None:
        cohort = self.bench.one("SELECT id FROM cohorts WHERE status = 'running'")
        with self.engine.begin() as connection:
            assert rescue.rescue(connection, cohort, MOST_LOSSES)
        self._hold_delay()

    def _hold_delay(self) -> None:
        """Delays last until `due`: the test does not race with the clock."""
        self.bench.sql("UPDATE cohorts SET not_before = 'infinity' WHERE not_before > clock_timestamp()")

    def due(self) -> None:
        self.bench.sql("UPDATE cohorts SET not_before = clock_timestamp()")

    def resend(self) -> None:
        lab = Pass(self.engine, self.bench.settings)
        lab.resend()
        assert lab.report.resent == 1

    def drop(self) -> None:
        assert self.redis.rpop("cpu") is not None

    def duplicate(self) -> None:
        assert self.redis.lpush("cpu", self.redis.lindex("cpu", 0))

    def cancel(self) -> None:
        experiments.cancel(self.engine, self.experiment)

    def pause(self) -> None:
        experiments.pause(self.engine, self.experiment)

    def resume(self) -> None:
        experiments.resume(self.engine, self.experiment)

    def retry(self) -> None:
        experiments.retry(self.engine, self.experiment)

    def _held(self, who: int) -> claims.Lease:
        lease = self.leases[who]
        assert lease is not None
        return lease

    def _write(self, who: int, act: Any) -> None:
        try:
            act()
        except Fenced:
            self.leases[who] = None

    def messages(self) -> int:
        return int(self.redis.llen("cpu"))

    def look(self) -> dict[str, Any]:
        [row] = self.bench.sql(OBSERVE, id=self.experiment)
        return dict(row)


class Machine(RuleBasedStateMachine):
    """The model and the lab side by side. Its rules are the model's actions."""

    lab: Lab
    model: State
    newest: tuple[int, int]
    spent: Counter[str]

    def begin(self, lab: Lab) -> None:
        self.lab, self.model = lab, lease_model.start(WORKERS)
        self.newest, self.spent = (0, 0), Counter()
        self.compare()

    @precondition(lambda self: self.model.outcome == "succeeded" or not any(map(self.wants, EVERYTHING)))
    @rule()
    def begin_again(self) -> None:
        """The next experiment."""
        self.begin(Lab(self.lab.bench, self.lab.redis))

    @precondition(lambda self: self.model.status == "running")
    @rule(who=sampled_from(range(WORKERS)))
    def overtake(self, who: int) -> None:
        """The holder is slow, is taken for dead, and another one (or itself) is given the cohort."""
        for action in (Action("expire"), Action("rescue"), Action("due"), Action("resend"), Action("claim", who)):
            if self.can(action):
                self.both(action)

    def both(self, action: Action) -> None:
        """Let it happen in both, and compare."""
        self.spent[action.name] += 1
        after = lease_model.step(self.model, action)
        assert after is not None
        self.model = after
        self.lab.do(action)
        self.compare()
        if action.name == "claim":
            self.compare_start(self.lab.leases[action.who or 0])

    def compare(self) -> None:
        seen, model = self.lab.look(), self.model
        for name in ("status", "outcome", "paused", "losses", "stored", "checkpoint"):
            assert seen[name] == getattr(model, name), name
        for name in ("expired", "delayed", "progressed"):
            assert bool(seen[name]) == getattr(model, name), name
        assert self.lab.messages() == model.messages
        for lease, me, worker in zip(self.lab.leases, self.lab.workers, model.workers, strict=True):
            assert (lease is not None) == (worker.at is not None)
            assert (seen["worker_id"] == me.id) == worker.named
        self.compare_cell(seen)

    def compare_cell(self, seen: dict[str, Any]) -> None:
        """What users see follows from the rest."""
        waits = "running" if self.model.status == "running" else seen["cell"]
        assert seen["cell"] == (self.model.outcome or waits)
        assert self.model.status == "new" or seen["steps_done"] == self.model.stored

    def compare_start(self, lease: claims.Lease | None) -> None:
        """A holder begins where the checkpoint is, under a higher epoch than any before."""
        if lease is not None:
            assert lease.checkpoint == (bytes([self.model.checkpoint]) if self.model.checkpoint else None)
            assert lease.cells[0].steps_done == self.model.checkpoint
            key = lease.cohort_id, lease.epoch
            assert key > self.newest
            self.newest = key

    def teardown(self) -> None:
        """Left to itself, the lab brings every experiment to its end."""
        for _ in range(40):
            if self.model.outcome:
                return
            possible = [Action(name, who) for name in BY_ITSELF for who in (None, *range(WORKERS))]
            self.both(next(action for action in possible if self.can(action)))
        raise AssertionError(f"no end from {self.model}")

    def wants(self, action: Action) -> bool:
        """Whether it is possible and not yet overdone."""
        return self.can(action) and self.spent[action.name] < SPARINGLY.get(action.name, 99)

    def can(self, action: Action) -> bool:
        known = lease_model.DEEDS if action.who is None else lease_model.MOVES
        return action.name in known and lease_model.step(self.model, action) is not None


def _rule(action: Action) -> Any:
    def act(self: Machine) -> None:
        self.both(action)

    act.__name__ = str(action)
    return precondition(lambda self: self.wants(action))(rule()(act))


def machine(bench: Bench, redis: Redis) -> type[Machine]:
    """The machine over a bench, with a rule for each action of the model."""

    def begin(self: Machine) -> None:
        RuleBasedStateMachine.__init__(self)
        self.begin(Lab(bench, redis))

    rules = {str(action): _rule(action) for action in lease_model.actions(WORKERS)}
    return type("LeaseMachine", (Machine,), {"__init__": begin, **rules})


def test_the_sql_does_what_the_model_does(settings: Settings) -> None:
    changes = {"lease_seconds": 3600.0, "max_losses": MOST_LOSSES, "resend_seconds": 0.0}
    bench = Bench(settings.model_copy(update=changes))
    limits = hypothesis_settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        database=None,
        derandomize=EXAMPLES == 15,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if EXAMPLES == 15 else list(Phase),
    )
    with Redis(unix_socket_path=settings.broker_url.get_secret_value().removeprefix("redis+socket://")) as redis:
        run_state_machine_as_test(machine(bench, redis), settings=limits)
    bench.engine.dispose()
