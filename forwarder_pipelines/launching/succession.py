"""One process, run after run: what has just carried a run well takes the next one, instead of another fork.

What lives here: the child's loop, and whether a process may go on. What does not: a single run (runs), who is handed
which (children). A fresh fork pays for its copied pages, its sessions and handshakes, for each statement compiled and
each program of this machine asked once a process; a second run in the same process pays nothing of that.
The fact to know: nothing of a run may reach the next. A process that is not as it was before its first run, or whose
run did not end in success, ends; and it never leaves by itself while it waits, since a run may be on its way to it.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import socket
import threading
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.instance import InstanceRef

from forwarder_core import logs
from forwarder_core.clock import cpu_used_s
from forwarder_pipelines.launching import protocol, runs
from forwarder_pipelines.launching.records import Records

MOST_RUNS = 25  # bounds what a library leaks; after it a fork costs what it always did
_MOST_GROWTH_BYTES = 64 * 1024 * 1024
log = logging.getLogger("forwarder.launcher")


@dataclass(frozen=True, slots=True)
class Handover:
    """A run has come to a good end here, and the next may come. `cpu_s`: of this run, with all it started."""

    run_id: str
    cpu_s: float

    @classmethod
    def parse(cls, line: bytes) -> Handover:
        said = json.loads(line)
        return cls(str(said["run_id"]), float(said["cpu_s"]))


@dataclass(frozen=True, slots=True)
class Standing:
    """How this process stood before its first run."""

    environment: dict[str, str]
    folder: str
    blocked: frozenset[int]
    own_bytes: int

    @classmethod
    def now(cls) -> Standing:
        blocked = frozenset(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))
        return cls(dict(os.environ), str(Path.cwd()), blocked, _own_bytes())

    def lost(self) -> str | None:
        """What a run changed that cannot be put back, in words; the environment is (Dagster sets a variable)."""
        now = Standing.now()
        if now.environment != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        if (now.folder, now.blocked) != (self.folder, self.blocked):
            return "its folder or its signals changed"
        if now.own_bytes - self.own_bytes > _MOST_GROWTH_BYTES:
            return f"it grew by {(now.own_bytes - self.own_bytes) // 1_000_000} MB"
        return None if _is_alone() else "a thread or a child of its own is still there"


def carry(ref: InstanceRef, records: Records, run_id: str, server: socket.socket) -> int:
    """Execute this run, and then those that the server hands over, until it hangs up. The process's exit code."""
    before = Standing.now()
    with dg.DagsterInstance.from_ref(ref) as instance:
        for number in range(MOST_RUNS):
            began = cpu_used_s() if number else 0.0
            with logs.forgetting():
                outcome = copy_context().run(runs.execute, instance, records, run_id)
            if outcome is not runs.Outcome.SUCCEEDED or number + 1 == MOST_RUNS:
                return runs.UNFINISHED if outcome is runs.Outcome.UNFINISHED else runs.FINISHED
            if lost := before.lost():
                log.info("After run %s this process takes no other: %s", run_id, lost)
                return runs.FINISHED
            run_id = _next(server, Handover(run_id, round(cpu_used_s() - began, 3)))
            if not run_id:
                return runs.FINISHED
    return runs.FINISHED


def _next(server: socket.socket, done: Handover) -> str:
    """Empty where no other comes: the server hung up, or ended this process while it waited."""
    try:
        protocol.send(server, {"run_id": done.run_id, "cpu_s": done.cpu_s})
        line = protocol.receive(server)
    except (OSError, KeyboardInterrupt):
        return ""
    return protocol.Request.parse(line).run_id if line else ""


def _is_alone() -> bool:
    """One thread, and no child that lives on or was not waited for."""
    if threading.active_count() > 1:
        return False
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def _own_bytes() -> int:
    """Memory that stands in no file; 0 where the system does not tell."""
    try:
        resident, shared = Path("/proc/self/statm").read_text("ascii").split()[1:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()
