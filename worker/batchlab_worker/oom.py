"""Whether the kernel has killed a process of this container or session for want of memory."""

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def kills(cgroup: Path = Path("/proc/self/cgroup"), root: Path = CGROUPS) -> int:
    """Processes of this control group (cgroup v2) killed for want of memory so far; 0 where the kernel does not say."""
    try:
        own = next(line.removeprefix("0::/") for line in cgroup.read_text().splitlines() if line.startswith("0::/"))
        events = (root / own / "memory.events").read_text().splitlines()
    except (OSError, StopIteration):
        return 0
    return sum(int(line.split()[1]) for line in events if line.startswith("oom_kill "))
