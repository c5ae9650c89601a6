"""Run a program as another user, with the fewest rights, ended by the kernel when its parent ends.

    python -I -S confine.py PARENT SIGNAL UID CAPABILITY PROGRAM ARGUMENT...

PARENT is the process id of the caller and SIGNAL what the program gets when the calling thread ends. UID -1 keeps the
user. CAPABILITY -1 drops every capability; a number keeps that one across the change of user (capabilities(7)).
A small program of its own, so that nothing is run between fork and exec of a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAPABILITY_VERSION_3 = 0x20080522


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}{arguments[:2]}: {os.strerror(code)}")


def _prctl(option: int, first: int, second: int = 0) -> None:
    unsigned = ctypes.c_ulong
    _call("prctl", ctypes.c_int(option), unsigned(first), unsigned(second), unsigned(0), unsigned(0))


def _keep_only(capability: int) -> None:
    """Make `capability` the only one permitted, and hand it on through exec."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _call("capset", header, sets)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become(uid: int, capability: int) -> None:
    """Change to the user and the group `uid`, keeping at most one capability."""
    if capability >= 0:
        # The change of user then leaves capabilities alone, and access(2), by which PostgreSQL looks at its own
        # programs, counts them.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    if capability >= 0:
        _keep_only(capability)


def main() -> None:
    """Do as the command line says; never returns."""
    parent, signal, uid, capability = map(int, sys.argv[1:5])
    os.umask(0o077)
    if uid >= 0:
        become(uid, capability)
    if sys.platform == "linux":
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _prctl(PR_SET_PDEATHSIG, signal)  # after the change of user, which clears it
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(sys.argv[5], sys.argv[5:])


if __name__ == "__main__":
    main()
