"""What an analysis is: a kind that looks at trained cells, piece by piece, and can be taken up after any piece.

    run(subjects, state or None) -> Iterator[(Piece, snapshot)]

As with an engine, the caller does the I/O: a piece is a bounded stretch of work (a pass or a few over the rows), its
`fraction` says how far the analysis is, and `snapshot()` gives the state right after it, valid until the next item and
serialised by `batchlab.state`. The last piece holds the `Finding`. To cancel, stop iterating; an analysis that is taken
up from a state ends with the bits of an undisturbed one, its seconds aside.

An analysis is written as a generator that yields its fraction whenever it has put something new into `Held`, from which
it goes on. (To yield without anything new is to do the same work for ever where each slice is one piece.)
"""

import json
import math
import time
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from batchlab.cell import Cell
from batchlab.datasets import Arrays
from batchlab.engines.base import Snapshot, State
from batchlab.kinds import Kind

T = TypeVar("T")
Work = Generator[float, None, T]
"""A computation that yields how far it is (0 .. 1) after each piece, and returns what it was for."""
Inputs = Literal["one", "two", "three", "all"]
"""How many cells an analysis looks at: one, a pair, three, or all of an experiment that ended well."""
Weights = Mapping[str, NDArray[Any]]
"""A network's parameters and buffers by name."""
Needs = Literal["weights", "trajectory", "results"]
"""What it looks at: the weights of one checkpoint of each cell, of all its checkpoints, or only the cells' results."""


@dataclass(frozen=True)
class Subject:
    """A trained cell. `weights` are its checkpoints by their steps, ascending; the last one is looked at.

    `data` and `weights` may be left out, and `result` (the cell's, as the contract has it) given, where an analysis
    `needs` results alone.
    """

    cell: Cell
    data: Arrays | None = None
    weights: Mapping[int, Weights] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None

    @property
    def last(self) -> Weights:
        """The weights that are looked at."""
        return self.weights[max(self.weights)]


def weights_of(state: State) -> Weights:
    """The weights in a training state."""
    return {name.removeprefix("net/"): value for name, value in state.arrays.items() if name.startswith("net/")}


@dataclass(frozen=True)
class Finding:
    """What an analysis has found.

    `values` are JSON scalars; `arrays` hold what plots need, by name; `meta` says how far to trust it: by the value's
    name `standard_error` and `residual`, then `converged`, `precision`, `batch_norm`, `rows`, `part`, `seconds`, ..
    A number that does not exist is None.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """How far an analysis is (0 .. 1), and at its end what it has found."""

    fraction: float
    finding: Finding | None = None


CHUNK = 1024
"""Numbers in one array of a series."""


class Held:
    """What an analysis has worked out so far, by name. An array that is put here is never written to again."""

    def __init__(self, arrays: dict[str, NDArray[Any]], prefix: str = "") -> None:
        self._arrays, self._prefix = arrays, prefix

    def part(self, name: str) -> "Held":
        """The corner of a part of the work, whose names are its own."""
        return Held(self._arrays, f"{self._prefix}{name}/")

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[self._prefix + name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._arrays[self._prefix + name] = np.asarray(value)

    def series(self, name: str) -> list[NDArray[Any]]:
        """What `append` has put under this name, in order."""
        return [self[f"{name}.{i}"] for i in range(self._length(name))]

    def append(self, name: str, value: Any) -> None:
        """Put a further array under this name."""
        self[f"{name}.{self._length(name)}"] = value

    def numbers(self, name: str) -> NDArray[np.float64]:
        """What `add` has put under this name, in order."""
        return np.concatenate([np.zeros(0), *(np.ravel(chunk) for chunk in self.series(name))])

    def add(self, name: str, value: float) -> None:
        """Put a further number under this name: many share an array, so that a state of thousands stays small."""
        last = self._length(name) - 1
        if last >= 0 and self[f"{name}.{last}"].size < CHUNK:
            self[f"{name}.{last}"] = np.append(self[f"{name}.{last}"], float(value))
        else:
            self.append(name, np.array([value], np.float64))

    def _length(self, name: str) -> int:
        """How many arrays a series has, without a look at each."""
        over = 1
        while f"{name}.{over - 1}" in self:
            over *= 2
        return bisect_left(range(over), True, key=lambda i: f"{name}.{i}" not in self)

    def keep(self, name: str, value: Any) -> None:
        """Put something that JSON can say."""
        self[name] = np.frombuffer(json.dumps(value).encode(), np.uint8)

    def kept(self, name: str) -> Any:
        """What `keep` has put under this name."""
        return json.loads(self[name].tobytes())

    def clear(self) -> None:
        """Forget this part of the work."""
        for name in [name for name in self._arrays if name.startswith(self._prefix)]:
            del self._arrays[name]


class AnalysisKind(Kind):
    """The base of the family. Subclasses say what they look at, and write `work`."""

    family: ClassVar[str] = "analyses"
    inputs: ClassVar[Inputs] = "one"
    needs: ClassVar[Needs] = "weights"

    def check(self, cells: Sequence[Cell]) -> None:
        """Raise SpecError (paths relative to the analysis) where it makes no sense for these cells."""

    @abstractmethod
    def work(self, subjects: Sequence[Subject], held: Held, device: str) -> Work[Finding]:
        """Do the work from where `held` says it is, and return what was found."""

    def run(
        self, subjects: Sequence[Subject], state: State | None = None, *, device: str = "cpu"
    ) -> Iterator[tuple[Piece, Snapshot]]:
        """Analyse from the start or from `state`; the last item holds the finding, with its `seconds` in all."""
        arrays = {} if state is None else dict(state.arrays)
        before, began = 0.0 if state is None else float(state.meta["seconds"]), time.perf_counter()
        work, fraction, finding = self.work(subjects, Held(arrays), device), 0.0, None
        while finding is None:
            try:
                fraction = max(fraction, next(work))
            except StopIteration as end:
                fraction, finding = 1.0, end.value
            seconds = before + time.perf_counter() - began
            if finding is not None:
                meta = _finite({**finding.meta, "seconds": seconds})
                finding = Finding(_finite(finding.values), finding.arrays, meta)
            yield Piece(fraction, finding), _snapshot(arrays, seconds)


def _snapshot(arrays: dict[str, NDArray[Any]], seconds: float) -> Callable[[], State]:
    return lambda: State(dict(arrays), {"seconds": seconds})


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON cannot say."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def share(work: Work[T], number: int, of: int) -> Work[T]:
    """A part of some work, the `number`-th (from 0) `of` so many equal ones."""
    while True:
        try:
            fraction = next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield (number + fraction) / of


def finish(work: Work[T]) -> T:
    """All of the work at once: what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
