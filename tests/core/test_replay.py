"""Runs of updates over buffers, as a GPU captures them, against the same updates taken one by one: the same bits."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batchlab import state
from batchlab.cell import Cell
from batchlab.engines.garbage import uncollected
from batchlab.engines.stacked import engine
from batchlab.engines.stacked.replay import AHEAD, LONGEST, WARM_UPS, Buffered, Graphs, Run, Single, unbroken
from batchlab.engines.stacked.stack import Stack
from batchlab.engines.stacked.training import Training
from conftest import Trained
from test_stacked import CASES, RATES, cases, facts, together
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Cells = Callable[..., tuple[Cell, ...]]
ENDINGS: dict[str, dict[str, Any]] = {
    "some diverge": {
        "dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}, "budget": {"steps": 400},
        "lr": {"rule": "list", "values": [0.01, 2.0, 5.0]},
    },
    "some reach their target": {
        "batch_sizes": [4], "evaluate": {"every_steps": 7}, "checkpoints": [{"kind": "last"}],
        "lr": {"rule": "list", "values": [0.01, 0.1, 0.5]},
        "target": {"metric": "val_accuracy", "at_least": 0.7, "stop": True},
    },
}  # fmt: skip
all_cases = pytest.mark.parametrize("case", CASES | ENDINGS)
on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Tape(TorchDispatchMode):
    """What a graph does, on a CPU: every operation is played again with the same tensors, in the same places.

    What was rebound, or looked at by the host, is as it was when the tape was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self._done: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self._done.append((func, args, kwargs or {}, tree_leaves(found)))
        return found

    @property
    def operations(self) -> list[Any]:
        return [func for func, *_ in self._done]

    @torch.no_grad()
    def play(self) -> None:
        for func, args, kwargs, before in self._done:
            for old, new in zip(before, tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(new, torch.Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)


class Taped(Buffered):
    """Takes runs that are taped where a GPU captures them."""

    def made(self, take: Callable[[], None]) -> Callable[[], None]:
        with self._training.on_trial(), Tape() as tape:
            take()
        return tape.play


CUDA = ("Stream", "current_stream", "Event", "CUDAGraph", "device", "stream", "graph_pool_handle", "graph")


class Cuda:
    """What of `torch.cuda` captures and replays, by a tape on a CPU; counts what is asked of it."""

    def __init__(self) -> None:
        self.training: Any = None
        self.captured = self.replayed = self.waiting = self.most = 0
        self.Stream = self.current_stream = lambda device: self
        self.Event = lambda blocking: self
        self.CUDAGraph = lambda: self.Graph(self)
        self.device = self.stream = nullcontext
        self.graph_pool_handle = object

    class Graph:
        def __init__(self, cuda: "Cuda") -> None:
            self.cuda, self.tape = cuda, Tape()

        def replay(self) -> None:
            self.cuda.replayed += 1
            self.tape.play()

    @contextmanager
    def graph(self, graph: "Cuda.Graph", *args: Any, **options: Any) -> Iterator[None]:
        self.captured += 1
        assert not gc.isenabled()
        with self.training.on_trial(), graph.tape:  # a tape computes, and a capture does not
            yield

    def wait_stream(self, other: Any) -> None:
        assert other is self

    def record(self, stream: Any) -> None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)

    def synchronize(self) -> None:
        self.waiting -= 1


def played(player: Any, monkeypatch: pytest.MonkeyPatch, *args: Any, **options: Any) -> list[Trained]:
    """What a stack gives whose updates are taken so."""
    with monkeypatch.context() as patched:
        patched.setattr(engine, "player", player)
        return together(*args, **options)


def assert_equal(ours: list[Trained], singly: list[Trained]) -> None:
    """The same bits, the same results, the same weights kept."""
    for run, other in zip(ours, singly, strict=True):
        assert run.bits() == other.bits()
        assert facts(run.result) == facts(other.result)
        assert run.evaluated_at == other.evaluated_at
        assert kept(run) == kept(other)


def kept(run: Trained) -> list[bytes]:
    """The weights that were kept."""
    found = [kept for block in run.blocks for kept in block.kept.values()]
    return [weights.tobytes() for each in found for weights in each.weights.values()]


@all_cases
@pytest.mark.parametrize("player", [Buffered, Taped])
def test_runs_have_the_bits_of_updates_taken_one_by_one(
    player: Any, case: str, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells(**(CASES | ENDINGS)[case])
    assert_equal(played(player, monkeypatch, cohort), played(Single, monkeypatch, cohort))


@all_cases
def test_runs_that_are_cut_short_and_resumed_end_with_the_same_bits(
    case: str, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells(**(CASES | ENDINGS)[case])
    whole = played(Single, monkeypatch, cohort)
    cut = played(Taped, monkeypatch, cohort, block_steps=11)
    assert_equal(cut, whole)
    middle = cut[0].states[len(cut[0].states) // 2]
    for position, run in enumerate(played(Taped, monkeypatch, cohort, state.from_bytes(state.to_bytes(middle)))):
        if run.blocks:
            assert facts(run.result) == facts(whole[position].result)
            assert all(whole[position].bits()[metric].endswith(bits) for metric, bits in run.bits().items())


def test_graphs_are_captured_once_a_kind_after_a_warm_up_that_is_taken_back(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells(batch_sizes=[300], budget={"epochs": 20}, lr=RATES, momentum=0.9, evaluate={"every_epochs": 20})
    cuda = Cuda()

    class Counting(Graphs):
        def made(self, take: Callable[[], None]) -> Callable[[], None]:
            taken = 0

            def counted() -> None:
                nonlocal taken
                taken += 1
                take()

            cuda.training = self._training
            play = super().made(counted)
            assert taken == WARM_UPS + 1
            return play

    singly = played(Single, monkeypatch, cohort)
    with monkeypatch.context() as patched:
        for name in CUDA:
            patched.setattr(torch.cuda, name, getattr(cuda, name))
        assert_equal(played(Counting, monkeypatch, cohort), singly)
    assert gc.isenabled()
    assert cuda.captured == 2  # two batches of 300 at a time, one of 200
    assert cuda.replayed == 40
    assert cuda.most == AHEAD


def test_graphs_go_with_their_stack_and_wait_for_no_collection(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda()
    for name in CUDA:
        monkeypatch.setattr(torch.cuda, name, getattr(cuda, name))
    cuda.training, taken = begun(cells(lr=RATES))
    graphs = Graphs(cuda.training)
    graphs.ready([next(taken)])()
    gone = weakref.ref(graphs)
    with uncollected():
        del graphs
        assert gone() is None


@cases
def test_an_update_asks_nothing_of_the_host(case: str, cells: Cells) -> None:
    training, taken = begun(cells(**CASES[case]))
    update = next(taken)
    with Tape() as tape:
        training.update(*update)
    asking = {"_to_copy", "scalar_tensor", "lift_fresh", "_local_scalar_dense", "nonzero", "masked_select"}
    assert not asking & {func.overloadpacket.__name__ for func in tape.operations}


def begun(cohort: tuple[Cell, ...]) -> tuple[Training, Iterator[Any]]:
    """A stack that has taken no update, and what its updates take."""
    training = Training(Stack(cohort, cohort[0].dataset.load(Path()), torch.device("cpu")))
    return training, zip(training.stack.rows(0), training.numbers(0), strict=False)


def test_what_is_taken_on_trial_is_taken_back(cells: Cells) -> None:
    training, taken = begun(cells(**CASES["every probe"]))
    for _ in range(2):
        training.update(*next(taken))
    before = training.arrays()
    with training.on_trial():
        training.update(*next(taken))
        training.freeze(torch.ones(len(training.stack), dtype=torch.bool))
        assert any(value.tobytes() != before[name].tobytes() for name, value in training.arrays().items())
    assert all(value.tobytes() == before[name].tobytes() for name, value in training.arrays().items())


def test_a_run_leaves_alone_what_the_one_before_it_gave(cells: Cells) -> None:
    training, taken = begun(cells(lr=RATES))
    updates = [next(taken) for _ in range(4)]
    run = Run(training, updates[:2])
    first = run()
    kept = first.clone()
    run.load(updates[2:])
    assert not torch.equal(run(), kept)
    assert torch.equal(first, kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_sizes": [300], "budget": {"steps": 40}},
        {"batch_sizes": [100], "evaluate": {"every_steps": 11}},
        {"batch_sizes": ["full"], "evaluate": {"every_steps": 25}},
        {"batch_sizes": [7], "evaluate": {"every_epochs": 1}, "budget": {"epochs": 3}},
    ],
)
def test_a_run_goes_on_until_the_number_of_rows_changes_or_something_is_evaluated(
    changes: dict[str, Any], cells: Cells
) -> None:
    (cell,) = cells(**changes)
    _, taken = begun((cell,))
    sizes = [0 if rows is None else rows.shape[1] for (rows, _), _ in zip(taken, range(cell.steps), strict=False)]
    following = unbroken(cell)
    for done in range(cell.steps):
        alike = len(next(list(group) for _, group in groupby(sizes[done:])))
        evaluated = next(n for n in range(1, cell.steps + 1) if (done + n) % cell.evaluate_every == 0)
        assert following(done) == min(alike, evaluated, cell.steps - done)


def test_runs_are_as_long_as_powers_of_two(cells: Cells) -> None:
    training, _ = begun(cells())
    lengths = [Buffered(training).length(most) for most in (1, 2, 3, 10, 16, 1000)]
    assert lengths == [1, 2, 2, 8, LONGEST, LONGEST]
    assert Single(training).length(1000) == 1


def test_the_updates_of_a_run_have_equal_parts_of_its_seconds(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    run, *_ = played(Buffered, monkeypatch, cells(lr=RATES))  # evaluated every 10 updates: runs of 8 and of 2
    seconds = run.curve("step_seconds").reshape(3, 10)
    assert (seconds[:, :8] == seconds[:, :1]).all()
    assert (seconds[:, 8] == seconds[:, 9]).all()
    assert (seconds > 0).all()
    assert len(np.unique(seconds)) == 6


def test_a_block_is_closed_when_what_it_holds_fills_the_memory(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchlab.engines.stacked.ledger.MOST_BYTES", 8 * 2 * 5)  # five losses of two cells
    for player in (Single, Buffered):
        for run in played(player, monkeypatch, cells(lr=RATES, probes=[])):
            assert [block.n for block in run.blocks] == [5] * 6


@on_a_gpu
@all_cases
def test_graphs_have_the_bits_of_updates_taken_one_by_one_on_the_same_gpu(
    case: str, cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = cells(**(CASES | ENDINGS)[case])
    singly = played(Single, monkeypatch, cohort, device="cuda:0")
    assert_equal(played(Graphs, monkeypatch, cohort, device="cuda:0"), singly)
    cut = played(Graphs, monkeypatch, cohort, device="cuda:0", block_steps=11)
    assert_equal(cut, singly)
    middle = cut[0].states[len(cut[0].states) // 2]
    for position, run in enumerate(played(Graphs, monkeypatch, cohort, middle, device="cuda:0")):
        assert all(singly[position].bits()[metric].endswith(bits) for metric, bits in run.bits().items())


@on_a_gpu
@all_cases
def test_a_stack_on_a_gpu_gives_the_curves_that_it_gives_on_a_cpu(case: str, cells: Cells) -> None:
    cohort = cells(**(CASES | ENDINGS)[case])
    for ours, other in zip(together(cohort, device="cuda:0"), together(cohort), strict=True):
        assert ours.ending.status == other.ending.status
        for metric in set(ours.metrics()) - {"step_seconds"}:
            n = min(len(ours.curve(metric)), 10)  # roundings grow from update to update
            np.testing.assert_allclose(ours.curve(metric)[:n], other.curve(metric)[:n], rtol=1e-3, atol=1e-5)
