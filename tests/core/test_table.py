"""The sources' tables, measured: both cells of every line, and the claim that judges it."""

from batchlab.expand import expand
from batchlab.run import row
from batchlab.spec import parse_spec
from batchlab.studies.table import STUDY, TABLES, tables


def test_every_line_of_both_tables_is_measured_on_both_sides_and_judged() -> None:
    spec = parse_spec(STUDY.spec("small"))
    cells = [row(cell, "succeeded", result(cell.batch_size, cell.seed)) for cell in expand(spec)]
    found = {table.number: table.lines for table in tables(spec, cells)}
    assert {number: len(lines) for number, lines in found.items()} == {"6.7.2": 8, "3.1": 6}
    for lines in found.values():
        for line in lines:
            assert line.small is not None and line.large is not None
            assert (line.small.n, line.large.n, line.verdict.n) == (5, 5, 5)
            assert line.verdict.verdict == ("contradicted" if line.line.claim == "update-time" else "supported")
    epochs = found["6.7.2"][2]
    assert epochs.quantity == "epochs to the target"
    assert epochs.large is not None and epochs.large.mean == 20.0


def result(batch: int, seed: int) -> dict[str, float | None]:
    """A small batch is better at all that the tables say, and the large one never reaches the target."""
    small, scatter = batch == 8, 1 + 0.01 * seed
    return {
        "seconds_per_update": (0.001 if small else 0.002) * scatter,
        "seconds_per_epoch": (0.14 if small else 0.006) * scatter,
        "best_val_loss": (0.1 if small else 1.0) * scatter,
        "target_step": 144 if small else None,
        "epochs_to_target": 1.0 * scatter if small else None,
        "epochs": 20.0,
        "updates": 2880 if small else 60,
        "mean_grad_cosine": (0.1 if small else 0.9) * scatter,
        "train_accuracy": (0.99 if small else 0.7) / scatter,
        "val_accuracy": (0.95 if small else 0.68) / scatter,
    }


def test_before_anything_is_measured_the_cells_are_empty() -> None:
    spec = parse_spec(STUDY.spec("smoke"))
    cells = [row(cell, "queued", None) for cell in expand(spec)]
    for table in tables(spec, cells):
        assert {line.small for line in table.lines} == {None}
        assert {line.verdict.verdict for line in table.lines} == {"inconclusive"}


def test_every_line_names_a_claim_of_the_study() -> None:
    claims = {claim.id for claim in STUDY.claims}
    assert {line.claim for lines in TABLES.values() for line in lines} == claims
