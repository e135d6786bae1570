"""Dagster's three storages without the questions whose answer is known, and without what nobody hears.

For each tick, run and event Dagster asks its database which tables, columns and indices it has: in an idle stack that
was a third of its daemon's work and half of PostgreSQL's (`./run bench idle`). Old ticks it deletes at every tick, and
after every event goes a NOTIFY that by its own words nobody needs any more ("preserved here to support version skew").
The fact to know: the supervisor has Dagster make or upgrade its tables before its processes start, so what is there
once stays; `store_event` is that of dagster-postgres 0.29.27 without the NOTIFY, and an update is to be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage

PURGE_EVERY_S = 600.0  # ticks are kept for a day and longer

Question = Callable[..., bool]


def _until_yes(question: Question, *, of_data: bool = False) -> Question:
    """Asked until the answer is yes. A process that makes no tables itself (`should_autocreate_tables` False) finds
    them made; `of_data`: of what may be filled in later, and so is asked there too."""

    @wraps(question)
    def ask(self: Any, *asked: Any) -> bool:
        if not of_data and not self.should_autocreate_tables:
            return True
        known: set[object] = self.__dict__.setdefault("_known", set())
        name = (question.__name__, *(word for word in asked if isinstance(word, str)))
        if name not in known and question(self, *asked):
            known.add(name)
        return name in known

    return ask


class CalmRunStorage(PostgresRunStorage):
    has_built_index = _until_yes(PostgresRunStorage.has_built_index, of_data=True)
    has_run_stats_index_cols = _until_yes(PostgresRunStorage.has_run_stats_index_cols)
    has_backfill_id_column = _until_yes(PostgresRunStorage.has_backfill_id_column)
    has_backfill_tags_table = _until_yes(PostgresRunStorage.has_backfill_tags_table)
    has_bulk_actions_selector_cols = _until_yes(PostgresRunStorage.has_bulk_actions_selector_cols)
    has_bulk_action_job_name_column = _until_yes(PostgresRunStorage.has_bulk_action_job_name_column)


class CalmEventLogStorage(PostgresEventLogStorage):
    has_secondary_index = _until_yes(PostgresEventLogStorage.has_secondary_index, of_data=True)
    has_asset_key_col = _until_yes(PostgresEventLogStorage.has_asset_key_col)
    _has_asset_key_col_on_connection = _until_yes(PostgresEventLogStorage._has_asset_key_col_on_connection)

    def store_event(self, event: EventLogEntry) -> None:
        told = event.dagster_event
        with self._connect() as conn:
            insert = self.prepare_insert_event(event).returning(SqlEventLogStorageTable.c.id)
            event_id = int(conn.execute(insert).scalar_one())
        if told is not None and told.event_type in ASSET_EVENTS and told.asset_key:
            with self.index_transaction() as conn:
                self._store_asset_event_tags(conn, [event], [event_id])
                self._store_asset_event(conn, event, event_id)
        if told is not None and told.event_type in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)


class CalmScheduleStorage(PostgresScheduleStorage):
    has_built_index = _until_yes(PostgresScheduleStorage.has_built_index, of_data=True)
    has_instigators_table = _until_yes(PostgresScheduleStorage.has_instigators_table)
    _has_instigators_table = _until_yes(PostgresScheduleStorage._has_instigators_table)

    def purge_ticks(
        self, origin_id: str, selector_id: str, before: float, tick_statuses: Sequence[TickStatus] | None = None
    ) -> None:
        purged: dict[object, float] = self.__dict__.setdefault("_purged", {})
        whose, now = (selector_id, tuple(tick_statuses or ())), time.monotonic()
        if whose not in purged or now - purged[whose] >= PURGE_EVERY_S:
            super().purge_ticks(origin_id, selector_id, before, tick_statuses)
            purged[whose] = now
