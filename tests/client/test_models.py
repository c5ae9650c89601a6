"""The response models: what a client can rely on when it reads an answer."""

import inspect
import math
import subprocess
import sys

import pytest
from batchlab.results import AVERAGED
from batchlab_client import models
from pydantic import ValidationError

ALL = [
    cls
    for _, cls in inspect.getmembers(models, inspect.isclass)
    if issubclass(cls, models.Model) and cls is not models.Model
]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_every_model_says_what_it_is_and_has_a_schema(model: type[models.Model]) -> None:
    assert model.__doc__ and model.__doc__ != models.Model.__doc__
    assert model.model_json_schema()["type"] == "object"


def test_a_number_that_is_not_finite_is_written_as_null() -> None:
    estimate = models.Estimate(mean=math.nan, sd=math.inf, ci95=None)
    assert estimate.model_dump_json() == '{"mean":null,"sd":null,"ci95":null}'


def test_a_group_keeps_its_metrics_as_estimates() -> None:
    metrics = '"val_loss":{"mean":1.5,"sd":null,"ci95":[1,2]},"mean_grad_norm/b":{"mean":2,"sd":null,"ci95":null}'
    group = models.Group.model_validate_json(
        '{"by":{"batch_size":4},"n":2,"n_diverged":0,"n_failed":0,' + metrics + "}"
    )
    assert group.val_loss == models.Estimate(mean=1.5, sd=None, ci95=(1.0, 2.0))
    assert group.metrics["val_loss"] == group.val_loss
    assert group.metrics["mean_grad_norm/b"].mean == 2.0
    assert models.Group.model_validate_json(group.model_dump_json()) == group


def test_a_group_without_a_succeeded_cell_has_the_contracts_metrics_without_numbers() -> None:
    group = models.Group(by={}, n=0, n_diverged=2, n_failed=0)
    assert (group.val_accuracy.mean, group.val_accuracy.sd, group.val_accuracy.ci95) == (None, None, None)
    assert group.metrics.keys() == set(AVERAGED)


def test_a_metric_that_is_no_estimate_is_refused() -> None:
    with pytest.raises(ValidationError, match="val_loss"):
        models.Group.model_validate({"by": {}, "n": 1, "n_diverged": 0, "n_failed": 0, "val_loss": 3})


def test_fields_of_a_later_version_are_ignored() -> None:
    part = models.Part.model_validate({"ok": True, "detail": "fine", "colour": "green"})
    assert part.model_dump() == {"ok": True, "detail": "fine"}


def test_a_problem_keeps_members_that_belong_to_its_kind() -> None:
    problem = models.Problem.model_validate(
        {"type": "/docs#not-ready", "title": "t", "status": 503, "detail": "d", "request_id": "r", "parts": {"a": 1}}
    )
    assert problem.model_extra == {"parts": {"a": 1}}


def test_a_status_that_the_contract_does_not_name_is_refused() -> None:
    with pytest.raises(ValidationError):
        models.StatusEvent.model_validate({"status": "lost", "error": None})


def test_the_models_need_pydantic_alone() -> None:
    code = (
        "import sys, batchlab_client.models; print([m for m in ('fastapi', 'numpy', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
