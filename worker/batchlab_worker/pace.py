"""When a slice ends and when it saves: saving costs less than 2 % of the training, whatever the state's size."""

import time
from collections.abc import Callable

COST_SHARE = 0.02
"""Part of a slice's time that saving checkpoints may take."""
LONGEST = 10.0
"""A slice whose checkpoint is costly lasts up to this many times the set length."""


class Pace:
    """The clock of one slice. Small states are saved with every block, so nothing of them is ever taken back."""

    def __init__(
        self,
        slice_seconds: float,
        inline_bytes: int,
        last_bytes: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`last_bytes`: size of the checkpoint that the slice starts from, None where there is none yet."""
        self._slice_seconds, self._inline_bytes, self._clock = slice_seconds, inline_bytes, clock
        self._bytes = last_bytes
        self._cost: float | None = None
        self._began = self._saved_at = clock()

    @property
    def inline(self) -> bool:
        """Whether the state is small enough to go with every block."""
        return self._bytes is not None and self._bytes <= self._inline_bytes

    def over(self) -> bool:
        """Whether the slice has lasted long enough."""
        fair = (self._cost or 0.0) / COST_SHARE
        return self._clock() - self._began >= max(self._slice_seconds, min(fair, LONGEST * self._slice_seconds))

    def due(self) -> bool:
        """Whether a checkpoint should go with the present block."""
        if self._bytes is None or self.inline:
            return True
        spared = self._slice_seconds if self._cost is None else self._cost / COST_SHARE
        return self._clock() - self._saved_at >= spared

    def saved(self, size: int, seconds: float) -> None:
        """Note what a checkpoint of `size` bytes took, and that it is stored."""
        self._bytes, self._cost, self._saved_at = size, seconds, self._clock()
