"""How long experiments take on given workers: planned as they plan, by their measured rates. Loads no torch."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from batchlab import cost, engines
from batchlab.cell import Cell
from batchlab.cost import TYPICAL, Rates


@dataclass(frozen=True)
class Workplace:
    """A worker, as far as time goes."""

    device: str = "cpu"
    rates: Mapping[str, Rates] = field(default_factory=dict)
    """By kind of device: cpu, cuda."""
    speeds: Mapping[str, float] = field(default_factory=dict)
    """By engine: seconds, as the rates have them, that it did in a second of late."""

    @property
    def known(self) -> bool:
        """Whether anything was measured there."""
        return bool(self.rates or self.speeds)

    def plan(self, cells: Sequence[Cell]) -> tuple[str, int, list[float]]:
        """The engine that trains these cells, which are alike, how many of them together, and for each the seconds of
        an update, its share of evaluations and what is stored of it included."""
        device = "cpu" if cells[0].queue == "cpu" else self.device
        rates = self.rates.get(device.partition(":")[0])
        try:
            engine, together = engines.plan(cells, device, rates)
        except ValueError:  # the spec names an engine that is for another device
            engine, together = cells[0].engine, 1
        of = (cost.of_an_update(cell, engine, together, rates or TYPICAL) + cost.stored(cell) for cell in cells)
        return engine, together, list(of)

    def speed(self, engine: str) -> float:
        """As `speeds`; where the engine has none, the rates are believed, and without any, it is the others' best."""
        return self.speeds.get(engine) or (1.0 if self.rates else max(self.speeds.values()))

    def work(self, cells: Sequence[Cell]) -> list[float]:
        """Seconds of an update of each cell of an experiment."""
        found: dict[int, float] = {}
        for alike in _alike(cells):
            found |= dict(zip((cell.ordinal for cell in alike), self.plan(alike)[2], strict=True))
        return [found[cell.ordinal] for cell in cells]


def eta(cells: Sequence[Cell], places: Sequence[Workplace]) -> float | None:
    """Seconds for these cells, where these workers share them; None where nothing was measured at any."""
    measured = [place for place in places if place.known]
    if not measured:
        return None
    kinds = defaultdict[str, list[Workplace]](list)
    for place in measured:
        kinds[repr((place.device.partition(":")[0], place.rates))].append(place)
    shared, longest = 0.0, 0.0
    for alike in _alike(cells):
        done, firsts = 0.0, []
        for same in kinds.values():  # as many plans as there are kinds: a lab may have a hundred workers
            engine, whole, first = _seconds(alike, same[0])
            speeds = [place.speed(engine) for place in same]
            done += sum(speeds) / whole
            firsts.append(first / max(speeds))
        shared += 1 / done
        longest = max(longest, min(firsts))
    return max(shared, longest)  # one worker has a cohort to itself


def _alike(cells: Sequence[Cell]) -> list[list[Cell]]:
    found = defaultdict[str, list[Cell]](list)
    for cell in cells:
        found[engines.stack_key(cell)].append(cell)
    return list(found.values())


def _seconds(cells: Sequence[Cell], place: Workplace) -> tuple[str, float, float]:
    """The engine for these cells at such a worker, and by its rates the seconds of all of them and of the first cohort
    that it makes of them."""
    engine, together, updates = place.plan(cells)
    each = [max(cell.steps, 1) * update for cell, update in zip(cells, updates, strict=True)]
    return engine, sum(each), sum(each[:together])
