"""A year of a million jobs, made by SQL, evenly over the year: what benches of reading and counting stand on.

What lives here: the rows, in a fresh embedded database of its own (`core`) or beneath a running stack (`fill`). The
fact to know: captions are of words of every frequency: `travel` stands in every second one, `word0` to `word999` in one
of a thousand each, `tag<n>` in one of all.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
LOG_EVENTS_OF_A_JOB = 5
LIVE_PARTITIONS = 10_000
_LOG_DAYS = 60  # inside retention.log_days, so that no sweep takes them away in the middle of a bench

_CAPTION = (
    "CASE WHEN n % 2 = 0 THEN 'Travel ' ELSE 'Food ' END || 'word' || n % 1000 * 7919 % 1000 || ' word' || n % 997"
    " || ' sunset' || n % 40 || ' #tag' || n"
)
_GROUND = (
    "INSERT INTO accounts (platform, alias, handle, auth_method, created_at)"
    " SELECT CASE WHEN n % 2 = 0 THEN 'instagram' ELSE 'youtube' END, 'a' || n, 'h' || n, 'x', :first"
    " FROM generate_series(1, 2 * :connections) AS n",
    "INSERT INTO connections (name, type, source_account_id, destination_account_id, status, created_at)"
    " SELECT 'c' || n, 'x', 2 * n - 1, 2 * n, 'active', :first FROM generate_series(1, :connections) AS n",
)
_FLOW = (
    "ALTER TABLE jobs ENABLE ALWAYS TRIGGER jobs_words",  # in a load, too: searches stand on what it writes
    "INSERT INTO source_posts (account_id, platform_post_id, url, caption, posted_at, seen_at)"
    f" SELECT (CAST(:sources AS bigint[]))[n % :lanes + 1], n, 'u', {_CAPTION}, at, at"
    "  FROM (SELECT n, CAST(:first AS timestamptz) + n * CAST(:step AS interval) AS at"
    "  FROM generate_series(1, :jobs) AS n) AS made",
    "INSERT INTO jobs (connection_id, source_post_id, root_post_id, status, created_at, started_at, completed_at,"
    "  changed_at, retries_used, attempts, error_code, error_message, error_action, step)"
    " SELECT lane.connection_id, id, id, CASE WHEN id % 20 = 0 THEN 'dead' ELSE 'success' END, posted_at,"
    "  posted_at + interval '10 s', posted_at + interval '90 s', posted_at + interval '90 s', id % 7 / 6,"
    "  1 + id % 7 / 6, CASE WHEN id % 20 = 0 THEN 'error_' || id % 9 END,"
    "  CASE WHEN id % 20 = 0 THEN 'No.' END, CASE WHEN id % 20 = 0 THEN 'Nothing.' END, 'publish_video'"
    " FROM source_posts JOIN unnest(CAST(:connections AS bigint[]), CAST(:sources AS bigint[]))"
    "  AS lane (connection_id, source_id) ON source_id = account_id WHERE id > :post ORDER BY id",
    "INSERT INTO attempts (job_id, n, state, step, bytes_fetched, bytes_sent, error_code, started_at, ended_at)"
    " SELECT id, attempts, CASE status WHEN 'dead' THEN 'failed' ELSE 'success' END, step, 20000000, 15000000,"
    "  error_code, started_at, completed_at FROM jobs WHERE source_post_id > :post",
    "ALTER TABLE jobs ENABLE TRIGGER jobs_words",
)
# What a running stack asks of its past, beside the jobs; in one transaction with them, or it would begin to decide a
# million posts anew.
_PAST = (
    "INSERT INTO decisions (connection_id, source_post_id, verdict, rule, decided_at)"
    " SELECT connection_id, source_post_id, 'forward', 'all', created_at FROM jobs WHERE source_post_id > :post",
    "INSERT INTO decision_marks (connection_id, post_id) SELECT connection_id, max(source_post_id) FROM decisions"
    " GROUP BY connection_id ON CONFLICT (connection_id) DO UPDATE SET post_id = excluded.post_id",
    "INSERT INTO publications (job_id, destination_account_id, root_post_id, state, marker, remote_id, created_at,"
    "  committing_at, published_at, verified_at)"
    " SELECT j.id, c.destination_account_id, root_post_id, 'verified', 'm' || j.id, 'r' || j.id, j.created_at,"
    "  completed_at, completed_at, completed_at FROM jobs j JOIN connections c ON c.id = connection_id"
    " WHERE source_post_id > :post AND j.status = 'success'",
    "INSERT INTO origins (platform, remote_id, root_post_id, publication_id, created_at)"
    " SELECT a.platform, p.remote_id, p.root_post_id, p.id, p.created_at FROM publications p"
    " JOIN accounts a ON a.id = p.destination_account_id WHERE p.root_post_id > :post",
)
_LOG = (
    "INSERT INTO log_events (at, level, job_id, account_id, connection_id, code, text)"
    " SELECT CAST(:now AS timestamptz) - (CAST(:now AS timestamptz) - j.created_at) * (:log_days / :days),"
    "  CASE WHEN j.status = 'dead' AND n = :events THEN 'error' ELSE 'info' END, j.id, c.source_account_id, c.id,"
    "  CASE WHEN n = :events THEN j.error_code END, 'Step ' || n || ' of job ' || j.id || ' word' || j.id % 997"
    " FROM jobs j JOIN connections c ON c.id = j.connection_id, generate_series(1, :events) AS n"
    " WHERE j.source_post_id > :post ORDER BY j.id, n",
)
_INDICES = text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table"
    " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
)
_OF_A_LOAD = (
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL synchronous_commit = off",
    "SET LOCAL maintenance_work_mem = '256MB'",
)
_PARTITIONS = text(
    "INSERT INTO dynamic_partitions (partitions_def_name, partition)"
    " SELECT :name, connection || '|' || post FROM unnest(CAST(:connections AS bigint[]), CAST(:posts AS bigint[]))"
    "  AS made (connection, post)"
)
_LAST_POST = text("SELECT coalesce(max(id), 0) FROM source_posts")
_NEWEST = text(
    "SELECT connection_id, source_post_id FROM jobs WHERE source_post_id > :post ORDER BY id DESC LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Lanes:
    """The connections the history is of, and the source account of each, in the same order."""

    connections: Sequence[int]
    sources: Sequence[int]


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
        first = now - jobs * timedelta(days=DAYS) / JOBS
        _execute(engine, _GROUND, {"connections": CONNECTIONS, "first": first})
        numbers = range(1, CONNECTIONS + 1)
        _flow(engine, Lanes(numbers, [2 * n - 1 for n in numbers]), jobs, now)
        _tidy(engine)
        settings = Settings(home=folder, database_url=url)
        yield Core(settings, engine, Vault.open(settings.key_file), clock or ManualClock(now))
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill(core: Core, dagster: Engine, lanes: Lanes, jobs: int, *, partitions: str) -> None:
    """A past for the connections of a running stack: jobs with all that hangs on them, five log events each, and the
    newest as live `partitions` of Dagster's."""
    now = core.clock.now()
    post = _flow(core.engine, lanes, jobs, now, _PAST)
    about = {"post": post, "now": now, "events": LOG_EVENTS_OF_A_JOB, "log_days": float(_LOG_DAYS), "days": DAYS}
    with _without_indices(core.engine, "log_events") as engine:
        _execute(engine, _LOG, about)
    with core.begin() as tx:
        newest = tx.execute(_NEWEST, {"post": post, "most": LIVE_PARTITIONS}).all()
    keys = {"name": partitions, "connections": [c for c, _ in newest], "posts": [p for _, p in newest]}
    with dagster.begin() as tx:
        tx.execute(_PARTITIONS, keys)
    _tidy(core.engine)
    _tidy(dagster)


def _flow(engine: Engine, lanes: Lanes, jobs: int, now: datetime, past: Sequence[str] = ()) -> int:
    """The id of the last post there was before."""
    step = timedelta(days=DAYS) / JOBS
    with engine.begin() as tx:
        post = int(tx.execute(_LAST_POST).scalar_one())
    told = {"jobs": jobs, "first": now - jobs * step, "step": step, "post": post}
    of = {"connections": list(lanes.connections), "sources": list(lanes.sources), "lanes": len(lanes.connections)}
    _execute(engine, [*_FLOW, *past], told | of)
    return post


def _execute(engine: Engine, statements: Sequence[str], values: Mapping[str, object]) -> None:
    """Without looking up foreign keys and telling listeners row by row: what is made here is right and no news."""
    with engine.begin() as tx:
        for setting in _OF_A_LOAD:
            tx.execute(text(setting))
        for statement in statements:
            tx.execute(text(statement), dict(values))


@contextmanager
def _without_indices(engine: Engine, table: str) -> Iterator[Engine]:
    """They are made anew over all rows at the end: a fifth of the time that keeping them up to date takes."""
    with engine.begin() as tx:
        made = tx.execute(_INDICES, {"table": table}).all()
        for name, _ in made:
            tx.execute(text(f"DROP INDEX {name}"))
    yield engine
    _execute(engine, [definition for _, definition in made], {})


def _tidy(engine: Engine) -> None:
    """As autovacuum leaves it after a while."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        tx.execute(text("VACUUM ANALYZE"))
