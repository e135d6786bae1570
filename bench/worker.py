"""What runs by Celery need beside the stack: a PostgreSQL that it does not start itself, a Redis, and a worker.

What lives here: all three on this machine. What does not: the stack (stack). Needs `redis-server`, and says so. The
fact to know: the worker has a folder of its own, like one on another machine, and is started as `./run worker` is; only
key ring and certificate are copied to it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forwarder_core.cli.worker_hosts import Broker, HostsImpossible
from forwarder_core.embedded.bring_up import Running
from forwarder_core.embedded.environment import ROOT
from forwarder_core.embedded.logfile import open_log
from forwarder_core.embedded.ports import LOOPBACK, free_ports
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.embedded.spawn import Command, spawn, stop, tail, wait_until
from forwarder_core.services import heartbeats
from forwarder_core.services.context import Core
from forwarder_core.settings import Launcher, Settings
from forwarder_core.vault import Vault

RUNS_AT_ONCE = 15
_NAME = "worker@bench"
_STARTS_WITHIN_S, _ENDS_WITHIN_S = 120.0, 30.0


@dataclass(frozen=True, slots=True)
class Site:
    home: Path
    database_url: str
    broker: Broker

    @property
    def env(self) -> dict[str, str]:
        return {"REDIS_BROKER": f"{self.broker.url}/0", "REDIS_BACKEND": f"{self.broker.url}/1"}

    def settings(self, settings: Settings) -> Settings:
        """Those of the machine everything else runs on."""
        return settings.model_copy(update={"launcher": Launcher.CELERY, "database_url": self.database_url})


@contextmanager
def site(home: Path) -> Iterator[Site]:
    """Raises HostsImpossible where there is no redis-server."""
    if shutil.which("redis-server") is None:
        raise HostsImpossible("There is no redis-server here.", action="Install it: apt-get install redis-server.")
    with Cluster(home / "postgres-server").start() as server:
        server.ensure_databases()
        broker = Broker(LOOPBACK, home / "redis", *free_ports(1))
        try:
            broker.start()
            yield Site(home, server.url(driver=None), broker)
        finally:
            broker.stop()


@contextmanager
def working(on: Site, running: Running, core: Core) -> Iterator[Mapping[str, int]]:
    """The pids of broker and worker, once it takes runs. Raises HostsImpossible with what the worker said."""
    home, log = on.home / "worker", on.home / "worker.log"
    home.mkdir()
    Vault.open(running.settings.key_file)  # the first to come makes the key ring
    for file in (running.settings.key_file, running.settings.ca_bundle or Path()):
        shutil.copyfile(file, home / file.name)
    env = {name: running.env[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in running.env}
    env |= running.settings.model_copy(update={"home": home, "ca_bundle": home / "ca.pem"}).environment() | on.env
    argv = (sys.executable, "-m", "forwarder_core.cli", "worker", "--concurrency", str(RUNS_AT_ONCE), "--name", _NAME)
    command = Command(argv=argv, cwd=ROOT, env=env)
    with open_log(log) as out:
        process = spawn(command, out)
    try:
        if not wait_until(lambda: _takes_runs(core, process), _STARTS_WITHIN_S):
            raise HostsImpossible(f"The worker does not start.\n{tail(log)}")
        yield {"redis": on.broker.pid, "worker": process.pid}
    finally:
        stop(process, command.stop_signal, _ENDS_WITHIN_S)


def _takes_runs(core: Core, process: subprocess.Popen[bytes]) -> bool:
    """Raises HostsImpossible where it has ended."""
    if process.poll() is not None:
        raise HostsImpossible("The worker ended at its start.")
    return heartbeats.silence_of(core, _NAME) is not None
