"""Data of one's own, from the command line to a trained network, over real processes."""

import json
from pathlib import Path

import pytest
from batchlab_client import Client
from batchlab_lab import cli, exits
from batchlab_lab.embedded import Embedded

CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10-small" / "cifar10_small_exact.npz"


@pytest.mark.shared_data
@pytest.mark.skipif(not CIFAR.exists(), reason="the shared part of CIFAR-10 is not there")
def test_a_part_of_cifar_is_added_and_learnt(lab: Embedded, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["data", "add", "cifar-part", str(CIFAR), "--url", lab.url, "--json"]) == exits.SUCCEEDED
    made = json.loads(capsys.readouterr().out)
    assert (made["rows"], made["test_rows"], made["classes"]) == (10000, 1000, 10)
    spec = {
        "dataset": {"kind": "user", "name": "cifar-part", "take": 2000},
        "model": {"kind": "softmax"},
        "batch_sizes": [50],
        "lr": {"rule": "fixed", "base": 0.001},
        "budget": {"epochs": 2},
        "probes": [],
    }
    experiment = client.wait(client.submit(spec).id, timeout=120)
    assert experiment.status == "succeeded"
    (group,) = client.results(experiment.id).groups
    assert group.val_accuracy is not None and group.val_accuracy.mean is not None and group.val_accuracy.mean > 0.2
    assert client.dataset("cifar-part") in client.datasets()
    assert cli.run(["data", "remove", "cifar-part", "--url", lab.url]) == exits.REFUSED
    assert experiment.id in capsys.readouterr().err
