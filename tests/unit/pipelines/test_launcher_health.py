"""Whether a run lives, told by its record and the kernel, and by its server for what has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._serdes.config_class import ConfigurableClassData

from forwarder_core.errors import StartError
from forwarder_pipelines.launcher import LocalRunLauncher
from forwarder_pipelines.launching import protocol, warm
from forwarder_pipelines.launching.children import Ending
from forwarder_pipelines.launching.protocol import Answer
from forwarder_pipelines.launching.records import Records, Worker

RUN = dg.DagsterRun("forward_job", run_id="0a47d6cf-7b87-4f54-a9d4-3f22bba8df73")


def health(folder: Path) -> WorkerStatus:
    return LocalRunLauncher(str(folder)).check_run_worker_health(RUN).status


@contextmanager
def server_that_says(folder: Path, answer: Answer) -> Iterator[None]:
    with closing(protocol.listen(folder)) as listener:

        def serve() -> None:
            talk, _ = listener.accept()
            with closing(talk):
                protocol.receive(talk)
                protocol.send(talk, answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def test_a_run_whose_process_lives_is_running_with_or_without_a_server(tmp_path: Path, records: Records) -> None:
    records.write(RUN.run_id, Worker.me())
    assert health(tmp_path) is WorkerStatus.RUNNING


def test_a_pid_that_is_another_process_now_is_a_dead_run(tmp_path: Path, records: Records) -> None:
    records.write(RUN.run_id, replace(Worker.me(), born=Worker.me().born - 3_600))
    assert health(tmp_path) is WorkerStatus.FAILED


def test_a_process_that_is_gone_or_only_waits_to_be_reaped_is_dead(tmp_path: Path, records: Records) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    worker = replace(Worker.me(), pid=child.pid, born=psutil.Process(child.pid).create_time())
    records.write(RUN.run_id, worker)
    assert health(tmp_path) is WorkerStatus.RUNNING
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert health(tmp_path) is WorkerStatus.FAILED, "a zombie"
    child.communicate()
    assert health(tmp_path) is WorkerStatus.FAILED


def test_a_process_of_another_machine_is_not_judged(tmp_path: Path, records: Records) -> None:
    records.write(RUN.run_id, Worker("elsewhere", 1, 0.0))
    assert health(tmp_path) is WorkerStatus.RUNNING


def test_without_a_record_and_a_server_nothing_is_known(tmp_path: Path) -> None:
    assert health(tmp_path) is WorkerStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"pid": None, "ended": {"code": 0, "cpu_s": 0.4}}, WorkerStatus.SUCCESS),
        ({"pid": None, "ended": {"code": -9, "cpu_s": 0.4}}, WorkerStatus.FAILED),
        ({"pid": None, "ended": None}, WorkerStatus.NOT_FOUND),
        ({"error": "no"}, WorkerStatus.NOT_FOUND),
    ],
)
def test_how_a_run_ended_is_the_servers_to_tell(tmp_path: Path, answer: Answer, status: WorkerStatus) -> None:
    with server_that_says(tmp_path, answer):
        assert health(tmp_path) is status


def test_records_are_kept_until_forgotten_and_a_torn_one_is_none(tmp_path: Path, records: Records) -> None:
    assert not records.all()
    records.write("a", Worker.me())
    records.write("b", Worker.me())
    (tmp_path / "runs" / "torn").write_text('{"host": "h"', "utf-8")
    assert records.all() == {"a": Worker.me(), "b": Worker.me()}
    records.forget("a")
    records.forget("a")
    assert set(records.all()) == {"b"}


def test_an_ending_says_what_killed_the_process() -> None:
    assert Ending(-9, 0.1).words == "The run's process died (killed by SIGKILL)."
    assert Ending(70, 0.1).words == "The run's process died (exit code 70)."


def test_a_server_with_a_second_thread_refuses_to_fork() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="an SDK's own")
    thread.start()
    try:
        with pytest.raises(StartError, match="an SDK's own"):
            warm.prove_forkable()
    finally:
        done.set()
        thread.join()


def test_a_launcher_is_made_from_dagster_yaml(tmp_path: Path) -> None:
    class_ = ConfigurableClassData("forwarder_pipelines.launcher", "LocalRunLauncher", f"folder: {tmp_path}\n")
    made = class_.rehydrate(as_type=LocalRunLauncher)
    assert made.inst_data == class_
    assert made.supports_check_run_worker_health
    assert not made.supports_resume_run
