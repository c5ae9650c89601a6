"""What a GPU compiles for an update, compiled for the host: the numbers of the rules that a CPU takes."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from batchlab.cell import Cell
from batchlab.engines.stacked import fused
from batchlab.engines.stacked.descent import Rule, rule
from batchlab.engines.stacked.stack import Stack
from batchlab.engines.stacked.training import Training
from test_stacked import CASES, RATES

Cells = Callable[..., tuple[Cell, ...]]
MORE: dict[str, dict[str, Any]] = {
    "decay without momentum": {"optimizer": {"kind": "sgd", "weight_decay": [0.0, 0.1]}, "lr": RATES},
    "decay and momentum": {"optimizer": {"kind": "sgd", "weight_decay": [0.0, 0.1]}, "momentum": [0.0, 0.9]},
}
needs_a_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Any]:
    """In the place of `fused.kernel`: loops of this processor over numbers in double precision."""
    folder = tmp_path_factory.mktemp("kernels")

    @cache
    def kernel(code: str, outputs: int) -> Callable[..., tuple[torch.Tensor, ...]]:
        signature = code.partition("{")[0]
        name, count = signature.partition("void ")[2].partition("(")[0], signature.count("T ")
        given = ", ".join([f"in[{i}][n]" for i in range(count)] + [f"out[{i}][n]" for i in range(outputs)])
        source = folder / f"{name}{len(list(folder.iterdir()))}.cpp"
        source.write_text(
            f"#include <cmath>\nusing std::sqrt;\n{code}\n"
            'extern "C" void run(long size, double** in, double** out) {'
            f"for (long n = 0; n < size; ++n) {name}<double>({given}); }}"
        )
        library = source.with_suffix(".so")
        subprocess.run(["g++", "-O1", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        loop = ctypes.CDLL(str(library)).run

        def run(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
            assert len(values) == count <= 8  # no more are taken
            assert {value.dtype for value in values} == {torch.float64}
            given = [value.contiguous() for value in torch.broadcast_tensors(*values)]
            found = tuple(torch.empty_like(given[0]) for _ in range(outputs))
            places = [(ctypes.c_void_p * len(each))(*(t.data_ptr() for t in each)) for each in (given, found)]
            loop(ctypes.c_long(given[0].numel()), *places)
            return found

        return run

    return kernel


def trained(cohort: tuple[Cell, ...], make: Callable[[Stack], Rule]) -> tuple[Training, list[torch.Tensor]]:
    """The stack after some updates, of which one cell takes no part in the last, and what was measured."""
    training = Training(Stack(cohort, cohort[0].dataset.load(Path()), torch.device("cpu")))
    training.rule = make(training.stack)
    updates = list(islice(zip(training.stack.rows(0), training.numbers(0), strict=False), 12))
    found = [training.update(*each) for each in updates[:-1]]
    training.freeze(torch.arange(len(cohort)) == 0)
    return training, [*found, training.update(*updates[-1])]


@needs_a_compiler
@pytest.mark.parametrize("case", CASES | MORE)
def test_kernels_give_what_single_operations_give(case: str, cells: Cells, host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(fused, "kernel", host)
    cohort = cells(**{**(CASES | MORE)[case], "precision": "float64", "engine": "stacked"})
    (ours, found), (others, expected) = trained(cohort, fused.rule), trained(cohort, rule)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)
    torch.testing.assert_close(ours.stack.weights, others.stack.weights, rtol=1e-9, atol=1e-12)
    for name, memory in others.rule.memory.items():
        torch.testing.assert_close(ours.rule.memory[name], memory, rtol=1e-9, atol=1e-12)
