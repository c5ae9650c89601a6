"""Memory: how much this process holds, and whether the kernel has killed for want of it."""

from pathlib import Path

import psutil

GROWTH = 1.5
SLACK_BYTES = 1 << 30


def oom_kills(events: Path = Path("/sys/fs/cgroup/memory.events")) -> int:
    """Processes of this container that the kernel has killed for want of memory so far (0 where it does not say)."""
    try:
        lines = events.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


class Growth:
    """Tells when a process has grown far beyond what its first slices needed.

    The measure is the memory after the first slice on the present data: reading a larger data set is no leak.
    """

    def __init__(self) -> None:
        self._data: object = None
        self._start = 0

    def excessive(self, data: object, now: int | None = None) -> bool:
        """Whether memory `now` (bytes; measured if not given) is too much; `data` names what was just trained on."""
        now = resident_bytes() if now is None else now
        if data != self._data:
            self._data, self._start = data, now
        return now > GROWTH * self._start + SLACK_BYTES
