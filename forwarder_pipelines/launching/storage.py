"""Dagster's instance as a run's process opens it: sessions that are kept, instead of one per query.

Dagster's Postgres storages open a session for every query, so that idle processes hold none. A run's process lives for
one run, makes some fifty queries, and ends: here its three storages share one small pool. SQLite is left as it is.
The fact to know: this sets a private attribute of the storages, as their own `optimize_for_webserver` does; that one
would hold three sessions per run and does not notice that the server was restarted, hence the ping here.
"""

from __future__ import annotations

import dagster as dg
import yaml
from dagster._core.instance import InstanceRef
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from sqlalchemy import create_engine

_KEPT = 2  # a query inside another's transaction takes a second session


def read_ref(dagster_home: str) -> InstanceRef:
    """What dagster.yaml says, for children to open. Opens nothing itself."""
    ref = InstanceRef.from_dir(dagster_home)
    storage = ref.storage_data
    if storage is None or storage.class_name != DagsterPostgresStorage.__name__:
        return ref
    # The tables are there before the first run; looking for them takes three sessions.
    config = {**storage.config_dict, "should_autocreate_tables": False}
    return ref._replace(storage_data=storage._replace(config_yaml=yaml.safe_dump(config)))


def open_instance(ref: InstanceRef) -> dg.DagsterInstance:
    """To be called in a run's own process: an engine does not survive a fork."""
    instance = dg.DagsterInstance.from_ref(ref)
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    engine = None
    for storage in storages:
        if isinstance(storage, PostgresRunStorage | PostgresEventLogStorage | PostgresScheduleStorage):
            engine = engine or create_engine(
                storage.postgres_url,
                isolation_level="AUTOCOMMIT",
                pool_size=_KEPT,
                pool_pre_ping=True,
            )
            storage._engine = engine
    return instance
