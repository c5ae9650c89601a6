"""MNIST through the embedded lab: a perceptron at five batch sizes with two seeds, posted as a script would.

    python -m benchmarks.mnist_sweep

Writes accuracy, time per update and time per epoch by batch size to benchmarks/results/mnist_sweep.md, and two plots.
"""

from batchlab_client import Client

from benchmarks.common import ROOT, SHARED, laboratory, write

SPEC = {
    "name": "mnist-batch-sweep",
    "dataset": {"kind": "mnist"},
    "model": {"kind": "mlp", "widths": [128]},
    "batch_sizes": [10, 100, 1000, "10%", "full"],
    "lr": {"rule": "fixed", "base": 0.1},
    "budget": {"epochs": 2},
    "seeds": 2,
    "isolated": True,
}
WANTED = ("val_accuracy", "train_accuracy", "seconds_per_update", "seconds_per_epoch")


def table(client: Client, id: str) -> list[str]:
    lines = [
        "| batch | validation accuracy | train accuracy | ms per update | s per epoch |",
        "| --- | --- | --- | --- | --- |",
    ]
    for group in client.results(id).groups:
        numbers = group.model_dump()
        val, train, update, epoch = (numbers[name]["mean"] for name in WANTED)
        lines.append(f"| {group.by['batch_size']} | {val:.4f} | {train:.4f} | {1000 * update:.3f} | {epoch:.2f} |")
    return lines


def main() -> int:
    with laboratory(SHARED) as client:
        id = client.submit(SPEC).id
        experiment = client.wait(id)
        lines = table(client, id)
        folder = ROOT / "docs" / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("seconds-per-update", "seconds-per-epoch", "accuracy-vs-batch"):
            (folder / f"mnist-{name}.svg").write_bytes(client.plot(id, name, "svg"))
    head = [
        "# MNIST by batch size",
        "",
        "`python -m benchmarks.mnist_sweep`: MLP 784-128-10, two epochs, rate 0.1, 2 seeds, isolated; "
        f"ended {experiment.status}. Times are of one thread.",
        "",
    ]
    write("mnist_sweep", "\n".join([*head, *lines]))
    return int(experiment.status != "succeeded")


if __name__ == "__main__":
    raise SystemExit(main())
