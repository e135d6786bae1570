"""Dagster's storages as we keep them: what was there once is not asked for again, ticks go now and then, and the
events of a run are written some at a time."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from forwarder_pipelines import calm_storage, calm_versions
from forwarder_pipelines.calm_storage import CalmEventLogStorage, CalmRunStorage, CalmScheduleStorage
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


@pytest.fixture
def instance(empty_database_url: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    url = make_url(empty_database_url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    ours = {"module": PooledPostgresStorage.__module__, "class": PooledPostgresStorage.__name__}
    told = {"storage": {"custom": {**ours, "config": {"postgres_url": url}}}, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(told), "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made
        storage_of(made)._engine.dispose()


def storage_of(instance: dg.DagsterInstance) -> CalmEventLogStorage:
    assert isinstance(instance.event_log_storage, CalmEventLogStorage)
    return instance.event_log_storage


@dg.job(executor_def=dg.in_process_executor)
def nothing_job() -> None: ...


def _events(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [str(entry.dagster_event.message) for entry in instance.all_logs(run_id) if entry.dagster_event]


def test_whether_a_run_is_queued_is_known_without_reading_it(instance: dg.DagsterInstance) -> None:
    runs = instance.run_storage
    assert isinstance(runs, CalmRunStorage)
    here = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("127.0.0.1", port=1), "__repository__")
    found = []
    for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED):
        instance.create_run_for_job(
            nothing_job,
            status=status,
            remote_job_origin=RemoteJobOrigin(here, nothing_job.name),
        )
        found.append(runs.has_queued())
    assert found == [False, True]


def test_events_of_a_run_are_written_together_and_in_order(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(nothing_job)
    asked: list[str] = []
    event.listen(
        storage_of(instance)._engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0])
    )
    with calm_storage.holding(instance):
        for number in range(5):
            instance.report_engine_event(f"event {number}", run)
        assert asked == []
        assert _events(instance, run.run_id) == [f"event {number}" for number in range(5)]
        assert asked == ["INSERT", "SELECT"]
        instance.report_engine_event("the last", run)
    assert _events(instance, run.run_id)[-1] == "the last"


def test_a_step_that_begins_and_the_state_of_its_run_are_seen_at_once(instance: dg.DagsterInstance) -> None:
    seen: list[tuple[list[str], str]] = []
    kept = storage_of(instance)

    @dg.op
    def look(context: dg.OpExecutionContext) -> None:
        assert not kept._held
        run = instance.get_run_by_id(context.run_id)
        seen.append((_events(instance, context.run_id), run.status.value if run else ""))

    @dg.job(executor_def=dg.in_process_executor)
    def look_job() -> None:
        look()

    with calm_storage.holding(instance):
        run_id = look_job.execute_in_process(instance=instance).run_id
    [(told, status)] = seen
    assert status == "STARTED"
    assert any(words.startswith("Started execution of step") for words in told)
    assert any(words.startswith("Finished execution of run") for words in _events(instance, run_id))


@dg.asset
def earlier() -> None: ...


@dg.asset(deps=[earlier])
def later() -> None: ...


@pytest.mark.parametrize("name", [calm_versions.FORWARDS, "another_job"])
def test_a_forward_leaves_out_what_nobody_reads_of_it(instance: dg.DagsterInstance, name: str) -> None:
    job = dg.define_asset_job(name, selection=[earlier, later], executor_def=dg.in_process_executor)
    made = dg.Definitions(assets=[earlier, later], jobs=[job]).resolve_job_def(name)
    with calm_storage.holding(instance):
        run_id = made.execute_in_process(instance=instance).run_id
    kinds = {entry.dagster_event.event_type for entry in instance.all_logs(run_id) if entry.dagster_event}
    assert dg.DagsterEventType.STEP_OUTPUT in kinds
    assert not kinds & {dg.DagsterEventType.HANDLED_OUTPUT, dg.DagsterEventType.LOGS_CAPTURED}
    tags = instance.get_latest_materialization_event(dg.AssetKey("later")).asset_materialization.tags  # type: ignore[union-attr]
    assert bool(tags) is (name != calm_versions.FORWARDS)


def test_events_that_could_not_be_written_are_written_later_and_once(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(nothing_job)
    with calm_storage.holding(instance):
        instance.report_engine_event("kept", run)
        with monkeypatch.context() as away:
            away.setattr(calm_storage, "_INSERT", "INSERT INTO nowhere VALUES ")
            with pytest.raises(SQLAlchemyError):
                _events(instance, run.run_id)
    assert _events(instance, run.run_id) == ["kept"]


def test_what_a_tick_leaves_is_one_statement_and_a_stop_is_written_everywhere(storage: CalmScheduleStorage) -> None:
    here = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("127.0.0.1", port=1), "__repository__")
    watch = RemoteInstigatorOrigin(here, "watch")
    state = InstigatorState(watch, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData())
    storage.add_instigator_state(state)
    assert _kept(storage, state) == state  # and which tables there are is known from now on
    asked: list[str] = []
    event.listen(storage._engine, "before_cursor_execute", lambda *given: asked.append(given[2].split()[0]))
    storage.update_instigator_state(state.with_data(SensorInstigatorData(cursor="7")))
    assert asked == ["UPDATE"]
    assert _kept(storage, state).instigator_data == SensorInstigatorData(cursor="7")
    storage.update_instigator_state(_kept(storage, state).with_status(InstigatorStatus.STOPPED))
    assert _kept(storage, state).status is InstigatorStatus.STOPPED
    with storage.connect() as conn:
        assert conn.exec_driver_sql("SELECT status FROM jobs").scalar_one() == "STOPPED"


def _kept(storage: CalmScheduleStorage, state: InstigatorState) -> InstigatorState:
    kept = storage.get_instigator_state(state.instigator_origin_id, state.selector_id)
    assert kept is not None
    return kept
