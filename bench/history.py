"""A year of a million jobs, made by SQL, evenly over the year: what benches of reading and counting stand on.

The database is a fresh embedded one with its usual settings. The fact to know: captions are of words of every
frequency: `travel` stands in every second one, `word0` to `word999` in one of a thousand each, `tag<n>` in one of all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, text

from forwarder_core import db
from forwarder_core.clock import Clock, ManualClock
from forwarder_core.db.engine import connect
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.vault import Vault

JOBS = 1_000_000
CONNECTIONS = 100
DAYS = 365

_CAPTION = (
    "CASE WHEN n % 2 = 0 THEN 'Travel ' ELSE 'Food ' END || 'word' || n % 1000 * 7919 % 1000 || ' word' || n % 997"
    " || ' sunset' || n % 40 || ' #tag' || n"
)
_SEED = (
    "INSERT INTO accounts (platform, alias, handle, auth_method, created_at)"
    " SELECT CASE WHEN n % 2 = 0 THEN 'instagram' ELSE 'youtube' END, 'a' || n, 'h' || n, 'x', :first"
    " FROM generate_series(1, 2 * :connections) AS n",
    "INSERT INTO connections (name, type, source_account_id, destination_account_id, status, created_at)"
    " SELECT 'c' || n, 'x', 2 * n - 1, 2 * n, 'active', :first FROM generate_series(1, :connections) AS n",
    "INSERT INTO source_posts (account_id, platform_post_id, url, caption, posted_at, seen_at)"
    f" SELECT 2 * (n % :connections) + 1, n, 'u', {_CAPTION}, at, at FROM (SELECT n, CAST(:first AS timestamptz)"
    "  + n * CAST(:step AS interval) AS at FROM generate_series(1, :jobs) AS n) AS made",
    "INSERT INTO jobs (connection_id, source_post_id, root_post_id, status, created_at, started_at, completed_at,"
    "  changed_at, retries_used, attempts, error_code, error_message, error_action, step)"
    " SELECT (id - 1) % :connections + 1, id, id, CASE WHEN id % 20 = 0 THEN 'dead' ELSE 'success' END, posted_at,"
    "  posted_at + interval '10 s', posted_at + interval '90 s', posted_at + interval '90 s', id % 7 / 6,"
    "  1 + id % 7 / 6, CASE WHEN id % 20 = 0 THEN 'error_' || id % 9 END,"
    "  CASE WHEN id % 20 = 0 THEN 'No.' END, CASE WHEN id % 20 = 0 THEN 'Nothing.' END, 'publish_video'"
    " FROM source_posts",
    "INSERT INTO attempts (job_id, n, state, step, bytes_fetched, bytes_sent, error_code, started_at, ended_at)"
    " SELECT id, attempts, CASE status WHEN 'dead' THEN 'failed' ELSE 'success' END, step, 20000000, 15000000,"
    "  error_code, started_at, completed_at FROM jobs",
)


@contextmanager
def core(jobs: int = JOBS, *, now: datetime, clock: Clock | None = None) -> Iterator[Core]:
    """`jobs` of them, the last at `now`; `clock`: one that stands still then unless another is given."""
    folder = Path(tempfile.mkdtemp(prefix="forwarder-bench-"))
    folder.chmod(0o755)  # PostgreSQL runs as an unprivileged user
    server = Cluster(folder / "cluster").start()
    try:
        server.ensure_databases("forwarder")
        url = server.url("forwarder")
        db.migrate(url)
        engine = connect(url)
        _seed(engine, jobs, now)
        settings = Settings(home=folder, database_url=url)
        yield Core(settings, engine, Vault.open(settings.key_file), clock or ManualClock(now))
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _seed(engine: Engine, jobs: int, now: datetime) -> None:
    step = timedelta(days=DAYS) / JOBS
    values = {"jobs": jobs, "connections": CONNECTIONS, "first": now - jobs * step, "step": step}
    with engine.begin() as tx:
        for statement in _SEED:
            tx.execute(text(statement), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("VACUUM ANALYZE"))
