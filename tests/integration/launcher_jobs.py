"""Jobs that the warm launcher runs in tests: loaded by a run's process, by the path of this file."""

import json
import os
import signal
import time
from pathlib import Path

import dagster as dg


class Told(dg.Config):
    """`note`: a file the op writes what it knows of its process into."""

    note: str = ""
    seconds: float = 0.0


@dg.op
def look(config: Told) -> None:
    seen = {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "group": os.getpgid(0),
        "session": os.getsid(0),
        "descriptors": [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()],
        "signals_blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }
    Path(config.note).write_text(json.dumps(seen), "utf-8")


@dg.op
def fail() -> None:
    raise dg.Failure("as it should")


@dg.op
def wait(config: Told) -> None:
    time.sleep(config.seconds)


@dg.op
def wait_deaf(config: Told) -> None:
    """Heeds no signal, as a call into a library may."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    time.sleep(config.seconds)


@dg.job(executor_def=dg.in_process_executor)
def look_job() -> None:
    look()


@dg.job(executor_def=dg.in_process_executor)
def fail_job() -> None:
    fail()


@dg.job(executor_def=dg.in_process_executor)
def wait_job() -> None:
    wait()


@dg.job(executor_def=dg.in_process_executor)
def deaf_job() -> None:
    wait_deaf()


definitions = dg.Definitions(jobs=[look_job, fail_job, wait_job, deaf_job])
