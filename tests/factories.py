"""Small builders for tests: a core on a test's own database, and rows of every noun, each usable without the others.

They write through `forwarder_core.db`, so a row a test builds is a row the product could have written. Credentials are
sealed as the product seals them; accounts that talk to the simulator come from `simulated_account`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select, update

from forwarder_core.clock import Clock
from forwarder_core.connectors import registry
from forwarder_core.db import accounts, connections, jobs, posts, publications
from forwarder_core.db.engine import Tx, connect
from forwarder_core.db.tables import flow, metadata
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import Connection, type_of
from forwarder_core.domain.jobs import Dispatch, Errand, Job, Lease
from forwarder_core.domain.posts import SeenPost
from forwarder_core.services import accounts as accounts_service
from forwarder_core.services import forwarding
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.simulator.testing import Simulator
from forwarder_core.vault import Vault

_numbers = count(1)
LEASE_S = 60.0
STAMP_S = 120.0


@contextmanager
def make_core(database_url: str, clock: Clock, home: Path, **settings: Any) -> Iterator[Core]:
    """A core as `open_core` makes one, with this clock and a pool that is closed at the end."""
    engine = connect(database_url, pool_size=10, name="test")
    try:
        yield core_on(engine, clock, home, **settings)
    finally:
        engine.dispose()


def core_on(engine: Engine, clock: Clock, home: Path, **settings: Any) -> Core:
    """The same on an engine that several tests share, one after the other."""
    url = engine.url.render_as_string(hide_password=False)
    made = Settings(home=home, database_url=url, **settings)
    return Core(made, engine, Vault.open(made.key_file), clock)


def emptied(engine: Engine) -> Engine:
    """Without a row but the one workspace: ten times as fast as a database of one's own."""
    with engine.begin() as tx:
        for table in reversed(metadata.sorted_tables):
            if table.name != "workspaces":
                tx.execute(table.delete())
    return engine


def through(simulator: Simulator) -> dict[str, Any]:
    """Settings of an installation whose every call goes to the simulated platforms."""
    return {"outbound_proxy": simulator.gateway_url, "ca_bundle": simulator.ca_path}


def add_account(core: Core, platform: str = "instagram", **values: Any) -> Account:
    """An account whose credentials open nothing."""
    n = next(_numbers)
    row = {
        "platform": platform,
        "alias": f"{platform} {n}",
        "handle": f"handle_{n}",
        "auth_method": "private",
        "credentials": core.vault.seal({"password": f"swordfish-{n}"}),
        "rights": Rights.OWN,
        "created_at": core.clock.now(),
    }
    with core.begin() as tx:
        made = accounts.get(tx, accounts.add(tx, row | values))
    assert made is not None
    return made


def simulated_account(
    core: Core, simulator: Simulator, platform: str, *, by: str | None = None, **new: Any
) -> tuple[Account, str]:
    """An account the simulator knows, added through the service; and its id there. `by`: how we are let in to it."""
    known = simulator.add_account(platform, f"person_{next(_numbers)}")
    methods = registry.spec(platform).auth_methods
    method = next(method for method in methods if by in (None, method.name))
    wanted = {field.name for field in method.fields}
    credentials = {name: str(value) for name, value in known["credentials"].items() if name in wanted}
    values = {
        "platform": platform,
        "alias": known["username"],
        "handle": known["id"] if platform == "youtube" else known["username"],
        "auth_method": method.name,
        "credentials": credentials,
        "rights": Rights.OWN,
    }
    return accounts_service.create(core, NewAccount(**(values | new))), str(known["id"])


def add_connection(
    core: Core, source: Account | None = None, destination: Account | None = None, **values: Any
) -> Connection:
    """Active since the beginning of the test's time, unless told otherwise."""
    source = source or add_account(core)
    destination = destination or add_account(core, "youtube", auth_method="oauth")
    row = {
        "name": f"connection {next(_numbers)}",
        "type": type_of(source.platform, destination.platform),
        "source_account_id": source.id,
        "destination_account_id": destination.id,
        "status": "active",
        "started_at": core.clock.now(),
        "created_at": core.clock.now(),
    }
    with core.begin() as tx:
        made = connections.get(tx, connections.add(tx, row | values))
    assert made is not None
    return made


def seen_post(at: datetime, platform_post_id: str | None = None, **more: Any) -> SeenPost:
    id_ = platform_post_id or str(3_000_000_000_000_000_000 + next(_numbers))
    said = {"url": f"https://www.instagram.com/reel/{id_}/", "caption": "Sunset #travel", "duration_s": 6.0}
    return SeenPost(platform_post_id=id_, posted_at=at, **(said | more))


def add_post(core: Core, account_id: int, platform_post_id: str | None = None, **more: Any) -> int:
    """A post its source was seen to show; our id of it."""
    post = seen_post(core.clock.now(), platform_post_id, **more)
    with core.begin() as tx:
        posts.record(tx, account_id, [post], core.clock.now())
        found = posts.find(tx, account_id, post.platform_post_id)
    assert found is not None
    return found.id


def add_job(core: Core, connection: Connection, post_id: int | None = None, **values: Any) -> int:
    """A queued job of a post, a new one unless told which; `values` are written as they are."""
    post_id = post_id or add_post(core, connection.source_account_id)
    now = core.clock.now()
    row = {
        "connection_id": connection.id,
        "source_post_id": post_id,
        "root_post_id": post_id,
        "priority": connection.priority,
        "created_at": now,
        "changed_at": now,
    }
    with core.begin() as tx:
        (made,) = jobs.add(tx, [row])
        if values:
            tx.execute(update(flow.jobs).where(flow.jobs.c.id == made).values(**values))
    return made


def errand_of(core: Core, job_id: int) -> Errand:
    with core.begin() as tx:
        return jobs.errand(tx, job_id)


def job_of(core: Core, job_id: int) -> Job:
    with core.begin() as tx:
        found = jobs.get(tx, job_id)
    assert found is not None
    return found


def dispatch(core: Core, job_id: int) -> Dispatch:
    """Have everything due dispatched; this job's launch."""
    return next(d for d in forwarding.dispatchable(core) if d.job_id == job_id)


def claimed(core: Core, job_id: int) -> Lease:
    """Dispatch and claim the job, as a run would."""
    lease = forwarding.claim(core, job_id, dispatch(core, job_id).dispatch_no, f"run-{next(_numbers)}")
    assert lease is not None
    return lease


def add_publication(core: Core, job_id: int, **values: Any) -> int:
    with core.begin() as tx:
        errand = jobs.errand(tx, job_id)
        row = {
            "job_id": job_id,
            "destination_account_id": errand.destination.id,
            "root_post_id": errand.job.root_post_id,
            "marker": f"fw-{next(_numbers):010x}",
            "created_at": core.clock.now(),
        }
        return publications.add(tx, row | values)


def rows(core: Core, table: Table, **equal: Any) -> list[Mapping[str, Any]]:
    """Rows of a table as they are stored, by id."""
    query = select(table).where(*(table.c[name] == value for name, value in equal.items()))
    with core.begin() as tx:
        return [dict(row) for row in tx.execute(query.order_by(*table.primary_key.columns)).mappings()]


def change_row(tx: Tx, table: Table, row_id: int, **values: Any) -> None:
    tx.execute(update(table).where(table.c.id == row_id).values(**values))


def later(core: Core, seconds: float) -> datetime:
    return core.clock.now() + timedelta(seconds=seconds)
