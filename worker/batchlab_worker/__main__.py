"""One worker process: `python -m batchlab_worker --queues cpu,gpu --name worker-0`, best run under a supervisor."""

import argparse
import faulthandler
import socket
import sys
from collections.abc import Sequence
from uuid import uuid4

import structlog
from batchlab import engines
from batchlab_db import logs
from batchlab_db.engine import make_engine
from batchlab_db.settings import Settings
from batchlab_db.workers import WorkerInfo
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from batchlab_worker import device
from batchlab_worker.bench import Bench
from batchlab_worker.heartbeat import available
from batchlab_worker.process import serve
from batchlab_worker.supervisor import EX_CONFIG

log = structlog.get_logger("batchlab.worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until told to stop; returns the exit status (see `supervisor`)."""
    parser = argparse.ArgumentParser(prog="batchlab_worker", description=__doc__)
    parser.add_argument("--queues", default="cpu,gpu", help="what to serve, of cpu and gpu (default: both)")
    parser.add_argument("--name", default="worker", help="tells the processes of one machine apart")
    options = parser.parse_args(arguments)
    logs.configure()
    faulthandler.enable()
    device.set_threads(device.threads(device.usable_cores()))
    device.warm_up()
    try:
        bench = make_bench(Settings(), options.name, options.queues.split(","))
    except (device.NoDevice, ArgumentError, ValidationError) as error:
        log.error("misconfigured", error=str(error))
        return EX_CONFIG
    return serve(bench, options.name)


def make_bench(settings: Settings, name: str, queues: Sequence[str]) -> Bench:
    """Take a device and describe this process."""
    taken, served = device.take(queues)
    machine = socket.gethostname()
    me = WorkerInfo(
        id=f"{name}@{machine}-{uuid4().hex[:8]}",
        machine=machine,
        queues=served,
        device=taken,
        fingerprint=engines.fingerprint("", device.own(taken)),
        datasets=available(settings.data_folder),
    )
    return Bench(settings, make_engine(settings, role="worker"), me)


if __name__ == "__main__":
    sys.exit(main())
