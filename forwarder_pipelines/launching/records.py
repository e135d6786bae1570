"""Which process carries which run, kept as one small file per run, so that it outlives the server's memory.

What lives here: the files, and whether a recorded process still lives. What does not: who acts on it.
The fact to know: a file exists from before its run's first act until the run is known to have an end in Dagster. So
whoever finds one whose process is gone has found a run that died without a word.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_FOLDER = "runs"
_SAME_BIRTH_S = 1.0  # process start times are rounded


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that no other can be mistaken for: pids are used again, `born` (a Unix time) tells them apart."""

    host: str
    pid: int
    born: float

    @classmethod
    def me(cls) -> Worker:
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    def lives(self) -> bool:
        """Only to be asked on its own machine. A zombie is dead: it has nothing left to send."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) <= _SAME_BIRTH_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class Records:
    """The files below `<folder>/runs`. A run id is trusted to be one (`protocol.Request` checks it)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def write(self, run_id: str, worker: Worker) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f".{run_id}.{worker.pid}"
        unfinished.write_text(json.dumps(asdict(worker)), "utf-8")
        unfinished.replace(self._folder / run_id)

    def read(self, run_id: str) -> Worker | None:
        try:
            said = json.loads((self._folder / run_id).read_text("utf-8"))
            return Worker(str(said["host"]), int(said["pid"]), float(said["born"]))
        except (OSError, ValueError, KeyError):
            return None

    def forget(self, run_id: str) -> None:
        (self._folder / run_id).unlink(missing_ok=True)

    def all(self) -> Mapping[str, Worker]:
        if not self._folder.is_dir():
            return {}
        names = [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]
        return {name: worker for name in names if (worker := self.read(name)) is not None}
