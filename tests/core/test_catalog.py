"""What the lab can do, as data for editors, forms and clients."""

import json
import subprocess
import sys
from typing import Any, get_args

import jsonschema
import pytest
from batchlab.catalog import catalog, datasets, experiment_schema
from batchlab.engines import NAMES
from batchlab.init import Scheme
from batchlab.studies import STUDIES

SPEC = {
    "dataset": {"kind": "sectors"},
    "model": {"kind": "softmax"},
    "batch_sizes": [1, "10%", "full"],
    "lr": {"rule": "fixed", "base": 0.5},
    "budget": {"epochs": 1},
}


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(json.dumps(experiment_schema()))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_schema_takes_good_specs(validator: Any) -> None:
    validator.validate(SPEC)
    validator.validate(SPEC | {"$schema": "http://lab/schema/experiment.json", "seeds": [1, 2], "momentum": [0.1]})
    for study in STUDIES.values():
        validator.validate(study.spec())


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"seeds": 0},
        {"batch_sizes": []},
        {"batch_sizes": ["ten"]},
        {"dataset": {"kind": "nothing"}},
        {"dataset": {}},
        {"optimizer": {"kind": "sgd", "beta1": 0.9}},
        {"lr": {"rule": "linear", "base": 0.1}},
        {"schedule": {"kind": "warmup", "length": 0.1, "then": {"kind": "warmup"}}},
    ],
)
def test_the_schema_refuses_bad_specs(change: dict[str, Any], validator: Any) -> None:
    assert not validator.is_valid(SPEC | change)


def test_the_schema_uses_no_word_that_draft_7_does_not_know(validator: Any) -> None:
    text = json.dumps(validator.schema)
    assert not [word for word in ('"$defs"', '"prefixItems"', '"discriminator"', "#/$defs/") if word in text]


def test_every_field_of_a_spec_says_what_it_is(validator: Any) -> None:
    assert [name for name, field in validator.schema["properties"].items() if not field.get("description")] == []


def test_every_description_is_kept_beside_a_reference(validator: Any) -> None:
    assert "How long" in json.dumps(validator.schema["definitions"]["Budget"])
    assert validator.schema["properties"]["seeds"]["description"].startswith("A count n")


def test_the_catalogue_names_every_family_and_choice() -> None:
    found = catalog()
    assert {"datasets", "models", "optimizers", "lr_rules", "schedules", "probes", "analyses"} < set(found)
    assert found["choices"]["init"] == list(get_args(Scheme))
    assert found["choices"]["engine"] == list(NAMES)
    assert found["models"]["mlp"]["doc"]
    json.dumps(found)


def test_data_sets_tell_their_facts_before_they_are_loaded() -> None:
    facts = {item["name"]: item for item in datasets()}
    assert facts["mnist"] | {"doc": ""} == {
        "name": "mnist", "doc": "", "rows": 60000, "test_rows": 10000, "shape": [1, 28, 28], "classes": 10,
        "task": "classification", "bundled": False,
        "sha256": "55c41ac0f5a8c45648c69c8349247c8db8573ea50fafdc37b5123844f825fae0",
    }  # fmt: skip
    assert facts["diabetes"]["classes"] is None
    assert facts["iris"]["bundled"]


def test_reading_specs_and_the_catalogue_loads_no_torch() -> None:
    code = (
        "import sys; from batchlab.catalog import catalog, experiment_schema;"
        "from batchlab import results, studies, plan; from batchlab.spec import parse_spec;"
        "catalog(); experiment_schema();"
        "parse_spec(studies.STUDIES['accuracy-vs-batch'].spec());"
        "print(sorted({'torch', 'sklearn', 'scipy', 'pooch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
