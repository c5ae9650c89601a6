"""The embedded servers, run for real: what they keep, where they listen, and whose they are."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from batchlab_lab import identity
from batchlab_lab.errors import ServerError
from batchlab_lab.server import Server
from batchlab_lab.servers import Postgres, Redis
from batchlab_lab.sockets import MAX_SOCKET_PATH
from redis import Redis as RedisClient
from redis.exceptions import NoPermissionError

QUICK = {"fsync": "off", "shared_buffers": "16MB"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root hands servers to another user")


def connect(server: Postgres) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(host=str(server.sockets), user="batchlab", dbname="batchlab", autocommit=True)


def gone(pids: list[int]) -> bool:
    """Whether the processes end soon."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def facts(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owners of a folder and all above it."""
    found = {path: path.stat() for path in (folder, *folder.parents)}
    return {path: (status.st_mode, status.st_uid, status.st_gid) for path, status in found.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Below pytest's own folders, which only their owner may enter."""
    inner = tmp_path / "lab"
    inner.mkdir(mode=0o700)
    return inner


def test_what_was_written_is_there_after_a_kill(folder: Path) -> None:
    with Postgres(folder / "pg", options=QUICK) as server:
        with connect(server) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.kill()
        server.start()
        with connect(server) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_the_lab_is_no_superuser_of_its_database(postgres: Postgres, database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert found == (False,)


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_no_server_listens_on_a_port(kind: type[Server], folder: Path) -> None:
    with kind(folder / "server") as server:
        assert server.process is not None
        processes = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
        assert [c for process in processes for c in process.net_connections("inet")] == []


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_only_the_owner_comes_to_the_sockets(kind: type[Server], folder: Path) -> None:
    with kind(folder / "server") as server:
        for path in (server.folder, server.sockets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert server.uid is None or server.sockets.stat().st_uid == server.uid


@pytest.mark.parametrize("kind", [Postgres, Redis])
def test_nothing_above_the_folder_changes_its_mode_or_owner(kind: type[Server], folder: Path) -> None:
    before = facts(folder)
    with kind(folder / "server"):
        assert facts(folder) == before
    assert facts(folder) == before


def test_a_long_path_gets_its_sockets_elsewhere_and_they_are_removed(folder: Path) -> None:
    long = folder / ("x" * 60) / ("y y" * 20)
    with Postgres(long, options=QUICK) as server:
        assert len(os.fsencode(server.sockets / server.socket_name)) < MAX_SOCKET_PATH
        assert server.sockets == Postgres(long).sockets
        with connect(server) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not server.sockets.exists()


def test_a_folder_for_sockets_that_is_somebody_elses_is_refused(folder: Path) -> None:
    server = Redis(folder / ("x" * 120))
    server.sockets.symlink_to(folder)
    try:
        with pytest.raises(ServerError, match="belongs to somebody else"):
            server.start()
    finally:
        server.sockets.unlink()


@as_root
def test_data_of_another_user_is_left_to_that_user(folder: Path) -> None:
    (folder / "pg").mkdir(mode=0o700)
    os.chown(folder / "pg", 1000, 1000)
    with pytest.raises(ServerError, match=r"user 1000.*run the lab as that user"):
        Postgres(folder / "pg").start()
    assert (folder / "pg").stat().st_uid == 1000


@as_root
def test_root_gives_the_servers_to_a_user_without_rights(folder: Path) -> None:
    open_folder = Path("/tmp") / f"batchlab-open-{os.getpid()}"
    open_folder.mkdir(mode=0o755)
    with Redis(open_folder / "redis") as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text() if server.process else ""
    for path in sorted(open_folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    open_folder.rmdir()
    assert f"Uid:\t{identity.SERVER_UID}\t{identity.SERVER_UID}" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@as_root
def test_behind_a_closed_parent_the_servers_may_pass_and_no_more(folder: Path) -> None:
    with Postgres(folder / "pg", options=QUICK) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text() if server.process else ""
    assert f"CapEff:\t{1 << identity.CAP_DAC_READ_SEARCH:016x}" in status


@as_root
def test_programs_that_the_servers_user_cannot_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchlab_lab.binaries.reachable", lambda path, uid: False)
    with Postgres(folder / "pg", options=QUICK) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert Path(f"/proc/{server.process.pid}/exe").readlink().is_relative_to(folder)  # type: ignore[union-attr]


OWNER = """
import sys, time
from pathlib import Path
from batchlab_lab.servers import Postgres, Redis
postgres, redis = Postgres(Path(sys.argv[1]) / "pg"), Redis(Path(sys.argv[1]) / "redis")
postgres.start(); redis.start()
print(postgres.process.pid, redis.process.pid, flush=True)
time.sleep(600)
"""


def test_servers_end_with_a_parent_that_is_killed(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, folder], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        children = [child.pid for pid in pids for child in psutil.Process(pid).children()]
        owner.kill()
    assert len(pids) == 2
    assert gone([*pids, *children])


def test_a_start_right_after_a_killed_parent_finds_the_data(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, folder], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with connect(Postgres(folder / "pg")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
    with Postgres(folder / "pg", options=QUICK) as server, connect(server) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_stale_pid_file_that_names_another_program_does_not_stop_a_start(folder: Path) -> None:
    with Postgres(folder / "pg", options=QUICK) as server:
        server.kill()
        pid_file = server.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        server.start()
        with connect(server) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_first_start_that_was_cut_off_begins_anew(folder: Path) -> None:
    (folder / "pg" / "data.new").mkdir(parents=True)
    (folder / "pg" / "data.new" / "half").write_text("written")
    with Postgres(folder / "pg", options=QUICK) as server, connect(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = Postgres(folder / "pg", options={**QUICK, "work_mem": "nonsense"})
    with pytest.raises(ServerError, match="work_mem"):
        server.start()
    assert not server.alive()


def test_the_broker_runs_scripts_but_no_dangerous_command(redis: Redis, redis_url: str) -> None:
    with RedisClient(unix_socket_path=str(redis.socket)) as client:
        assert client.eval("return 1", 0) == 1
        for command in ("FLUSHALL", "CONFIG GET *", "ACL LIST", "SHUTDOWN", "DEBUG SLEEP 0", "KEYS *"):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command.split())


def test_one_test_does_not_see_the_rows_of_another(database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM facts WHERE name = 'seen'").fetchone() == (0,)
        connection.execute("INSERT INTO facts (name, value) VALUES ('seen', '{}')")


test_one_test_does_not_see_the_rows_of_another_either = test_one_test_does_not_see_the_rows_of_another
