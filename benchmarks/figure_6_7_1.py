"""Figure 6.7.1 in full (16 batch sizes, 5 seeds, 500 epochs) through the embedded lab, against a known re-run.

    python -m benchmarks.figure_6_7_1

Writes the table of both to benchmarks/results/figure_6_7_1.md and the plots to docs/figures. The mean over 5 seeds of
both norms and of the best validation loss should lie within the min-max of the re-run, allowing 5 %, at every batch.
"""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

from batchlab_client import Client
from scipy.stats import spearmanr

from benchmarks.common import ROOT, SHARED, laboratory, write

KNOWN = SHARED / "textbook" / "figure_6_7_1.csv"
COLUMNS = {
    "mean_grad_norm_weights": "rerun_dW",
    "mean_grad_norm_biases": "rerun_dB",
    "best_val_loss": "rerun_best_val_loss",
}
ALLOWANCE = 0.05


def known() -> dict[int, dict[str, float]]:
    """The rows of the re-run by batch size."""
    with KNOWN.open() as lines:
        return {int(row["batch_size"]): {k: float(v) for k, v in row.items()} for row in csv.DictReader(lines)}


def rows(client: Client, id: str) -> Iterator[tuple[int, dict[str, float]]]:
    """Batch size and the means over seeds of the three numbers of the figure."""
    for group in client.results(id).groups:
        numbers = group.model_dump()
        yield group.by["batch_size"], {name: numbers[name]["mean"] for name in COLUMNS}


def compare(measured: dict[int, dict[str, float]], reference: dict[int, dict[str, float]]) -> tuple[list[str], int]:
    """A Markdown table, and how many numbers lie outside."""
    lines = [
        "| batch | dW | re-run | dB | re-run | best val loss | re-run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    outside = 0
    for batch, numbers in measured.items():
        cells = [str(batch)]
        for name, column in COLUMNS.items():
            low, high = reference[batch][f"{column}_min"], reference[batch][f"{column}_max"]
            inside = low * (1 - ALLOWANCE) <= numbers[name] <= high * (1 + ALLOWANCE)
            outside += not inside
            cells += [f"{numbers[name]:.4f}{'' if inside else ' (outside)'}", f"{low:.4f} – {high:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines, outside


def save_plots(client: Client, id: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("grad-norm-vs-batch", "best-val-loss-vs-batch"):
        (folder / f"{name}.svg").write_bytes(client.plot(id, name, "svg"))


def main() -> int:
    with laboratory() as client:
        start = time.monotonic()
        id = client.run_study("grad-norm-vs-batch", {"seeds": 5}).id
        experiment = client.wait(id)
        seconds = time.monotonic() - start
        measured = dict(rows(client, id))
        save_plots(client, id, ROOT / "docs" / "figures")
    table, outside = compare(measured, known())
    falling = [b for b in measured if b >= 4]
    rho = spearmanr(falling, [measured[b]["mean_grad_norm_weights"] for b in falling]).statistic
    text = [
        "# Figure 6.7.1 through the embedded lab",
        "",
        f"`python -m benchmarks.figure_6_7_1`: {experiment.progress.updates_total} updates in {seconds:.0f} s, POST to "
        f"{experiment.status}. Means over 5 seeds; re-run: min – max over 5 seeds.",
        "",
        *table,
        "",
        f"Outside the re-run's range by more than 5 %: {outside} of {3 * len(measured)}. "
        f"Spearman's rank correlation of the norm of dW with the batch from 4 on: {rho:.4f}.",
    ]
    write("figure_6_7_1", "\n".join(text))
    return int(outside > 0)


if __name__ == "__main__":
    raise SystemExit(main())
