"""What a worker process is doing and whether it should go: shared by the slice, the threads and signal handlers."""

import time
from dataclasses import dataclass, field


@dataclass
class Control:
    """Plain attributes, for a signal handler that takes a lock may wait for the very code that it interrupts."""

    leaving: bool = False
    """The process is to end: the running slice sees it at its next block and hands on."""
    exit_status: int = 0
    paused: bool = False
    """Disk space is short: nothing more is claimed."""
    cohort_id: int | None = None
    """What is being trained."""
    analysis_id: str | None = None
    """What is being analysed."""
    speeds: dict[str, float] = field(default_factory=dict)
    """Measured seconds of work (`batchlab.cost`) per second, by engine."""
    _left_at: float = 0.0

    def leave(self, exit_status: int = 0) -> None:
        """End the process, with this status, once the slice under way has handed on."""
        self.exit_status = self.exit_status or exit_status
        if not self.leaving:
            self._left_at = time.monotonic()
            self.leaving = True

    def leaving_for(self) -> float:
        """Seconds since the process was asked to end; 0 where it was not."""
        return time.monotonic() - self._left_at if self.leaving else 0.0

    @property
    def busy(self) -> bool:
        """Whether something is being trained or analysed."""
        return self.cohort_id is not None or self.analysis_id is not None

    @property
    def state(self) -> str:
        """As `workers.state` has it."""
        if self.leaving:
            return "draining"
        if self.busy:
            return "busy"
        return "paused: disk" if self.paused else "idle"

    def note_speed(self, engine: str, work: float, seconds: float) -> None:
        """Keep a moving average of how fast `engine` trains here, beginning with what the rates say. A slice of less
        than a second tells more of claiming than of training, and counts for as much less."""
        if work <= 0 or seconds <= 0:
            return
        share = 0.3 * min(1.0, seconds)
        self.speeds[engine] = (1 - share) * self.speeds.get(engine, 1.0) + share * work / seconds
