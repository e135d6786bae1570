"""The whole product as processes, for end-to-end tests: started through its own command, stopped as a person would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from forwarder_core.embedded.ports import free_port
from forwarder_core.simulator.client import ControlClient

ROOT = Path(__file__).resolve().parents[2]
READY_S = 120.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A running `demo`, and the lines it printed."""

    home: Path
    process: subprocess.Popen[str]
    url: str
    user: str
    password: str
    control: ControlClient
    gateway: str

    def once(self, *options: str) -> dict[str, Any]:
        """Forward one reel through this demo; the JSON it printed."""
        done = run(self.home, "demo", "--once", "--json", *options)
        assert done.returncode == 0, done.stderr[-2_000:]
        return dict(json.loads(done.stdout))

    def pids(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}


def environment(home: Path, **more: str) -> dict[str, str]:
    """A bare one: the settings of whoever runs the tests are not the installation's."""
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return passed | {"FORWARDER_HOME": str(home), **more}


def run(home: Path, *arguments: str, timeout_s: float = 300, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "forwarder_core.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(home, **env), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def start(home: Path, *options: str, **env: str) -> Stack:
    """`demo`, as soon as it says it is ready."""
    # A port of its own: of two that begin at once, both would find the usual one free.
    command = [sys.executable, "-m", "forwarder_core.cli", "demo", "--port", str(free_port()), *options]
    log = (home / "demo.stderr").open("w", encoding="utf-8")
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(home, **env), stdout=subprocess.PIPE, stderr=log, text=True
    )
    said = dict(_lines(process, 5))
    return Stack(
        home=home,
        process=process,
        url=said["URL"],
        user=said["User"],
        password=said["Password"],
        control=ControlClient(said["Control"]),
        gateway=said["Gateway"],
    )


def stop(stack: Stack, number: signal.Signals = signal.SIGINT) -> int:
    """Its exit code; every process it had is gone when this returns."""
    pids = stack.pids()
    stack.process.send_signal(number)
    code = stack.process.wait(60)
    assert not wait_gone(pids, 20), "processes were left behind"
    return code


def wait_gone(pids: set[int], seconds: float) -> set[int]:
    """Those still alive after so long."""
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if psutil.pid_exists(pid)}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@contextmanager
def new_home() -> Iterator[Path]:
    """A folder every user can enter: PostgreSQL runs as another one where we are root."""
    with tempfile.TemporaryDirectory(prefix="forwarder-e2e-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _lines(process: subprocess.Popen[str], count: int) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for _ in range(count):
        line = process.stdout.readline()
        assert line, f"the demo ended with {process.wait(10)}"
        name, _, value = line.strip().partition(": ")
        yield name, value
