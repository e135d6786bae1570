"""Runs on a Celery worker, a process of its own: the broker is a folder, so that no server has to be there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import launcher_jobs
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import WorkerStatus
from test_launcher import until

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import system
from forwarder_core.services import heartbeats
from forwarder_pipelines import celery_launcher
from forwarder_pipelines.celery_launcher import SILENT_AFTER
from tests.factories import make_core, rows

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NAME = "worker@here"


class Desk:
    """An installation whose runs go to the worker."""

    def __init__(self, home: Path, database_url: str, backend: str = "") -> None:
        self.home, self.database_url = home, database_url
        folders = {"data_folder_in": str(home / "queue"), "data_folder_out": str(home / "queue")}
        for name in ("queue", "control", "results", "dagster"):
            (home / name).mkdir()
        launcher = {
            "module": "forwarder_pipelines.celery_launcher",
            "class": "CeleryLauncher",
            "config": {
                "broker": "filesystem://",
                "backend": backend or f"file://{home / 'results'}",
                "config_source": {
                    "broker_transport_options": {**folders, "control_folder": str(home / "control")},
                    "result_expires": 604800,
                },
            },
        }
        (home / "dagster" / "dagster.yaml").write_text(yaml.safe_dump({"run_launcher": launcher}), "utf-8")
        self.instance = dg.DagsterInstance.from_config(str(home / "dagster"))
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}",
            "DAGSTER_HOME": str(self.home / "dagster"),
            "FORWARDER_HOME": str(self.home),
            "FORWARDER_DATABASE_URL": self.database_url,
        }
        argv = [sys.executable, "-m", "forwarder_pipelines.celery_worker", "--concurrency", "1", "--name", NAME]
        with (self.home / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(argv, env=env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.worker is not None:
            os.killpg(self.worker.pid, number)
            self.worker.wait(20)
            self.worker = None

    def launch(self, job: dg.JobDefinition, **config: object) -> str:
        code = ReconstructableRepository.for_file(launcher_jobs.__file__, "definitions", str(ROOT))
        op = next(iter(job.graph.node_dict))
        run = self.instance.create_run_for_job(
            job,
            run_config={"ops": {op: {"config": config}}} if config else {},
            job_code_origin=code.get_reconstructable_job(job.name).get_python_origin(),
        )
        self.instance.launch_run(run.run_id, workspace=None)  # type: ignore[arg-type]  # this launcher asks for none
        return run.run_id

    def carry(self, job: dg.JobDefinition, note: str) -> str:
        run_id = self.launch(job, note=note)
        until(lambda: self.run(run_id).is_finished, 60)
        assert self.status(run_id) is dg.DagsterRunStatus.SUCCESS
        return run_id

    def seen(self, note: str) -> dict[str, Any]:
        """What a run wrote down of its process."""
        return dict(json.loads((self.home / note).read_text("utf-8")))

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        return self.run(run_id).status

    def health(self, run_id: str) -> WorkerStatus:
        return self.instance.run_launcher.check_run_worker_health(self.run(run_id)).status


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[Desk]:
    made = Desk(tmp_path, database_url)
    yield made
    made.stop()
    made.instance.dispose()


def test_a_worker_executes_is_seen_terminated_and_missed(
    desk: Desk, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = desk.launch(launcher_jobs.look_job, note=str(desk.home / "never"))
    assert desk.instance.run_launcher.terminate(waiting)
    assert desk.status(waiting) is dg.DagsterRunStatus.CANCELED, "nobody had taken it"
    assert not desk.instance.run_launcher.terminate(waiting)

    with make_core(desk.database_url, clock, desk.home) as core:
        monkeypatch.setattr(celery_launcher, "this_core", lambda: core)
        done = desk.launch(launcher_jobs.look_job, note=str(desk.home / "note"))
        desk.start()
        log = desk.home / "worker.log"
        until(lambda: desk.status(done) is dg.DagsterRunStatus.SUCCESS or "Unrecoverable" in log.read_text("utf-8"), 90)
        assert desk.status(done) is dg.DagsterRunStatus.SUCCESS, log.read_text("utf-8")[-3000:]
        until(lambda: desk.health(done) is WorkerStatus.SUCCESS)
        assert [row["kind"] for row in rows(core, system.workers)] == ["celery"], "it shows signs of life"
        assert not (desk.home / "never").exists(), "what was canceled is not executed"

        first = desk.seen("note")
        desk.carry(launcher_jobs.leave_job, note="what is put back")
        desk.carry(launcher_jobs.look_job, note=str(desk.home / "second"))
        second = desk.seen("second")
        assert second["pid"] == first["pid"], "one process carries run after run"
        assert second["left_behind"] == [None, "", launcher_jobs.LEFT_BEHIND], "and nothing of one reaches the next"
        leaving = desk.carry(launcher_jobs.leave_job, note="a folder")
        desk.carry(launcher_jobs.look_job, note=str(desk.home / "third"))
        assert desk.health(leaving) is WorkerStatus.SUCCESS, "its process ended after it, and not before"
        assert desk.seen("third")["pid"] != first["pid"], "what cannot be put back ends its process"

        stopped = desk.launch(launcher_jobs.wait_job, seconds=60)
        until(lambda: desk.status(stopped) is dg.DagsterRunStatus.STARTED)
        assert desk.instance.run_launcher.terminate(stopped)
        until(lambda: desk.run(stopped).is_finished)
        assert desk.status(stopped) is dg.DagsterRunStatus.CANCELED, "and not failed: nobody is told of a failure"
        desk.carry(launcher_jobs.look_job, note=str(desk.home / "fourth"))
        assert desk.seen("fourth")["pid"] != desk.seen("third")["pid"], (
            "a process that was told to end carries no other"
        )

        orphaned = desk.launch(launcher_jobs.wait_job, seconds=60)
        until(lambda: desk.status(orphaned) is dg.DagsterRunStatus.STARTED)
        heartbeats.beat(core, NAME, kind="celery")
        assert desk.health(orphaned) is WorkerStatus.RUNNING
        desk.stop()
        assert desk.health(orphaned) is WorkerStatus.RUNNING, "its machine was heard a moment ago"
        clock.move(SILENT_AFTER.total_seconds() + 1)
        assert desk.health(orphaned) is WorkerStatus.FAILED, "for Celery it would be running for ever"


def test_a_result_the_broker_lost_fails_no_run(desk: Desk) -> None:
    run_id = desk.launch(launcher_jobs.look_job, note=str(desk.home / "note"))
    assert desk.health(run_id) is WorkerStatus.RUNNING


def test_a_run_is_handed_over_where_results_cannot_be_kept(tmp_path: Path, database_url: str) -> None:
    """The daemon asks for a result when it must know, and listens for none."""
    desk = Desk(tmp_path, database_url, backend="redis://127.0.0.1:1/0")
    desk.launch(launcher_jobs.look_job, note=str(desk.home / "note"))
    desk.instance.dispose()
    assert len(list((desk.home / "queue").iterdir())) == 1


def test_the_time_a_machine_may_be_silent_is_longer_than_its_beat() -> None:
    from forwarder_pipelines.celery_worker import BEAT_EVERY_S

    assert timedelta(seconds=3 * BEAT_EVERY_S) < SILENT_AFTER
