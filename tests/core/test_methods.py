"""What may be added to plain training, against closed forms, torch, and pictures whose change is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from batchlab import datasets, streams
from batchlab.cell import Cell
from batchlab.datasets import Arrays, Info
from batchlab.engines.objective import Augmenter
from batchlab.engines.stepping import kept_buffers
from batchlab.engines.task import Task
from batchlab.errors import SpecError
from batchlab.methods.augmentations import Crop, Cutout, Flip
from torch import Tensor
from torch.nn import functional

Cells = Callable[..., tuple[Cell, ...]]
Train = Callable[..., Any]
RATE = {"rule": "fixed", "base": 0.1}
X = np.array([-2.0, 0.0, 2.0, -1.0, 1.0, 1.5], np.float32)


class Points(datasets.Sectors):
    """The rows x of a regression y = 0, which also validate."""

    kind: Literal["points"] = "points"  # type: ignore[assignment]
    facts: ClassVar[Info] = Info(6, 6, (1,), None)


DATA = Arrays(X[:, None], np.zeros(6, np.float32), X[:, None], np.zeros(6, np.float32))
Start = Callable[..., tuple[Cell, Task]]


@pytest.fixture
def line(cells: Cells) -> Start:
    """One weight that starts at 1, six rows in one batch, the rate 0.1: f(w) = w^2 mean(x^2) / 2."""
    (base,) = cells(dataset={"kind": "diabetes"}, model={"kind": "linear", "bias": False}, init="ones", lr=RATE)
    fields = {name: getattr(base, name) for name in Cell.model_fields} | {"dataset": Points(), "batch_size": 6}

    def start(**changes: Any) -> tuple[Cell, Task]:
        (spec,) = cells(dataset={"kind": "iris"}, lr=RATE, **changes)
        own = {name: getattr(spec, name) for name in ("clip", "proximal", "adversarial")}
        cell = Cell.model_construct(**{**fields, **own, "precision": "float64"})
        return cell, Task(cell, DATA, torch.device("cpu"))

    return start


def update(task: Task, most_rows: int = 6) -> tuple[float, float]:
    """The value of what is minimised and the weight after one update."""
    task.most_rows = most_rows
    task.begin(1, 0)
    value = float(task.backward(slice(None)))
    task.step()
    return value, task.params[0].item()


def task_of(cell: Cell) -> Task:
    return Task(cell, cell.dataset.load(Path()), torch.device("cpu"))


CURVATURE = float(np.mean(X.astype(np.float64) ** 2))


@pytest.mark.parametrize(("clip", "cut"), [({"norm": 0.5}, 0.5), ({"value": 0.25}, 0.25), ({"norm": 9.0}, CURVATURE)])
def test_a_gradient_is_cut_before_the_step(clip: dict[str, float], cut: float, line: Start) -> None:
    _, task = line(clip=clip)
    assert update(task)[1] == pytest.approx(1 - 0.1 * cut, rel=1e-5)


def test_the_norm_of_all_parameters_together_is_cut_and_recorded_as_it_was(cells: Cells, train: Train) -> None:
    (cell,) = cells(clip={"norm": 0.01})
    (plain,) = cells()
    done = train(cell)
    assert done.curve("grad_norm")[0] == train(plain).curve("grad_norm")[0] > 0.1
    np.testing.assert_allclose(done.curve("update_norm"), 0.5 * 0.01, rtol=1e-4)


def test_conservative_training_takes_its_steps_around_the_start_of_the_update(line: Start) -> None:
    """`w_{j+1} = w_j - lr (h w_j + s (w_j - w_0))`, three times."""
    _, task = line(proximal={"strength": 2.0, "inner": 3})
    w = 1.0
    for _ in range(3):
        w -= 0.1 * (CURVATURE * w + 2.0 * (w - 1.0))
    value, found = update(task)
    assert (value, found) == pytest.approx((CURVATURE / 2, w), rel=1e-12)


def test_many_inner_steps_reach_the_proximal_point(line: Start) -> None:
    """The minimum of `h w^2 / 2 + s (w - 1)^2 / 2` is `s / (h + s)`; the next update starts from there."""
    _, task = line(proximal={"strength": 2.0, "inner": 300})
    point = 2.0 / (CURVATURE + 2.0)
    assert update(task)[1] == pytest.approx(point, rel=1e-12)
    assert update(task)[1] == pytest.approx(point**2, rel=1e-12)


@pytest.mark.parametrize("most_rows", [6, 2])
def test_the_adversary_moves_rows_along_the_sign_of_their_gradient(most_rows: int, line: Start) -> None:
    """Of `w^2 x^2 / 2` that is away from 0, and nowhere at 0: x becomes x + epsilon sign(x)."""
    _, task = line(adversarial={"kind": "fgsm", "epsilon": 0.5, "share": 0.25})
    moved = X + 0.5 * np.sign(X)
    h = 0.75 * CURVATURE + 0.25 * float(np.mean(moved.astype(np.float64) ** 2))
    assert update(task, most_rows) == pytest.approx((h / 2, 1 - 0.1 * h), rel=1e-6)


@pytest.mark.parametrize("most_rows", [6, 2])
def test_stability_asks_for_equal_outputs_under_noise(most_rows: int, line: Start) -> None:
    cell, task = line(adversarial={"kind": "stability", "sigma": 0.3, "weight": 2.0})
    noise = streams.generator(cell.seed, "jitter", 1).standard_normal((6, 1), dtype="float32").astype(np.float64)
    h = CURVATURE + 2.0 * 0.3**2 * float(np.mean(noise**2))
    assert update(task, most_rows) == pytest.approx((h / 2, 1 - 0.1 * h), rel=1e-6)


def test_stability_of_classes_is_the_cross_entropy_of_the_predictions(cells: Cells) -> None:
    (cell,) = cells(dataset={"kind": "iris"}, adversarial={"kind": "stability", "weight": 0.5}, init="xavier")
    task = task_of(cell)
    x, targets = task.train.x[:9], task.train.targets[:9]
    noise = streams.generator(cell.seed, "jitter", 4).standard_normal((9, 4), dtype="float32")
    with torch.no_grad():
        clean, moved = task.outputs(x), task.outputs(x + 0.1 * torch.from_numpy(noise))
        apart = -(clean.softmax(1) * moved.log_softmax(1)).sum(1).mean()
    task.begin(4, 0)
    expected = functional.cross_entropy(clean, targets) + 0.5 * apart
    torch.testing.assert_close(task.backward(torch.arange(9)), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_label_smoothing_is_torchs_and_only_in_training(reduction: str, cells: Cells) -> None:
    (cell,) = cells(dataset={"kind": "iris"}, label_smoothing=0.2, init="xavier", reduction=reduction)
    task, rows = task_of(cell), torch.arange(40)
    with torch.no_grad():
        outputs = task.outputs(task.train.x)
    smooth = functional.cross_entropy(outputs[rows], task.train.targets[rows], reduction=reduction, label_smoothing=0.2)
    torch.testing.assert_close(task.backward(rows), smooth)
    plain = functional.cross_entropy(outputs, task.train.targets)
    assert float(task.evaluate()["train_loss"]) == pytest.approx(float(plain), rel=1e-6)


def test_a_second_pass_moves_no_running_statistics_and_the_first_still_goes_back() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    x = torch.arange(8.0).reshape(4, 2)
    first = net(x).square().sum()
    kept = {name: value.clone() for name, value in net.named_buffers()}
    with kept_buffers(net):
        second = net(2 * x).square().sum()
    (first + second).backward()
    for name, value in net.named_buffers():
        assert torch.equal(value, kept[name]), name


PICTURE = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)


def changed(augmentation: Any, drawn: list[int]) -> Any:
    before = PICTURE.clone()
    result = augmentation.apply(PICTURE, torch.tensor([drawn]))
    assert torch.equal(PICTURE, before)
    return result[0, 0].tolist()


def test_a_flip_mirrors_left_to_right() -> None:
    assert changed(Flip(), [0]) == PICTURE[0, 0].tolist()
    assert changed(Flip(), [1]) == [[4, 3, 2, 1], [8, 7, 6, 5], [12, 11, 10, 9]]


def test_a_crop_moves_a_picture_and_pads_with_zeros() -> None:
    assert changed(Crop(padding=1), [1, 1]) == PICTURE[0, 0].tolist()
    assert changed(Crop(padding=1), [0, 0]) == [[0, 0, 0, 0], [0, 1, 2, 3], [0, 5, 6, 7]]
    assert changed(Crop(padding=1), [2, 1]) == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]


def test_a_cutout_blanks_a_square_and_loses_what_is_beyond_the_border() -> None:
    assert changed(Cutout(size=2), [1, 1]) == [[0, 0, 3, 4], [0, 0, 7, 8], [9, 10, 11, 12]]
    assert changed(Cutout(size=2), [0, 0]) == [[0, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert changed(Cutout(size=3), [2, 3]) == [[1, 2, 3, 4], [5, 6, 0, 0], [9, 10, 0, 0]]


ALL = [{"kind": "crop", "padding": 2}, {"kind": "flip"}, {"kind": "cutout", "size": 3}]


def digits(cells: Cells, **changes: Any) -> Cell:
    return cells(dataset={"kind": "digits"}, lr=RATE, augment=ALL, **changes)[0]


def test_what_happens_to_a_picture_depends_on_seed_epoch_and_row_alone(cells: Cells) -> None:
    task, augmenter = task_of(digits(cells)), Augmenter(digits(cells), torch.device("cpu"))

    def seen(rows: Any, epoch: int) -> Tensor:
        augmenter.begin(epoch)
        return augmenter(task.train.x[rows], rows)

    whole = seen(slice(None), 3)
    assert torch.equal(seen(torch.tensor([7, 900, 4]), 3), whole[[7, 900, 4]])
    assert torch.equal(seen(slice(100, 200), 3), whole[100:200])
    assert not torch.equal(seen(slice(None), 4), whole)
    assert torch.equal(seen(slice(None), 3), whole)
    other = Augmenter(digits(cells, seeds=[1]), torch.device("cpu"))
    other.begin(3)
    assert not torch.equal(other(task.train.x, slice(None)), whole)


def test_flips_are_even_and_crops_uniform() -> None:
    rng, rows = np.random.default_rng(0), 8000
    assert abs(Flip().draw(rng, rows, (1, 8, 8)).mean() - 0.5) < 4 * 0.5 / np.sqrt(rows)
    counts = np.bincount(Crop(padding=2).draw(rng, rows, (1, 8, 8)).ravel(), minlength=5)
    assert ((counts - 2 * rows / 5) ** 2 / (2 * rows / 5)).sum() < 18.5  # the 0.999 quantile of chi-squared with 4


def test_pictures_are_changed_in_training_and_never_in_evaluation(cells: Cells, train: Train) -> None:
    ours = train(digits(cells, budget={"steps": 2}))
    (cell,) = cells(dataset={"kind": "digits"}, lr=RATE, budget={"steps": 2})
    theirs = train(cell)
    assert ours.curve("train_loss")[0] == theirs.curve("train_loss")[0]
    assert ours.curve("grad_norm")[0] != theirs.curve("grad_norm")[0]


def test_augmented_batches_may_be_trained_in_parts(cells: Cells) -> None:
    whole, parts = (task_of(digits(cells, precision="float64")) for _ in range(2))
    parts.most_rows = 30
    rows = torch.arange(100) * 7
    torch.testing.assert_close(parts.backward(rows), whole.backward(rows))
    torch.testing.assert_close(parts.params[0].grad, whole.params[0].grad)


@pytest.mark.parametrize(
    ("changes", "loc", "words"),
    [
        ({"augment": [{"kind": "flip"}]}, ("augment", 0, "kind"), "flip is for pictures"),
        ({"dataset": {"kind": "diabetes"}, "model": {"kind": "linear"}, "label_smoothing": 0.1},
         ("label_smoothing",), "cross-entropy"),
        ({"loss": "half_squared_error", "label_smoothing": 0.1}, ("label_smoothing",), "cross-entropy"),
        ({"label_smoothing": 1.0}, ("label_smoothing",), "less than 1"),
        ({"clip": {}}, ("clip",), "give one of norm and value"),
        ({"clip": {"norm": 1.0, "value": 1.0}}, ("clip",), "give one of norm and value"),
        ({"proximal": {"inner": 1}}, ("proximal", "inner"), "greater than or equal to 2"),
        ({"adversarial": {"kind": "fgsm", "share": 0.0}}, ("adversarial", "share"), "greater than 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_path(
    changes: dict[str, Any], loc: tuple[Any, ...], words: str, cells: Cells
) -> None:
    with pytest.raises(SpecError) as refused:
        cells(**changes)
    assert refused.value.faults[0].loc == loc
    assert words in refused.value.faults[0].msg
