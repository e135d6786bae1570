"""An installation in three states: nothing in it, a little of everything, and ten thousand posts."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from forwarder_core.domain.connections import Connection
from forwarder_core.domain.proxies import ProxyType
from forwarder_core.errors import MediaRejected
from forwarder_core.services import challenges, failing, journal, proxies
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from tests import factories
from tests.unit.admin_app.doorway import HOSTILE

MANY = 10_000
CONNECTIONS = 100
Known = tuple[int, int, int]  # an account, a connection and a job to open
_OPEN = ("running", "retry_wait", "captcha", "paused", "unconfirmed", "queued", "cancelled")
# Posts, jobs, files and log lines by the thousand, in the database itself.
FILL = """
WITH p AS (INSERT INTO source_posts (account_id, platform_post_id, url, caption, posted_at, seen_at, duration_s)
  SELECT :account, 'p' || n, 'https://example.org/' || n, 'Post ' || n, :at, :at, 6
  FROM generate_series(1, :many) n RETURNING id),
j AS (INSERT INTO jobs (connection_id, source_post_id, root_post_id, status, created_at, changed_at, completed_at)
  SELECT :connection, id, id, 'success', :at, :at, :at FROM p RETURNING id),
f AS (INSERT INTO media_files (job_id, kind, path, size_bytes, sha256, duration_ms, width, height, created_at)
  SELECT id, 'rendition', 'x', 1000, repeat('0', 64), 6000, 1080, 1920, :at FROM j)
INSERT INTO log_events (at, level, text, job_id, connection_id)
  SELECT :at, 'info', 'Line ' || id, id, :connection FROM j
"""


def small(core: Core) -> Known:
    """Hostile words wherever there are words; a job in every state."""
    journal.install(core)
    account = factories.add_account(core, alias=HOSTILE, status_reason=HOSTILE)
    connection = factories.add_connection(core, account, name=HOSTILE)
    dead = factories.add_job(core, connection, factories.add_post(core, account.id, caption=HOSTILE))
    failing.fail(core, factories.claimed(core, dead), MediaRejected(HOSTILE))
    for status in _OPEN:
        later = {"next_attempt_at": core.clock.now() + timedelta(minutes=9)} if status == "retry_wait" else {}
        factories.add_job(core, connection, factories.add_post(core, account.id), status=status, **later)
    done = core.clock.now()
    factories.add_job(core, connection, factories.add_post(core, account.id), status="success", completed_at=done)
    other = factories.add_account(core, alias="Challenged")
    factories.add_connection(core, other, name="Second")
    with core.begin() as tx:
        challenges.raise_on(tx, other, HOSTILE, core.clock.now())
    new = NewProxy(alias=HOSTILE[:60], type=ProxyType.HTTP, host="8.8.4.4", port=8080)
    proxies.create(core, new, who="admin")
    return account.id, connection.id, dead


def filled(core: Core) -> Known:
    """The same with a hundred connections more, one of them with ten thousand posts."""
    known = small(core)
    made = [factories.add_connection(core, name=f"Travel {n}") for n in range(CONNECTIONS)]
    fill(core, made[0], MANY)
    return known


def fill(core: Core, connection: Connection, many: int) -> None:
    values = {"account": connection.source_account_id, "connection": connection.id, "at": core.clock.now()}
    with core.begin() as tx:
        tx.execute(text(FILL), values | {"many": many})
