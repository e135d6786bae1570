"""What the launcher asks of our database before its first fork."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import NoResultFound

from forwarder_core.services.carrying import Outset
from forwarder_core.services.context import open_core
from forwarder_core.settings import Settings
from forwarder_pipelines.launching import rehearsal


def test_a_run_finds_what_was_compiled_and_no_session(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = open_core(Settings(home=tmp_path, database_url=database_url))  # type: ignore[call-arg]
    monkeypatch.setattr(rehearsal, "this_core", lambda: core)
    hits: list[str] = []

    rehearsal._ask_ours()

    assert (core.engine.pool.checkedin(), core.engine.pool.checkedout()) == (0, 0)  # type: ignore[attr-defined]
    event.listen(
        core.engine, "before_cursor_execute", lambda *given: hits.append(given[4].cache_hit.name if given[4] else "")
    )
    with pytest.raises(NoResultFound), core.begin() as tx:
        Outset.read(tx, rehearsal.NOBODY)
    assert hits == ["CACHE_HIT"] * 4
    core.engine.dispose()
