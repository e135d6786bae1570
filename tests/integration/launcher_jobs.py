"""Jobs that the warm launcher runs in tests: loaded by a run's process, by the path of this file."""

import json
import os
import signal
import subprocess
import threading
import time
from contextvars import ContextVar
from pathlib import Path

import dagster as dg

from forwarder_core import logs

LEFT_BEHIND = "a-secret-of-the-first-run"
_told: ContextVar[str] = ContextVar("_told", default="")


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
        "left_behind": [os.environ.get("LEFT"), _told.get(), logs.redact(LEFT_BEHIND)],
    }
    Path(config.note).write_text(json.dumps(seen), "utf-8")


@dg.op
def leave(config: Told) -> None:
    """Leaves what `note` names behind in its process."""
    match config.note:
        case "what is put back":
            os.environ["LEFT"] = LEFT_BEHIND
            _told.set(LEFT_BEHIND)
            logs.remember_secret(LEFT_BEHIND)
        case "a folder":
            os.chdir("/usr")
        case "a blocked signal":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        case "a thread":
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        case "a child":
            subprocess.Popen(["sleep", "60"])
        case "memory":
            globals()["held"] = b"x" * 100_000_000
        case left:
            raise ValueError(left)


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
def leave_job() -> None:
    leave()


@dg.job(executor_def=dg.in_process_executor)
def fail_job() -> None:
    fail()


@dg.job(executor_def=dg.in_process_executor)
def wait_job() -> None:
    wait()


@dg.job(executor_def=dg.in_process_executor)
def deaf_job() -> None:
    wait_deaf()


definitions = dg.Definitions(jobs=[look_job, leave_job, fail_job, wait_job, deaf_job])
