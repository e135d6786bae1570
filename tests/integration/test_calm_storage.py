"""Dagster's storage of sensors as we keep it: what was there once is not asked for again, and ticks go now and then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from sqlalchemy import event
from sqlalchemy.engine import make_url

from forwarder_pipelines import calm_storage
from forwarder_pipelines.calm_storage import CalmScheduleStorage
from forwarder_pipelines.storage import PooledPostgresStorage


@pytest.fixture
def storage(empty_database_url: str) -> Iterator[CalmScheduleStorage]:
    url = make_url(empty_database_url).set(drivername="postgresql+psycopg2")
    kept = PooledPostgresStorage(url.render_as_string(hide_password=False))
    schedules = kept.schedule_storage
    assert isinstance(schedules, CalmScheduleStorage)
    yield schedules
    schedules._engine.dispose()


def test_a_tick_asks_only_for_what_it_does_not_know(storage: CalmScheduleStorage) -> None:
    _tick(storage)
    asked: list[str] = []
    event.listen(storage._engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0]))
    _tick(storage)
    assert asked == ["INSERT", "SELECT"]


def test_old_ticks_are_deleted_once_in_ten_minutes(
    storage: CalmScheduleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for every_s in (calm_storage.PURGE_EVERY_S, calm_storage.PURGE_EVERY_S, 0.0):
        monkeypatch.setattr(calm_storage, "PURGE_EVERY_S", every_s)
        _tick(storage)
        storage.purge_ticks("origin", "selector", before=2_000.0, tick_statuses=[TickStatus.SKIPPED])
        kept.append(len(storage.get_ticks("origin", "selector")))
    assert kept == [0, 1, 0]


def _tick(storage: CalmScheduleStorage) -> None:
    storage.create_tick(
        TickData(
            instigator_origin_id="origin",
            instigator_name="watch",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=1_000.0,
            selector_id="selector",
        )
    )
    storage.get_instigator_state("origin", "selector")
