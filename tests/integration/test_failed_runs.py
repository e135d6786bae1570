"""Runs that end before their job hears of them: code that cannot be imported is told once, and nothing is moved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import forwarding, recovery
from forwarder_core.services.context import Core
from forwarder_pipelines import hooks
from forwarder_pipelines.sensors import run_request
from tests.factories import STAMP_S, add_connection, add_job, dispatch, job_of, make_core, rows

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
BROKEN = "import a_library_that_is_not_installed\n"


@pytest.fixture
def core(database_url: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    with make_core(database_url, clock, tmp_path) as core:
        monkeypatch.setattr(hooks, "this_core", lambda: core)
        yield core


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        yield instance


@dg.op
def nothing() -> None:
    """What the job would do, could it be loaded."""


@dg.job(name="forward_job")
def loadable() -> None:
    nothing()


def run_of_code_that_cannot_be_imported(
    instance: dg.DagsterInstance, core: Core, job: int, file: Path
) -> dg.DagsterRun:
    """As the default launcher does it: a process of its own that imports the code and runs the job."""
    file.write_text(BROKEN, "ascii")
    code = ReconstructableRepository.for_file(str(file), "definitions", str(file.parent))
    origin = code.get_reconstructable_job("forward_job").get_python_origin()
    request = run_request(dispatch(core, job))
    run = instance.create_run_for_job(loadable, tags=dict(request.tags), job_code_origin=origin)
    asked = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=instance.get_ref())
    command = [sys.executable, "-m", "dagster", *asked.get_command_args()[1:]]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None and ended.status is dg.DagsterRunStatus.FAILURE
    return ended


def tell_the_sensor(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    event = next(
        entry.dagster_event
        for entry in instance.all_logs(run.run_id)
        if entry.dagster_event is not None and entry.dagster_event.is_job_failure
    )
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor", dagster_event=event, dagster_instance=instance, dagster_run=run
    )
    hooks.run_failure_sensor(context)


def test_a_code_location_that_cannot_be_imported_is_told_once_and_the_job_starts_again_by_itself(
    core: Core, clock: ManualClock, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    job = add_job(core, add_connection(core))
    run = run_of_code_that_cannot_be_imported(instance, core, job, tmp_path / "broken.py")
    for _ in range(2):
        tell_the_sensor(instance, run)  # Dagster may deliver it again
    (told,) = rows(core, system.outbox)
    assert (told["kind"], told["payload"]["code"], told["payload"]["job_id"]) == (
        "job_retrying",
        "run_never_began",
        job,
    )
    waiting = job_of(core, job)
    assert (waiting.status, waiting.attempts, waiting.rescues) == (JobStatus.QUEUED, 0, 0)
    assert rows(core, flow.attempts) == [], "no attempt was begun, so none is to be closed"
    assert forwarding.dispatchable(core) == [], "a code location in trouble is not asked again at once"
    clock.move(STAMP_S + 1)
    assert [launch.job_id for launch in forwarding.dispatchable(core)] == [job]


def test_a_run_that_failed_after_its_job_went_on_says_nothing(
    core: Core, clock: ManualClock, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    job = add_job(core, add_connection(core))
    launch = dispatch(core, job)
    clock.move(STAMP_S + 1)
    lease = forwarding.claim(core, job, dispatch(core, job).dispatch_no, "another-run")
    assert lease is not None
    assert not recovery.never_began(core, job, launch.dispatch_no)
    assert not recovery.never_began(core, job, launch.dispatch_no + 1), "it is being carried"
    assert not recovery.never_began(core, 10**9, 1)
    assert rows(core, system.outbox) == []
