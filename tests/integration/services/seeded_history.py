"""A history with known answers, written row by row: five days in Berlin around the change to summer time.

Connection A: 27 March two arrive; on the 28th one fails at 23:50 and arrives at 00:05 of the 29th, which has 23 hours;
on the 30th one is dead, and one stands still since the 29th. Connection B: one arrives on the 28th, one is dead on the
29th, then it is deleted. Connection C does nothing. Whatever shows a figure is held to this table, worked out by hand;
W waits from made to started, D lasts from started to success, L from posted (100 s before it was made) to success:

| job | made | attempts, started to ended | became | W | D | L | counts on |
|---|---|---|---|---|---|---|---|
| A1 | 27 14:08:50 | 27 14:09:00-14:10:00 well | success | 10 | 60 | 170 | 27, 14 h |
| A2 | 27 14:47:50 | 27 14:48:00-14:50:00 well | success | 10 | 120 | 230 | 27, 14 h |
| A3 | 28 23:48:50 | 28 23:49-23:50 network_error (destination), 29 00:04-00:05 | success | 10 | 960 | 1070 | 29, 0 h |
| A4 | 30 08:59:40 | 30 09:00:00-09:00:10 auth_expired (source) | dead | 20 | - | - | 30, 9 h |
| A5 | 29 19:59:50 | 29 20:00:00-20:00:10 challenge_required (source) | stands still | - | - | - | never |
| B1 | 28 10:00:00 | 28 10:00:10-10:00:40 well | success | 10 | 30 | 140 | 28, 10 h |
| B2 | 29 01:29:00 | 29 01:29:30-01:30:00 media_rejected (destination) | dead | 30 | - | - | 29, 1 h |

| day | ended | well | attempts well + failed | D | W | L |
|---|---|---|---|---|---|---|
| 27 | A1 A2 | 2 of 2 | 2 + 0 | (60 + 120) / 2 = 90 | (10 + 10) / 2 = 10 | p50 200, p95 170 + 0.95 × 60 = 227 |
| 28 | B1 | 1 of 1 | 1 + 1 | 30 | 10 | 140 |
| 29 | A3 B2 | 1 of 2 | 1 + 2 | 960 | (10 + 30) / 2 = 20 | 1070 |
| 30 | A4 | 0 of 1 | 0 + 1 | - | 20 | - |
| 31 | - | - | 0 + 0 | - | - | - |

Each attempt fetched 1,000 bytes, each that went well sent 500. Days expected of A: 27 to 30 (the 28th by its failed
attempt), up 27 and 29; of B: 28 and 29, up 28; of both: 27 to 30, up 27 to 29.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, update

from forwarder_core.db import analytics as rows
from forwarder_core.db.tables import flow
from forwarder_core.domain.analytics import Period
from forwarder_core.domain.connections import Connection
from forwarder_core.services.context import Core
from tests import factories

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 31, 10, 0, tzinfo=UTC)  # 12:00 there
DAYS = Period(date(2026, 3, 27), date(2026, 3, 31))
Attempt = tuple[str, str, str, str | None, str]  # from, to, state, error, step


@dataclass(frozen=True, slots=True)
class History:
    a: Connection
    b: Connection
    c: Connection


def at(words: str) -> datetime:
    """`28 23:50:00` of March, Berlin time."""
    return datetime.strptime(f"2026-03-{words}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE).astimezone(UTC)


def add(core: Core, connection: Connection, made: str, attempts: Sequence[Attempt], status: str, **more: Any) -> int:
    """A job and its attempts; it ended with the last of them where its status is a last one."""
    ended = at(attempts[-1][1])
    values = {
        "status": status,
        "created_at": at(made),
        "started_at": at(attempts[0][0]),
        "completed_at": ended if status in ("success", "dead") else None,
        "changed_at": ended,
        "attempts": len(attempts),
        "error_code": attempts[-1][3],
        "step": attempts[-1][4],
    }
    post = factories.add_post(core, connection.source_account_id)
    with core.begin() as tx:
        posted_at = at(made) - timedelta(seconds=100)
        tx.execute(update(flow.source_posts).where(flow.source_posts.c.id == post).values(posted_at=posted_at))
    job = factories.add_job(core, connection, post, **(values | more))
    tried = [
        {
            "job_id": job,
            "n": n,
            "state": state,
            "error_code": code,
            "step": step,
            "started_at": at(since),
            "ended_at": at(until),
            "bytes_fetched": 1_000,
            "bytes_sent": 500 if state == "success" else None,
        }
        for n, (since, until, state, code, step) in enumerate(attempts, 1)
    ]
    with core.begin() as tx:
        tx.execute(insert(flow.attempts), tried)
    return job


def write(core: Core) -> History:
    """The clock stands at NOW. In the order of time, as ids are given."""
    made = History(*(factories.add_connection(core, name=f"History {letter}") for letter in "ABC"))
    verify, publish, fetch = "verify_publication", "publish_video", "fetch_post"
    add(core, made.a, "27 14:08:50", [("27 14:09:00", "27 14:10:00", "success", None, verify)], "success")
    add(core, made.a, "27 14:47:50", [("27 14:48:00", "27 14:50:00", "success", None, verify)], "success")
    add(core, made.b, "28 10:00:00", [("28 10:00:10", "28 10:00:40", "success", None, verify)], "success")
    crossing: list[Attempt] = [
        ("28 23:49:00", "28 23:50:00", "failed", "network_error", publish),
        ("29 00:04:00", "29 00:05:00", "success", None, verify),
    ]
    add(core, made.a, "28 23:48:50", crossing, "success", retries_used=1)
    add(core, made.b, "29 01:29:00", [("29 01:29:30", "29 01:30:00", "failed", "media_rejected", publish)], "dead")
    # A time the 29th has only since the clocks went forward; it stands still all of the 30th.
    stuck: list[Attempt] = [("29 20:00:00", "29 20:00:10", "failed", "challenge_required", fetch)]
    add(core, made.a, "29 19:59:50", stuck, "captcha", started_at=at("29 20:00:00"))
    add(core, made.a, "30 08:59:40", [("30 09:00:00", "30 09:00:10", "failed", "auth_expired", fetch)], "dead")
    with core.begin() as tx:
        tx.execute(update(flow.connections).where(flow.connections.c.id == made.b.id).values(deleted_at=NOW))
    return made


@contextmanager
def somebody_counts(core: Core) -> Iterator[None]:
    """As the keeper does in the middle of a piece: nobody else counts until it is done."""
    with core.begin() as tx:
        assert rows.lock(tx, waits=True)
        yield
