"""Machines for a drill: Linux network namespaces on a bridge, each with its own host name, processes, folder and link.

What lives here: the network, the machines, the broker they share. What does not: what is done to them
(simulator.chaos_hosts). Needs root, `ip`, `unshare` and `redis-server`.
The fact to know: a machine's processes are one process namespace, so killing its first process ends every other with
it, at once and without a word, as a power cut does; and its link is a real one, so that a cut leaves both ends waiting.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from forwarder_core.embedded.environment import ROOT
from forwarder_core.embedded.logfile import open_log
from forwarder_core.embedded.readiness import listens
from forwarder_core.embedded.spawn import Command, kill_group, spawn, stop, tail, wait_until
from forwarder_core.errors import StartError

REDIS_PORT = 6379
_PROGRAMS = ("ip", "unshare", "mount", "redis-server")
_NETWORK = "198.18"  # of RFC 2544: for trials, routed nowhere
_REDIS_STARTS_S = 20.0
_STOP_GRACE_S = 20.0
# Host name and disk are the machine's own: each has its folder at the same place, as real ones do. `exec`, so that the
# worker is its first process.
_BOOT = 'echo "$0" > /proc/sys/kernel/hostname; mount --bind "$1" "$2"; shift 2; exec "$@"'


class HostsImpossible(StartError):
    code = "hosts_impossible"
    action = "Run it as root on Linux, with iproute2, util-linux and redis-server installed."


def check_possible(hosts: int) -> None:
    """Raises HostsImpossible, naming everything that is missing."""
    if hosts < 2:
        raise HostsImpossible("One machine alone proves nothing.", action="Give --hosts 2 or more.")
    missing = [f"the program {name}" for name in _PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root's rights")
    if missing:
        raise HostsImpossible(f"The machines of this drill cannot be made here; missing: {', '.join(missing)}.")


class Broker:
    """Redis on one address, as the documents ask for it: kept on disk by an append-only file."""

    def __init__(self, address: str, folder: Path, port: int = REDIS_PORT) -> None:
        self.url = f"redis://{address}:{port}"
        self._address, self._folder, self._port = address, folder, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its server. Raises HostsImpossible before it was started."""
        if self._process is None:
            raise HostsImpossible("redis-server does not run.")
        return self._process.pid

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        told = {"bind": self._address, "port": str(self._port), "dir": str(self._folder), "save": ""}
        told |= {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        told |= {"protected-mode": "no"}  # nobody but the drill's machines is on this network
        argv = ["redis-server", *(word for name, value in told.items() for word in (f"--{name}", value))]
        log = self._folder / "redis.log"
        with open_log(log) as out:
            self._process = spawn(Command(argv=tuple(argv), cwd=self._folder), out)
        if not wait_until(listens(self._port, self._address), _REDIS_STARTS_S):
            raise HostsImpossible(f"redis-server does not start.\n{tail(log)}")

    def lose_everything(self) -> None:
        """Its machine dies, and its disk with it; it comes back empty."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)
        self.start()

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, Command(argv=(), cwd=ROOT).stop_signal, _STOP_GRACE_S)


@dataclass(slots=True)
class WorkerHost:
    """One machine: a namespace with a link, a folder, and a worker that may be running in it."""

    name: str
    link: str  # our end of it
    home: Path  # as we see it
    seen_as: Path  # as its processes do
    env: Mapping[str, str] = field(repr=False)
    runs: int
    _worker: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def is_up(self) -> bool:
        return self._worker is not None and self._worker.poll() is None

    @property
    def log(self) -> Path:
        return self.home / "worker.log"

    def boot(self) -> None:
        """Start its worker, with what is left on its disk."""
        worker = (sys.executable, "-m", "forwarder_core.cli", "worker", "--concurrency", str(self.runs))
        disk = (str(self.home), str(self.seen_as))
        alone = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
        argv = ("ip", "netns", "exec", self.name, *alone, "sh", "-ec", _BOOT, self.name, *disk, *worker)
        with open_log(self.log) as out:
            self._worker = spawn(Command(argv=argv, cwd=ROOT, env=self.env), out)

    def kill(self) -> None:
        """The power fails."""
        if self._worker is not None:
            kill_group(self._worker.pid)
            self._worker.wait()

    def cut(self) -> None:
        """Its network cable is pulled; its processes know nothing of it."""
        _ip("link", "set", self.link, "down")

    def join(self) -> None:
        _ip("link", "set", self.link, "up")


@contextmanager
def bridge(home: Path) -> Iterator[tuple[str, str]]:
    """The drill's network: its name, and our address on it. What an earlier drill of this home left goes first."""
    number = int(hashlib.sha256(str(home).encode()).hexdigest()[:4], 16) % 254
    name, address = f"fwd{number}", f"{_NETWORK}.{number}.1"
    _remove(name)
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", f"{address}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield name, address
    finally:
        _remove(name)


@contextmanager
def machines(network: tuple[str, str], hosts: Sequence[WorkerHost]) -> Iterator[None]:
    """Namespaces and links for these; at the end their workers are killed. The network removes the rest."""
    bridge_name, address = network
    try:
        for number, host in enumerate(hosts, start=2):
            _ip("netns", "add", host.name)
            _ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("link", "set", host.link, "master", bridge_name, "up")
            _ip("-n", host.name, "address", "add", f"{address.rpartition('.')[0]}.{number}/24", "dev", "eth0")
            for inside in ("lo", "eth0"):
                _ip("-n", host.name, "link", "set", inside, "up")
        yield
    finally:
        for host in hosts:
            host.kill()


def _remove(bridge_name: str) -> None:
    """The bridge, and the namespaces that are called after it; their links go with them."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.startswith(f"{bridge_name}-")):
        _ip("netns", "delete", name)
    if Path(f"/sys/class/net/{bridge_name}").exists():
        _ip("link", "delete", bridge_name)


def _ip(*words: str) -> None:
    """Raises HostsImpossible with what `ip` said."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostsImpossible(f"ip {' '.join(words)}: {done.stderr.strip()}")
