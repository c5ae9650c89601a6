"""As which user the servers run, and what that user needs.

PostgreSQL refuses to run as root. So under root both servers run as a numeric user of their own, which has no entry
anywhere and owns only their folders. Modes and owners above those folders are never changed: where that user cannot
pass a parent directory, it is given the one capability to pass it.
"""

import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from batchlab_lab import confine
from batchlab_lab.errors import ServerError

SERVER_UID = 61876
"""Above what distributions hand out to users and services, within what rootless containers map."""
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
KEEP = -1


def server_uid() -> int | None:
    """The user to run servers as; None: the present one."""
    return SERVER_UID if os.geteuid() == 0 else None


def nobody() -> int:
    """A user that has a name: initdb looks its own up."""
    return pwd.getpwnam("nobody").pw_uid


def _may_enter(folder: Path, uid: int) -> bool:
    status = folder.stat()
    bit = 0o100 if status.st_uid == uid else 0o010 if status.st_gid == uid else 0o001
    return bool(status.st_mode & bit)


def reachable(path: Path, uid: int) -> bool:
    """Whether `uid` may pass every directory above `path`, as their modes say."""
    return all(_may_enter(folder, uid) for folder in path.resolve().parents)


def _permitted(capability: int) -> bool:
    lines = Path("/proc/self/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
    return bool(mask >> capability & 1)


def capability_for(path: Path, uid: int) -> int:
    """The capability that `uid` needs to come to `path`: none (-1), read-and-search, or else override."""
    if reachable(path, uid):
        return KEEP
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if _permitted(capability):
            return capability
    raise ServerError(
        f"the database's user cannot enter the directories above {path}, and this root may not let it: "
        "set BATCHLAB_HOME to a place that every user may enter"
    )


def own(folder: Path, uid: int | None) -> Path:
    """Make `folder` private (0700) and give it to `uid` (None: us); one that is somebody else's is refused."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
            remedy = "run the lab as that user, or choose another data directory"
            raise ServerError(f"{folder} belongs to somebody else (user {found.st_uid}): {remedy}") from None
    folder.chmod(0o700)
    if uid is not None:
        give(folder, uid)
    return folder


def give(path: Path, uid: int) -> None:
    """Give one path to the user and group `uid`, not following a link."""
    try:
        os.chown(path, uid, uid, follow_symlinks=False)
    except OSError as error:
        raise ServerError(
            f"cannot give {path} to a user of its own ({error.strerror}): run the lab as an ordinary user"
        ) from error


@dataclass(frozen=True)
class Confined:
    """How to start programs for a folder: as `uid` (None: as ourselves), ended by `end_signal` when we end."""

    folder: Path
    uid: int | None
    end_signal: int

    def command(self, program: Path, *arguments: str) -> list[str]:
        """The argument vector that runs `program` so."""
        uid = KEEP if self.uid is None else self.uid
        capability = KEEP if self.uid is None else capability_for(self.folder / "x", self.uid)
        rights = [os.getpid(), int(self.end_signal), uid, capability]
        return [sys.executable, "-I", "-S", confine.__file__, *map(str, rights), str(program), *arguments]

    def run(self, program: Path, *arguments: str, text: str = "") -> None:
        """Run `program` to its end with `text` as its input; a failure is a ServerError with its last words."""
        done = subprocess.run(
            self.command(program, *arguments),
            input=text,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=ENVIRONMENT,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"{program.name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
