"""`run chaos --hosts N`: the stack here, its runs on N machines of their own.

What lives here: the database and the broker they share, and what each machine is told. What does not: how a machine is
made (worker_hosts), what is done to it and what it may not do (simulator.chaos_hosts).
The fact to know: a machine reaches PostgreSQL, Redis and the simulated platforms over its link and nothing else, and
has its own folder: only the key ring and the simulator's certificate are copied to it, as docs/scaling.md says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from forwarder_core.cli.worker_hosts import Broker, WorkerHost, bridge, machines
from forwarder_core.embedded.bring_up import Running
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.settings import Launcher, Settings
from forwarder_core.simulator.chaos_hosts import RUNS_PER_HOST
from forwarder_core.simulator.portal import portal
from forwarder_core.vault import Vault

_SERVER = "postgres-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the machines of an installation share, and how they are to reach it."""

    home: Path
    network: tuple[str, str]
    broker: Broker
    database_url: str

    @property
    def address(self) -> str:
        return self.network[1]

    @property
    def env(self) -> dict[str, str]:
        return {"REDIS_BROKER": f"{self.broker.url}/0", "REDIS_BACKEND": f"{self.broker.url}/1"}

    def settings(self, settings: Settings) -> Settings:
        """Those of the machine everything else runs on."""
        told = {"launcher": Launcher.CELERY, "database_url": self.database_url, "crash_at": None}
        return settings.model_copy(update=told)


@contextmanager
def shared(home: Path) -> Iterator[Shared]:
    """A network, a database server and a broker, none of which the stack starts itself."""
    with bridge(home) as network, Cluster(home / _SERVER).start() as server:
        server.ensure_databases()
        broker = Broker(network[1], home / "redis")
        try:
            broker.start()
            yield Shared(home=home, network=network, broker=broker, database_url=server.url(driver=None))
        finally:
            broker.stop()


@contextmanager
def workers(running: Running, common: Shared, count: int) -> Iterator[list[WorkerHost]]:
    """`count` machines, each with its worker started."""
    Vault.open(running.settings.key_file)  # the first to come makes the key ring
    hosts = [_host(running, common, number) for number in range(1, count + 1)]
    ports = (running.ports.gateway, int(make_url(common.database_url).port or 0))
    with machines(common.network, hosts), portal(common.address, ports):
        for host in hosts:
            host.boot()
        yield hosts


def _host(running: Running, common: Shared, number: int) -> WorkerHost:
    bridge_name, address = common.network
    home, seen_as = common.home / "hosts" / str(number), common.home / "machine"
    for folder in (home, seen_as):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(running.settings.ca_bundle), home / "ca.pem")
    shutil.copyfile(running.settings.key_file, home / "secret-keys")
    database = make_url(common.database_url).set(host=address)
    told = {
        "home": seen_as,
        "database_url": database.render_as_string(hide_password=False),
        "outbound_proxy": f"http://{address}:{running.ports.gateway}",
        "ca_bundle": seen_as / "ca.pem",
    }
    env = {name: running.env[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in running.env}
    env |= running.settings.model_copy(update=told).environment() | common.env
    return WorkerHost(
        name=f"{bridge_name}-{number}",
        link=f"{bridge_name}h{number}",
        home=home,
        seen_as=seen_as,
        env=env,
        runs=RUNS_PER_HOST,
    )
