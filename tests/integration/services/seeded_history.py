"""A history with known answers, written row by row: five days in Berlin around the change to summer time.

Connection A: 27 March two arrive; on the 28th one fails at 23:50 and arrives at 00:05 of the 29th, which has 23 hours;
on the 30th one is dead, and one stands still since the 29th. Connection B: one arrives on the 28th, one is dead on the
29th, then it is deleted. Connection C does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, update

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
    """The clock stands at NOW."""
    made = History(*(factories.add_connection(core, name=f"History {letter}") for letter in "ABC"))
    verify, publish, fetch = "verify_publication", "publish_video", "fetch_post"
    add(core, made.a, "27 14:08:50", [("27 14:09:00", "27 14:10:00", "success", None, verify)], "success")
    add(core, made.a, "27 14:47:50", [("27 14:48:00", "27 14:50:00", "success", None, verify)], "success")
    crossing: list[Attempt] = [
        ("28 23:49:00", "28 23:50:00", "failed", "network_error", publish),
        ("29 00:04:00", "29 00:05:00", "success", None, verify),
    ]
    add(core, made.a, "28 23:48:50", crossing, "success", retries_used=1)
    add(core, made.a, "30 08:59:40", [("30 09:00:00", "30 09:00:10", "failed", "auth_expired", fetch)], "dead")
    # A time the 29th has only since the clocks went forward; it stands still all of the 30th.
    stuck: list[Attempt] = [("29 20:00:00", "29 20:00:10", "failed", "challenge_required", fetch)]
    add(core, made.a, "29 19:59:50", stuck, "captcha", started_at=at("29 20:00:00"))
    add(core, made.b, "28 10:00:00", [("28 10:00:10", "28 10:00:40", "success", None, verify)], "success")
    add(core, made.b, "29 01:29:00", [("29 01:29:30", "29 01:30:00", "failed", "media_rejected", publish)], "dead")
    with core.begin() as tx:
        tx.execute(update(flow.connections).where(flow.connections.c.id == made.b.id).values(deleted_at=NOW))
    return made
