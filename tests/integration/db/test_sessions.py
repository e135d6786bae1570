"""Sessions kept in a pool: one the server has ended is never handed out, and one at rest is asked nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from forwarder_core.db import drop_dead_sessions


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])  # ours, and Dagster's
def test_a_session_ended_by_the_server_gives_way_to_a_fresh_one(database_url: str, driver: str) -> None:
    url = make_url(database_url).set(drivername=f"postgresql+{driver}")
    engine, other = (create_engine(url, pool_size=1, max_overflow=0), create_engine(url))
    drop_dead_sessions(engine)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    first, second = _backend(engine), _backend(engine)
    assert first == second and len(asked) == 2, "the session is kept, and nothing but the queries was put to it"
    with other.begin() as tx:
        tx.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    assert _backend(engine) != first
    engine.dispose()
    other.dispose()


def _backend(engine: Engine) -> int:
    with engine.connect() as tx:
        return int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())
