"""The seat of an installation on its database: a lock of the session that holds it, gone with that session.

The fact to know: a server finds out that a machine was cut off when its own TCP says so, by default after two hours;
the session that sits asks it to find out within half a minute.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from forwarder_core.db.engine import Tx

_LOCK = 7_302_118_447_004  # any number, the same in every version
_LOCK_NOT_AVAILABLE = "55P03"
_PATIENCE = {"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}


def sit(session: Tx, wait_s: float) -> bool:
    """Take the seat for this session, which commits by itself; False where another still has it after `wait_s`."""
    for setting, value in (_PATIENCE | {"lock_timeout": f"{max(1, round(wait_s * 1000))}ms"}).items():
        session.execute(text("SELECT set_config(:setting, :value, false)"), {"setting": setting, "value": value})
    try:
        session.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
    except OperationalError as e:
        if getattr(e.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def sitter(session: Tx) -> str | None:
    """The name (application_name) of the session that has the seat; None where nobody has."""
    found: str | None = session.execute(
        text(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND (l.classid::bigint << 32) + l.objid::bigint = :lock"
        ),
        {"lock": _LOCK},
    ).scalar()
    return found
