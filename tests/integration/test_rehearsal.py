"""What the launcher asks of our database before its first fork, and the run it goes through."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import NoResultFound

from forwarder_core import crashpoints
from forwarder_core.services.carrying import Carrier, Outset
from forwarder_core.services.context import open_core
from forwarder_core.settings import Settings
from forwarder_pipelines import resources
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


def test_a_run_of_nobodys_job_carries_nothing_and_leaves_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    core = open_core(Settings(home=tmp_path, database_url=database_url))  # type: ignore[call-arg]
    for module in (rehearsal, resources):
        monkeypatch.setattr(module, "this_core", lambda: core)
    refused: list[str] = []
    why_not = Carrier.why_not
    monkeypatch.setattr(Carrier, "why_not", lambda carrier: refused.append(why_not(carrier)) or refused[-1])
    crashpoints.arm("claim.before:1:raise", tmp_path)
    before = set(threading.enumerate())
    try:
        rehearsal._run_nobodys_job()
    finally:
        crashpoints.arm(None, tmp_path)

    assert refused == [f"there is no job {rehearsal.NOBODY}"] * rehearsal._TIMES
    assert (core.engine.pool.checkedin(), core.engine.pool.checkedout()) == (0, 0)  # type: ignore[attr-defined]
    assert not (tmp_path / "crashed").exists()
    assert capfd.readouterr() == ("", "")
    assert set(threading.enumerate()) <= before, "a thread would be missing in every fork"
