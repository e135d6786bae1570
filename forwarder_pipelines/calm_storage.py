"""Dagster's three storages without the questions whose answer is known, and without what nobody hears.

What lives here: the three, and the events of a run that are written some at a time (`holding`). For each tick, run and
event Dagster asks its database which tables, columns and indices it has: in an idle stack that was a third of its
daemon's work and half of PostgreSQL's (`./run bench idle`). Old ticks it deletes at every tick, and after every event
goes a NOTIFY that by its own words nobody needs any more ("preserved here to support version skew").
The fact to know: the supervisor has Dagster make or upgrade its tables before its processes start, so what is there
once stays; `store_event` is that of dagster-postgres 0.29.27 without the NOTIFY, and an update is to be compared. A run
that is killed takes the events with it that it held, which nothing of ours rests on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import InstigatorState, TickStatus
from dagster._core.storage.schedules.migration import SCHEDULE_JOBS_SELECTOR_ID
from dagster._core.storage.schedules.schema import InstigatorsTable
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from forwarder_pipelines import calm_versions

PURGE_EVERY_S = 600.0  # ticks are kept for a day and longer
_MOST_HELD = 50
_COLUMNS = ("run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key", "partition")
_SAYS_NOTHING = frozenset(  # of a run of ours: nothing is stored between its ops, and its output goes to no file
    {
        dg.DagsterEventType.HANDLED_OUTPUT,
        dg.DagsterEventType.LOADED_INPUT,
        dg.DagsterEventType.HOOK_SKIPPED,
        dg.DagsterEventType.LOGS_CAPTURED,
    }
)
# As a string, because SQLAlchemy would compile the statement anew for each number of rows.
_INSERT = f"INSERT INTO event_logs ({', '.join(_COLUMNS)}) VALUES "
_HAS_QUEUED = "SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'QUEUED')"
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"

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
    def has_queued(self) -> bool:
        with self.connect() as conn:
            return bool(conn.exec_driver_sql(_HAS_QUEUED).scalar_one())

    has_built_index = _until_yes(PostgresRunStorage.has_built_index, of_data=True)
    has_run_stats_index_cols = _until_yes(PostgresRunStorage.has_run_stats_index_cols)
    has_backfill_id_column = _until_yes(PostgresRunStorage.has_backfill_id_column)
    has_backfill_tags_table = _until_yes(PostgresRunStorage.has_backfill_tags_table)
    has_bulk_actions_selector_cols = _until_yes(PostgresRunStorage.has_bulk_actions_selector_cols)
    has_bulk_action_job_name_column = _until_yes(PostgresRunStorage.has_bulk_action_job_name_column)


class CalmEventLogStorage(PostgresEventLogStorage):
    """Within `holding` events are written some at a time: before anything is asked here, when a step begins or fails,
    and with those that are the run's own state."""

    has_table = _until_yes(PostgresEventLogStorage.has_table)
    has_secondary_index = _until_yes(PostgresEventLogStorage.has_secondary_index, of_data=True)
    has_asset_key_col = _until_yes(PostgresEventLogStorage.has_asset_key_col)
    _has_asset_key_col_on_connection = _until_yes(PostgresEventLogStorage._has_asset_key_col_on_connection)
    _held: list[EventLogEntry] | None = None  # None: written as they come

    def store_event(self, event: EventLogEntry) -> None:
        if self._held is None:
            self._index(self._insert([event]))
            return
        if event.dagster_event_type in _SAYS_NOTHING:
            return
        with self._writing:
            self._held.append(event)
            if _is_due(event) or len(self._held) >= _MOST_HELD:
                self.write_held()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """For a process that carries one run. A partition that was there once stays for that long."""
        self._writing, self._held, self._partitions = threading.RLock(), [], set[tuple[str, str]]()
        try:
            yield
        finally:
            try:
                self.write_held()
            finally:
                self._held = None

    def write_held(self) -> None:
        """Where they cannot be written they stay held."""
        if not self._held:
            return
        with self._writing:
            events, self._held = self._held, []
            try:
                written = self._insert(events) if events else []
            except SQLAlchemyError:
                self._held = [*events, *self._held]
                raise
            self._index(written)

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        asked = (partitions_def_name, partition_key)
        if self._held is None:
            return super().has_dynamic_partition(*asked)
        if asked not in self._partitions and super().has_dynamic_partition(*asked):
            self._partitions.add(asked)
        return asked in self._partitions

    def _connect(self) -> AbstractContextManager[Connection]:
        self.write_held()
        return super()._connect()

    def _insert(self, events: Sequence[EventLogEntry]) -> list[tuple[EventLogEntry, int]]:
        rows = [self._event_to_row(event) for event in events]
        insert = f"{_INSERT}{', '.join([_ROW] * len(rows))} RETURNING id"
        with super()._connect() as conn:
            made = conn.exec_driver_sql(insert, tuple(row[column] for row in rows for column in _COLUMNS))
            return list(zip(events, sorted(map(int, made.scalars())), strict=True))

    def _index(self, written: Sequence[tuple[EventLogEntry, int]]) -> None:
        for event, event_id in written:
            told = event.dagster_event
            if told is not None and told.event_type in ASSET_EVENTS and told.asset_key:
                with self.index_transaction() as conn:
                    self._store_asset_event_tags(conn, [event], [event_id])
                    self._store_asset_event(conn, event, event_id)
            if told is not None and told.event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)


def _is_due(event: EventLogEntry) -> bool:
    """Whether it is to be seen at once: a step may take long."""
    told = event.dagster_event
    return told is not None and (told.is_job_event or told.is_failure or told.is_step_start)


@contextmanager
def holding(instance: dg.DagsterInstance) -> Iterator[None]:
    """Write the events of this process's run some at a time, where the storage is ours."""
    calm_versions.leave_out()
    storage = instance.event_log_storage
    with storage.holding() if isinstance(storage, CalmEventLogStorage) else nullcontext():
        yield


class CalmScheduleStorage(PostgresScheduleStorage):
    has_built_index = _until_yes(PostgresScheduleStorage.has_built_index, of_data=True)
    has_instigators_table = _until_yes(PostgresScheduleStorage.has_instigators_table)
    _has_instigators_table = _until_yes(PostgresScheduleStorage._has_instigators_table)

    def update_instigator_state(self, state: InstigatorState) -> InstigatorState:
        """One statement, twice a tick. Dagster's own asks first whether the row is there, and writes it to the table of
        its older versions too: that is left to it where the status changes, or where that table is still read."""
        if not (self.has_instigators_table() and self.has_built_index(SCHEDULE_JOBS_SELECTOR_ID)):
            return super().update_instigator_state(state)
        its = (InstigatorsTable.c.selector_id == state.selector_id, InstigatorsTable.c.status == state.status.value)
        said = {"instigator_body": dg.serialize_value(state), "update_timestamp": datetime.now(UTC)}
        with self.connect() as conn:
            changed = conn.execute(InstigatorsTable.update().where(*its).values(**said)).rowcount
        return state if changed else super().update_instigator_state(state)

    def purge_ticks(
        self, origin_id: str, selector_id: str, before: float, tick_statuses: Sequence[TickStatus] | None = None
    ) -> None:
        purged: dict[object, float] = self.__dict__.setdefault("_purged", {})
        whose, now = (selector_id, tuple(tick_statuses or ())), time.monotonic()
        if whose not in purged or now - purged[whose] >= PURGE_EVERY_S:
            super().purge_ticks(origin_id, selector_id, before, tick_statuses)
            purged[whose] = now
