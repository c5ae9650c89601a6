"""Become a program that cannot outlive its parent: `python tether.py PARENT_PID PROGRAM ARGUMENT…`.

The kernel's parent-death signal survives `exec`, so the program itself need know nothing of it. It is set in this
small step of its own because code that runs between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int, sig: int = signal.SIGKILL) -> bool:
    """Have the kernel send `sig` when the parent dies (Linux). False: the parent, process `parent`, is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    return os.getppid() == parent


def main(argv: list[str]) -> None:
    """Run `argv[1:]` in place of this process, tied to the parent `argv[0]`."""
    parent, *command = argv
    if tie_to_parent(int(parent)):
        os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
