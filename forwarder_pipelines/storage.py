"""Dagster's storage in Postgres with sessions that are kept, instead of one session per query.

Dagster's own class opens a session for every query outside its web server: with nothing to do that was 24 sessions a
second, and three fifths of the whole stack's CPU (`./run bench idle`). Here all instances of a process share one small
pool. The fact to know: this sets private attributes, the three storages' engine as their own `optimize_for_webserver`
does; the web server still calls that and so has pools of its own. Nothing of ours rests on Dagster's rows, so their
commits do not wait for the disk: a database that crashes forgets what Dagster wrote in its last half second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import yaml
from dagster._core.instance import InstanceRef
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

from forwarder_core import db
from forwarder_core.embedded import calm_server
from forwarder_pipelines import calm_daemon, calm_watch
from forwarder_pipelines.calm_storage import CalmEventLogStorage, CalmRunStorage, CalmScheduleStorage

_KEPT = 3  # a query inside another's transaction takes a second session
_engines: dict[tuple[int, str], Engine] = {}  # by process: the sessions of an engine do not survive a fork
_handed_down: dict[str, Engine] = {}  # without a session, for the next process that asks


class PooledPostgresStorage(DagsterPostgresStorage):
    """What dagster.yaml names as `storage`; configured as dagster-postgres is."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        calm_watch.ask_less_often()
        calm_daemon.ask_first()
        calm_server.look_less_often()
        key = (os.getpid(), postgres_url)
        # Looking for the tables takes three sessions; once per process will do.
        super().__init__(postgres_url, should_autocreate_tables and key not in _engines, inst_data)
        if key not in _engines:
            is_there = postgres_url in _handed_down
            _engines[key] = _handed_down.pop(postgres_url) if is_there else _pool(postgres_url)
        self._run_storage = CalmRunStorage(postgres_url, should_autocreate_tables=False)
        self._event_log_storage = CalmEventLogStorage(postgres_url, should_autocreate_tables=False)
        self._schedule_storage = CalmScheduleStorage(postgres_url, should_autocreate_tables=False)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = _engines[key]
            storage.should_autocreate_tables = should_autocreate_tables

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        autocreate = bool(config_value.get("should_autocreate_tables", True))
        return cls(pg_url_from_config(config_value), autocreate, inst_data)


def _pool(url: str) -> Engine:
    """A burst of threads opens sessions beyond those kept, and closes them; nobody waits for one."""
    options = make_url(url).query.get("options", "")
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=_KEPT,
        max_overflow=-1,
        connect_args={"options": f"{options} -c synchronous_commit=off".strip()},
    )
    return db.drop_dead_sessions(engine)


def hand_down() -> None:
    """Close this process's sessions, and leave its engines, with what they know by now, to its forks."""
    for key in [key for key in _engines if key[0] == os.getpid()]:
        engine = _engines.pop(key)
        engine.dispose()
        _handed_down[key[1]] = engine


def read_ref(dagster_home: str) -> InstanceRef:
    """What dagster.yaml says, for a run's process to open. Opens nothing itself."""
    ref = InstanceRef.from_dir(dagster_home)
    storage = ref.storage_data
    if storage is None or storage.class_name != PooledPostgresStorage.__name__:
        return ref
    # The tables are there before the first run.
    config = {**storage.config_dict, "should_autocreate_tables": False}
    return ref._replace(storage_data=storage._replace(config_yaml=yaml.safe_dump(config)))
