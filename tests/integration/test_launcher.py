"""The warm launcher with a real Dagster instance on PostgreSQL: its server, runs as forks of it, their deaths."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import launcher_jobs
import psutil
import pytest
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from sqlalchemy.engine import make_url

from forwarder_core.embedded.postgres import Server
from forwarder_pipelines.launcher import LocalRunLauncher
from forwarder_pipelines.launching.protocol import Act, Request, ask
from forwarder_pipelines.launching.records import Records

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0  # the server imports for two seconds of CPU before it listens
GRACE_S, IDLE_S, MOST_RUNS = 1.0, 1.5, 4
# The real server with a shorter grace and less patience with those that wait for a run.
SERVE = f"""
import sys
from forwarder_pipelines.launching import children, server, succession
children.TERMINATE_GRACE_S, children.IDLE_S, succession.MOST_RUNS = {GRACE_S}, {IDLE_S}, {MOST_RUNS}
server.main(sys.argv[1:])
"""


def until(what: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    end = time.monotonic() + within_s
    while not (answer := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return answer


def is_dead(pid: int) -> bool:
    """Also while nobody has reaped it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass(slots=True)
class Bench:
    """One home with its Dagster instance and, when started, its launcher's server."""

    home: Path
    instance: dg.DagsterInstance
    env: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        return self.home / "launcher"

    @property
    def launcher(self) -> LocalRunLauncher:
        assert isinstance(self.instance.run_launcher, LocalRunLauncher)
        return self.instance.run_launcher

    @property
    def server(self) -> psutil.Process:
        assert self.process is not None
        return psutil.Process(self.process.pid)

    def start(self) -> None:
        with (self.home / "launcher.log").open("ab") as log:
            argv = [sys.executable, "-c", SERVE, str(self.folder), self.env["DAGSTER_HOME"]]
            self.process = subprocess.Popen(
                argv, env=self.env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "launcher.log").read_text("utf-8")[-2000:]
        try:
            return "running" in ask(self.folder, Request(Act.STATUS))
        except OSError:
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def make(self, job: dg.JobDefinition, **config: object) -> str:
        code = ReconstructableRepository.for_file(launcher_jobs.__file__, "definitions", str(ROOT))
        op = next(iter(job.graph.node_dict))
        return self.instance.create_run_for_job(
            job,
            run_config={"ops": {op: {"config": config}}} if config else {},
            job_code_origin=code.get_reconstructable_job(job.name).get_python_origin(),
        ).run_id

    def launch(self, job: dg.JobDefinition, **config: object) -> str:
        run_id = self.make(job, **config)
        self.instance.launch_run(run_id, workspace=None)  # type: ignore[arg-type]  # this launcher asks for none
        return run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        return self.run(run_id).status

    def health(self, run_id: str) -> WorkerStatus:
        return self.launcher.check_run_worker_health(self.run(run_id)).status

    def finished(self, run_id: str) -> dg.DagsterRunStatus:
        until(lambda: self.run(run_id).is_finished)
        return self.status(run_id)

    def working(self, run_id: str) -> int:
        """Wait until the run is in its op; the pid of its process."""
        until(lambda: self.status(run_id) is dg.DagsterRunStatus.STARTED)
        pid = until(lambda: Records(self.folder).read(run_id)).pid
        until(lambda: any(e.message.startswith("Started execution of step") for e in self.events(run_id)))
        return int(pid)

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait until its process is done with the run."""
        ended: dict[str, Any] = until(lambda: ask(self.folder, Request(Act.STATUS, run_id))["ended"])
        return ended

    def carried(self, job: dg.JobDefinition, **config: object) -> str:
        """A run that has come to its good end."""
        run_id = self.launch(job, **config)
        assert self.finished(run_id) is dg.DagsterRunStatus.SUCCESS
        self.ended(run_id)
        return run_id

    def look(self, note: Path) -> dict[str, Any]:
        """What a run sees of its process."""
        self.carried(launcher_jobs.look_job, note=str(note))
        seen: dict[str, Any] = json.loads(note.read_text("utf-8"))
        return seen

    def events(self, run_id: str) -> list[dg.DagsterEvent]:
        entries = self.instance.all_logs(run_id)
        return [entry.dagster_event for entry in entries if entry.dagster_event and entry.dagster_event.message]


@pytest.fixture(scope="module")
def bench(postgres: Server, open_folder: Path) -> Iterator[Bench]:
    postgres.ensure_databases("launcher")
    home = open_folder / "a home" / ("so deep that no path of a socket could hold it" * 3)
    (home / "dagster").mkdir(parents=True)
    config = {
        "telemetry": {"enabled": False},
        "storage": yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))["storage"],
        "run_launcher": {
            "module": "forwarder_pipelines.launcher",
            "class": "LocalRunLauncher",
            "config": {"folder": str(home / "launcher"), "patience_s": PATIENCE_S},
        },
        "run_monitoring": {"enabled": True, "max_resume_run_attempts": 0},
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    }
    (home / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(config), "utf-8")
    url = make_url(postgres.url("launcher")).set(drivername="postgresql+psycopg2")
    ours = {
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_PG_URL": url.render_as_string(hide_password=False),
        "FORWARDER_HOME": str(home),
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ours.items():
            patched.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            bench = Bench(home, instance, {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **ours})
            yield bench
            if bench.process is not None and bench.process.poll() is None:
                bench.end(signal.SIGKILL)


@pytest.fixture
def served(bench: Bench) -> Bench:
    """With a server that answers, the one of the test before where it is still there."""
    if bench.process is None or bench.process.poll() is not None:
        bench.start()
    until(bench.answers)
    return bench


@pytest.fixture
def fresh(served: Bench) -> Bench:
    """Without a process that waits for a run."""
    served.launcher.join()
    for child in served.server.children():
        child.terminate()
    until(lambda: not served.server.children())
    return served


def test_a_run_is_carried_by_a_fork_that_leads_its_group_in_the_servers_session(served: Bench, tmp_path: Path) -> None:
    note = tmp_path / "note"
    run_id = served.carried(launcher_jobs.look_job, note=str(note))
    seen = json.loads(note.read_text("utf-8"))
    assert seen["parent"] == served.server.pid
    assert seen["group"] == seen["pid"]
    assert seen["session"] == os.getsid(served.server.pid)
    assert not seen["signals_blocked"]
    entries = Path(f"/proc/{served.server.pid}/fd").iterdir()
    sockets = {name for entry in entries if (name := str(entry.readlink())).startswith("socket:")}
    assert sockets and not sockets & set(seen["descriptors"])
    until(lambda: served.health(run_id) is WorkerStatus.SUCCESS)


def test_a_failing_op_fails_the_run_and_its_process_ends_well(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.fail_job)
    assert served.finished(run_id) is dg.DagsterRunStatus.FAILURE
    until(lambda: served.health(run_id) is WorkerStatus.SUCCESS)


def test_a_killed_run_is_found_dead_and_closed_at_once(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.wait_job, seconds=60)
    pid = served.working(run_id)
    assert served.health(run_id) is WorkerStatus.RUNNING
    os.kill(pid, signal.SIGKILL)
    until(lambda: served.health(run_id) is WorkerStatus.FAILED)
    assert served.finished(run_id) is dg.DagsterRunStatus.FAILURE
    assert any("killed by SIGKILL" in (event.message or "") for event in served.events(run_id))


def test_a_terminated_run_ends_as_canceled(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.wait_job, seconds=60)
    pid = served.working(run_id)
    assert served.launcher.terminate(run_id)
    assert served.finished(run_id) is dg.DagsterRunStatus.CANCELED
    until(lambda: is_dead(pid))
    assert not served.launcher.terminate(run_id)


def test_a_run_that_heeds_no_signal_is_killed_after_the_grace_and_ends_as_canceled(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.deaf_job, seconds=60)
    pid = served.working(run_id)
    assert served.launcher.terminate(run_id)
    assert served.finished(run_id) is dg.DagsterRunStatus.CANCELED
    assert is_dead(pid)


def test_a_run_canceled_before_it_began_does_nothing(served: Bench, tmp_path: Path) -> None:
    note = tmp_path / "note"
    run_id = served.make(launcher_jobs.look_job, note=str(note))
    served.instance.report_run_canceling(served.run(run_id))
    assert ask(served.folder, Request(Act.LAUNCH, run_id))["pid"]
    assert served.finished(run_id) is dg.DagsterRunStatus.CANCELED
    assert not note.exists()


def test_a_launch_asked_twice_starts_one_process(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.wait_job, seconds=1)
    pid = served.working(run_id)
    assert ask(served.folder, Request(Act.LAUNCH, run_id))["pid"] == pid
    assert served.finished(run_id) is dg.DagsterRunStatus.SUCCESS


def test_five_runs_go_on_at_once(served: Bench) -> None:
    with ThreadPoolExecutor(5) as pool:
        ids = list(pool.map(lambda _: served.launch(launcher_jobs.wait_job, seconds=3), range(5)))
    until(lambda: all(served.status(run_id) is dg.DagsterRunStatus.STARTED for run_id in ids))
    assert {served.finished(run_id) for run_id in ids} == {dg.DagsterRunStatus.SUCCESS}


def test_the_process_of_a_good_run_takes_the_next_and_hands_nothing_on(fresh: Bench, tmp_path: Path) -> None:
    first = fresh.carried(launcher_jobs.leave_job, note="what is put back")
    assert fresh.ended(first)["code"] == 0 < fresh.ended(first)["cpu_s"]
    (child,) = fresh.server.children()
    assert not Records(fresh.folder).all()
    second = fresh.look(tmp_path / "note")
    assert (second["pid"], second["left_behind"]) == (child.pid, [None, "", launcher_jobs.LEFT_BEHIND])
    assert not second["signals_blocked"]
    until(lambda: is_dead(child.pid))  # nobody needs it any more


@pytest.mark.parametrize("left", ["a folder", "a blocked signal", "a thread", "a child", "memory"])
def test_a_process_that_is_not_as_it_was_takes_no_other_run(fresh: Bench, left: str, tmp_path: Path) -> None:
    before = fresh.look(tmp_path / "note")
    fresh.carried(launcher_jobs.leave_job, note=left)
    assert fresh.look(tmp_path / "note")["pid"] != before["pid"]
    assert is_dead(before["pid"])


def test_a_process_carries_so_many_runs_and_ends(fresh: Bench, tmp_path: Path) -> None:
    pids = [fresh.look(tmp_path / "note")["pid"] for _ in range(MOST_RUNS + 1)]
    assert len(set(pids[:MOST_RUNS])) == 1
    assert pids[MOST_RUNS] != pids[0]


def test_a_terminated_second_run_ends_its_process_and_no_other_run(fresh: Bench, tmp_path: Path) -> None:
    before = fresh.look(tmp_path / "note")
    run_id = fresh.launch(launcher_jobs.wait_job, seconds=60)
    assert fresh.working(run_id) == before["pid"]
    assert fresh.launcher.terminate(run_id)
    after = fresh.look(tmp_path / "note")
    assert fresh.finished(run_id) is dg.DagsterRunStatus.CANCELED
    assert after["pid"] != before["pid"]
    until(lambda: is_dead(before["pid"]))


def test_a_second_run_that_is_killed_is_closed_and_the_first_is_left_alone(fresh: Bench) -> None:
    first = fresh.carried(launcher_jobs.wait_job, seconds=0)
    second = fresh.launch(launcher_jobs.wait_job, seconds=60)
    os.kill(fresh.working(second), signal.SIGKILL)
    assert fresh.finished(second) is dg.DagsterRunStatus.FAILURE
    assert (fresh.status(first), fresh.ended(first)["code"]) == (dg.DagsterRunStatus.SUCCESS, 0)


def test_a_run_on_its_way_to_a_process_that_dies_is_carried_by_another(fresh: Bench, tmp_path: Path) -> None:
    pid = fresh.look(tmp_path / "note")["pid"]
    os.kill(pid, signal.SIGSTOP)
    run_id = fresh.launch(launcher_jobs.wait_job, seconds=0)
    assert ask(fresh.folder, Request(Act.STATUS, run_id))["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    assert fresh.finished(run_id) is dg.DagsterRunStatus.SUCCESS


def test_all_instances_of_a_process_share_the_sessions_they_keep(bench: Bench) -> None:
    backends = {_backend(bench.instance.run_storage), _backend(bench.instance.event_log_storage)}
    with dg.DagsterInstance.get() as another:
        backends |= {_backend(another.run_storage), _backend(another.event_log_storage)}
    for _ in range(10):
        backends.add(_backend(bench.instance.run_storage))
    assert len(backends) <= 3, "more are not kept"


def _backend(storage: Any) -> int:
    """The server's process behind its next query."""
    with storage._engine.connect() as tx:
        return int(tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def test_twenty_runs_leave_nothing_behind(served: Bench) -> None:
    served.launcher.join()
    before = served.server.num_fds()
    for _ in range(4):
        ids = [served.launch(launcher_jobs.wait_job, seconds=0) for _ in range(5)]
        assert {served.finished(run_id) for run_id in ids} == {dg.DagsterRunStatus.SUCCESS}
    served.launcher.join()
    until(lambda: not served.server.children())
    until(lambda: served.server.num_fds() <= before)  # the last answer may still be on its way
    assert served.server.num_threads() == 1
    assert not Records(served.folder).all()
    assert not served.server.net_connections("inet"), "a session of the server's own, which runs would share"


def test_runs_die_with_a_killed_server_and_the_next_one_closes_them(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.wait_job, seconds=60)
    pid = served.working(run_id)
    served.end(signal.SIGKILL)
    until(lambda: served.health(run_id) is WorkerStatus.FAILED)
    assert is_dead(pid)
    assert served.status(run_id) is dg.DagsterRunStatus.STARTED
    with ThreadPoolExecutor(1) as pool:  # a launch that comes while there is no server waits for it
        waiting = pool.submit(served.launch, launcher_jobs.wait_job, seconds=0)
        served.start()
        assert served.finished(waiting.result()) is dg.DagsterRunStatus.SUCCESS
    assert served.finished(run_id) is dg.DagsterRunStatus.FAILURE


def test_a_server_that_is_stopped_ends_its_runs_first(served: Bench) -> None:
    run_id = served.launch(launcher_jobs.wait_job, seconds=60)
    pid = served.working(run_id)
    assert served.end(signal.SIGTERM) == 0
    assert is_dead(pid)
    assert served.finished(run_id) is dg.DagsterRunStatus.FAILURE
    assert not Records(served.folder).all()


def test_without_a_server_a_launch_is_given_back_to_the_queue(bench: Bench) -> None:
    if bench.process is not None and bench.process.poll() is None:
        bench.end()
    impatient = LocalRunLauncher(str(bench.folder), patience_s=0.1)
    run = bench.run(bench.make(launcher_jobs.wait_job))
    with pytest.raises(DagsterUserCodeUnreachableError, match="does not answer"):
        impatient.launch_run(LaunchRunContext(run, None))
    assert bench.health(run.run_id) is WorkerStatus.NOT_FOUND
