"""Events beside the figures, from wherever they were written; and failures hour by hour to hold them against."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.happenings import happenings
from forwarder_core.domain.coincidences import Hour
from forwarder_core.domain.happenings import Happening

# The audit log and the outbox tell of most things already; nothing is written twice for the charts.
_FOUND = text(
    """
    SELECT at, kind, text FROM happenings WHERE workspace_id = :workspace AND at >= :since AND at < :until
    UNION ALL
    SELECT at, CASE WHEN what LIKE 'proxy%' THEN 'proxy' ELSE 'setting' END, replace(what, '_', ' ')
        || CASE WHEN target = '' THEN '' ELSE ' (' || target || ')' END || ', by ' || who
    FROM audit_log WHERE workspace_id = :workspace AND at >= :since AND at < :until AND (what LIKE 'proxy%'
        OR what IN ('settings_changed', 'limits_changed', 'connection_changed', 'account_changed'))
    UNION ALL
    SELECT created_at, CASE kind WHEN 'anomaly' THEN 'anomaly' ELSE 'proxy' END,
        coalesce(payload ->> 'what', replace(kind, '_', ' '))
        || coalesce(': ' || coalesce(payload ->> 'proxy', payload ->> 'account'), '')
    FROM outbox WHERE workspace_id = :workspace AND created_at >= :since AND created_at < :until
        AND kind IN ('proxy_unhealthy', 'proxy_recovered', 'proxy_exit_changed', 'anomaly')
    UNION ALL
    SELECT opened_at, 'incident', title || ' (' || failures || ' failures)'
    FROM incidents WHERE workspace_id = :workspace AND opened_at >= :since AND opened_at < :until
    ORDER BY at, kind, text LIMIT :most
    """
)


def note(tx: Tx, happening: Happening, key: str) -> None:
    """Once for a key, however often it is said."""
    made = upsert(happenings).values(at=happening.at, kind=happening.kind.value, key=key, text=happening.text)
    tx.execute(made.on_conflict_do_nothing())


def between(tx: Tx, since: datetime, until: datetime, most: int = 5_000) -> list[Happening]:
    """In order."""
    values = {"workspace": WORKSPACE, "since": since, "until": until, "most": most}
    return [Happening.of(row.at, row.kind, row.text) for row in tx.execute(_FOUND, values)]


def hours(tx: Tx, since: datetime, until: datetime) -> list[Hour]:
    """Attempts of every hour from `since` on, also of those in which none ended."""
    query = text(
        "SELECT floor(extract(epoch FROM a.ended_at - :since) / 3600)::int AS n, count(*) AS attempts,"
        " count(*) FILTER (WHERE a.state <> 'success') AS failed FROM attempts a"
        " WHERE a.ended_at >= :since AND a.ended_at < :until AND a.state IN ('success', 'failed', 'lost') GROUP BY 1"
    )
    found = {row.n: Hour(row.attempts, row.failed) for row in tx.execute(query, {"since": since, "until": until})}
    length = max(1, -int(-(until - since).total_seconds() // 3_600))
    return [found.get(n, Hour(0, 0)) for n in range(length)]
