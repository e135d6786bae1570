"""A PostgreSQL that the stack does not start itself, and a PgBouncer before it, on this machine.

Needs `pgbouncer`, and says so. The fact to know: it hands out whole sessions; this product can be behind no other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from forwarder_core.cli.worker_hosts import HostsImpossible
from forwarder_core.embedded.ports import LOOPBACK, free_ports
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.embedded.spawn import wait_until

_STARTS_WITHIN_S = 30.0
_MOST_SESSIONS = 150  # of the server's 200, so that the pooler is what says no
_SETTINGS = """[databases]
* = host={host} port={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {names}
pool_mode = session
default_pool_size = {most}
max_client_conn = {most}
ignore_startup_parameters = options
"""


@dataclass(frozen=True, slots=True)
class Pooler:
    database_url: str
    pid: int


@contextmanager
def before(home: Path) -> Iterator[Pooler]:
    """Both in folders of their own. Raises HostsImpossible where there is no pgbouncer."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        raise HostsImpossible("There is no pgbouncer here.", action="Install it: apt-get install pgbouncer.")
    folder, (port,) = home / "pooler", free_ports(1)
    folder.mkdir()
    with Cluster(home / "postgres-server").start() as server:
        server.ensure_databases()
        url = make_url(server.url(driver=None))
        names, told = folder / "names.txt", folder / "pgbouncer.ini"
        names.write_text(f'"{url.username}" "{url.password}"\n')
        told.write_text(_SETTINGS.format(host=LOOPBACK, server=url.port, port=port, names=names, most=_MOST_SESSIONS))
        own = url.set(port=port).render_as_string(hide_password=False)
        somebody = ("-u", "nobody") if os.geteuid() == 0 else ()  # as root it does not run
        process = subprocess.Popen([program, "-q", *somebody, str(told)])
        try:
            if not wait_until(lambda: _answers(own), _STARTS_WITHIN_S):
                raise HostsImpossible("The pgbouncer does not start.", action="See what it said above.")
            yield Pooler(own, process.pid)
        finally:
            process.terminate()
            process.wait()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
