"""The rates of a machine: how they are found from runs, and when they are measured."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batchlab import calibration, cost
from batchlab.calibration import known, measure, rates
from batchlab.cost import Costs, Rates

FOUND = Rates(reference=Costs(update=1e-4), stacked=Costs(update=2e-4))


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """An empty cache, and the devices that are measured from then on."""
    devices: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(calibration, "measure", lambda device: devices.append(device) or FOUND)
    calibration._found.cache_clear()
    yield devices
    calibration._found.cache_clear()


@pytest.mark.parametrize("engine", ["reference", "layer", "compiled", "stacked"])
def test_rates_that_made_the_times_are_found_again(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Costs(update=1e-4, array=2e-5, cell=3e-6, weight=4e-9, row=2e-8, dense=5e-11, filter=4e-10, output=2e-9)

    def made(_: str, cells: Any, *__: Any) -> float:
        return full.of(cost.features(cells[0], len(cells)))

    monkeypatch.setattr(calibration, "seconds", made)
    found, misfit = calibration._fit(engine, "cpu")
    assert misfit < 1e-6
    for model, batch, together, _ in calibration.RUNS[engine]:
        cells, _ = calibration._cells("reference", (model, batch, together, 1))
        counts = cost.features(cells[0], together)
        assert found.of(counts) == pytest.approx(full.of(counts), rel=1e-6)


def test_no_rate_is_negative_where_times_are_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(3)
    full = Costs(update=1e-4, array=1e-6, weight=1e-9, dense=5e-11)
    monkeypatch.setattr(
        calibration, "seconds", lambda _, cells, *__: full.of(cost.features(cells[0])) * noise.uniform(0.8, 1.25)
    )
    found, misfit = calibration._fit("reference", "cpu")
    assert min(found.model_dump().values()) >= 0
    assert 0 < misfit < 0.3


def test_this_machine_is_measured_by_its_engines() -> None:
    found = measure("cpu")
    assert found.layer is not None and found.compiled is not None
    for costs in (found.reference, found.layer, found.compiled, found.stacked):
        values = np.array([*costs.model_dump().values()])
        assert np.isfinite(values).all() and (values >= 0).all() and values.any()
    assert 0 < found.bytes <= 2**30 and all(gain > 0 for gain in found.threads.values())
    softmax, _ = calibration._cells("reference", (calibration.SOFTMAX, 1, 1, 1))
    counts = cost.features(softmax[0])
    assert found.layer.of(counts) < found.reference.of(counts)


def test_a_device_whose_stacks_are_wrong_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = calibration._curves

    def wrong(engine: str, *args: Any) -> Any:
        return real(engine, *args) * (1.01 if engine == "stacked" else 1.0)

    monkeypatch.setattr(calibration, "_curves", wrong)
    with pytest.raises(ArithmeticError, match="a stack on cpu is 1% off"):
        measure("cpu")


def test_they_are_measured_once_and_kept(measured: list[str]) -> None:
    assert known("cpu") is None
    assert rates("cpu") == rates("cpu") == known("cpu") == FOUND
    calibration._found.cache_clear()  # as in another process
    assert rates("cpu") == FOUND and measured == ["cpu"]
    assert known("cpu", threads=64) is None  # another number of threads is another machine
    assert rates("cpu", anew=True) == FOUND and measured == ["cpu", "cpu"]


def test_of_several_that_ask_at_once_one_measures(measured: list[str]) -> None:
    def ask(_: int) -> Rates:
        return calibration._found.__wrapped__("cpu", False)

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ask, range(8))] == [FOUND] * 8
    assert measured == ["cpu"]


@pytest.mark.parametrize("content", ["", "{", '{"reference": 3}', "\x00"])
def test_a_file_that_is_no_rates_is_measured_anew(content: str, measured: list[str]) -> None:
    rates("cpu")
    calibration._place("cpu").write_text(content)
    calibration._found.cache_clear()
    assert known("cpu") is None and rates("cpu") == FOUND and measured == ["cpu", "cpu"]
    assert known("cpu") == FOUND


def test_without_a_place_to_keep_them_they_are_measured_all_the_same(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert rates("cpu") == rates("cpu") == FOUND and measured == ["cpu"] and known("cpu") is None


def test_the_typical_rates_are_for_every_engine() -> None:
    assert cost.TYPICAL.layer is not None and cost.TYPICAL.compiled is not None
