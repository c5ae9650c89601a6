"""When a worker process has served long enough: a fresh one takes its place, with the memory it leaked given back."""

import psutil

GROWTH = 1.5
SLACK_BYTES = 1 << 30


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


class Service:
    """Counts a process's slices and watches its memory.

    Growth is measured from the first slice on the present data: having read a larger data set is no leak.
    """

    def __init__(self, most_slices: int) -> None:
        self._most_slices = most_slices
        self._slices = 0
        self._data: object = None
        self._start = self._now = 0

    def slice_ended(self, data: object, resident: int | None = None) -> None:
        """Note a slice on `data`, after which so many bytes are `resident` (measured where not given)."""
        self._slices += 1
        self._now = resident_bytes() if resident is None else resident
        if data != self._data:
            self._data, self._start = data, self._now

    @property
    def over(self) -> bool:
        """Whether the process should make way for a fresh one."""
        return self._slices >= self._most_slices or self._now > GROWTH * self._start + SLACK_BYTES
