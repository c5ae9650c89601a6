"""The one order in which transactions take locks, so that none ever waits in a circle:

1. `machine`: claims of one machine take turns (an isolated slice must see who else runs there);
2. `experiment`: whatever reshapes an experiment takes turns: claim, cancel, pause, resume, retry, seeds, delete;
3. rows of cohorts, by id; 4. rows of cells, by id; then contents of kept weights, by hash, and rows of analyses, by id;
5. the row of the experiment, last: slices that end the last two cells at once meet there, and the second one sees
   what the first one did.

Block writes and hand-ons begin at the row of the cohort, or of the analysis, that they hold. 1 and 2 end with their
transaction. Whoever asks for analyses takes the experiment's row first: the rows that follow are new.
"""

from sqlalchemy import Connection, text

_LOCK = text("SELECT pg_advisory_xact_lock(:family, hashtext(:name))")
_TRY = text("SELECT pg_try_advisory_xact_lock(:family, hashtext(:name))")
_MACHINE, _EXPERIMENT, _CHORE = 4_210_001, 4_210_002, 4_210_003


def machine(connection: Connection, name: str) -> None:
    """Wait for this machine's turn to claim."""
    connection.execute(_LOCK, {"family": _MACHINE, "name": name})


def experiment(connection: Connection, experiment_id: str) -> None:
    """Wait for the turn to reshape this experiment."""
    connection.execute(_LOCK, {"family": _EXPERIMENT, "name": experiment_id})


def try_experiment(connection: Connection, experiment_id: str) -> bool:
    """Take that turn where it is free; False where another transaction has it."""
    return bool(connection.scalar(_TRY, {"family": _EXPERIMENT, "name": experiment_id}))


def chore(connection: Connection, name: str) -> bool:
    """Whether this transaction may do a chore of the lab; False where another one is at it."""
    return bool(connection.scalar(_TRY, {"family": _CHORE, "name": name}))
