"""One child process that cannot be left behind: started, reaped with its costs, stopped.

What lives here: how a program is started so that it dies with us, in a session of its own, without a network and
within limits. What does not: when to stop it (runner).
The fact to know: ffmpeg outlives a killed worker unless the kernel is told otherwise, hence `setpriv --pdeathsig`
(where missing: launcher.py). The kernel means the THREAD that started it: wait for a child where you started it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from forwarder_core.errors import FfmpegMissing, LocalFailed

_TERM_S = 3.0
_NICE = 10
_LIMITS = {"core": 0, "stack": 2 << 20, "fsize": 16 << 30, "nofile": 512}  # bytes but for nofile
_MEMORY_BYTES, _LARGE_TIMES = 1 << 30, 3  # 1080x1920 takes 0.35 GB on two cores, with 24 threads 0.6; 4K 1.0
_FREE_CORES, _MEMORY_OF_A_CORE_BYTES = 4, 128 << 20  # each more brings threads, with frames of their own
_LAUNCHER = Path(__file__).with_name("launcher.py")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR")


def bare_environment() -> dict[str, str]:
    """What a child that reads hostile bytes sees of our environment: where programs lie, and not one secret."""
    return {key: os.environ[key] for key in _PASSED_ON if key in os.environ}


class Child:
    """A running program; `argv[0]` is its absolute path. Reaped by wait4, the only call that tells what it used.

    `is_large`: it works on pictures beyond 1080x1920 and may take three times the memory.
    """

    def __init__(self, argv: Sequence[str], *, is_large: bool = False) -> None:
        if not os.access(argv[0], os.X_OK):  # behind setpriv and nice it would look like a failure of the file
            raise LocalFailed(f"{argv[0]} is not there any more.", action=FfmpegMissing.action)
        try:
            self.process = subprocess.Popen(
                [*prefix(is_large=is_large), *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=bare_environment(),
                start_new_session=True,
            )
        except OSError as e:
            raise LocalFailed(f"{Path(argv[0]).name} could not be started: {e.strerror}.") from e
        _lower_session(self.process.pid)
        self.started = time.monotonic()
        self._usage: resource.struct_rusage | None = None

    def has_ended(self) -> bool:
        if self._usage is None:
            self._reap(os.WNOHANG)
        return self._usage is not None

    def reap(self) -> tuple[int, resource.struct_rusage]:
        """Wait for the end: exit code (negative = signal) and what it used."""
        while self._usage is None:
            self._reap(0)
        return self.process.returncode, self._usage

    def _reap(self, options: int) -> None:
        pid, status, usage = os.wait4(self.process.pid, options)
        if pid:
            self._usage = usage
            self.process.returncode = os.waitstatus_to_exitcode(status)

    def cpu_s(self) -> float:
        """CPU seconds used so far; 0 where the system does not say (no /proc)."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """TERM, 3 s, KILL, on the whole group; returns when it is gone. Harmless on one that has ended."""
        if not self.has_ended():
            self._signal(signal.SIGTERM)
            until = time.monotonic() + _TERM_S
            while not self.has_ended() and time.monotonic() < until:
                time.sleep(0.05)
        if not self.has_ended():
            self._signal(signal.SIGKILL)
            self.reap()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def _lower_session(leader: int) -> None:
    """Where Linux shares the processor out among sessions first (autogroups, the usual setting of a desktop and of a
    server without cgroups), a nice child alone in its session would get as much as everything else."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{leader}/autogroup").write_text(str(_NICE), "ascii")


def memory_bytes(cores: int, *, is_large: bool = False) -> int:
    """The most a child may take: 1 GiB for a video of 1080x1920 on a machine of up to four cores."""
    times = _LARGE_TIMES if is_large else 1
    return times * (_MEMORY_BYTES + max(0, cores - _FREE_CORES) * _MEMORY_OF_A_CORE_BYTES)


def prefix(*, is_large: bool = False) -> list[str]:
    """What stands before the program: a nicer priority and, on Linux, no network, limits, death with the parent.

    The network goes first: a new user namespace would make the kernel forget whose death is meant.
    """
    setpriv, nice, prlimit = _setpriv(), shutil.which("nice"), shutil.which("prlimit")
    bounds = _LIMITS | {"data": memory_bytes(os.cpu_count() or 1, is_large=is_large)}
    if setpriv and nice and prlimit:
        limits = [f"--{name}={value}" for name, value in bounds.items()]
        tied = [setpriv, "--pdeathsig", "KILL", "--", nice, "-n", str(_NICE), prlimit, *limits, "--"]
        return [*_without_network(), *tied]
    limits = [f"{name}={value}" for name, value in bounds.items()]
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), ",".join(limits)]


@lru_cache(maxsize=1)
def _setpriv() -> str | None:
    """Busybox has a setpriv too, without `--pdeathsig`: ask it once."""
    path = shutil.which("setpriv")
    return path if path and _works([path, "--pdeathsig", "KILL", "--"]) else None


@lru_cache(maxsize=1)
def _without_network() -> tuple[str, ...]:
    """A network of its own with nothing in it: as root, else in a user namespace. Many containers allow neither.

    Then the lists of protocols and formats (graph) alone keep ffmpeg from calling anybody.
    """
    path = shutil.which("unshare")
    ways = ((path, "--net", "--"), (path, "--map-root-user", "--net", "--")) if path else ()
    return next((way for way in ways if _works(way)), ())


def _works(prefix: Sequence[str]) -> bool:
    try:
        asked = subprocess.run(
            [*prefix, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
