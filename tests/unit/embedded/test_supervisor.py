"""The supervisor, with small children: nothing here is faked but what the children do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forwarder_core.embedded.guard import members
from forwarder_core.embedded.spawn import Command
from forwarder_core.embedded.supervisor import Process, ProcessFailed, Stopped, Supervisor

SLEEP = "import time; time.sleep(60)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
open("ready", "w").write(str(child.pid))
time.sleep(60)
"""
SUPERVISE = """
import sys, time
from pathlib import Path
from forwarder_core.embedded.spawn import Command
from forwarder_core.embedded.supervisor import Process, Supervisor
folder = Path(sys.argv[1])
command = Command(argv=(sys.executable, "-S", "-c", sys.argv[2]), cwd=folder)
with Supervisor(folder, print).running() as supervisor:
    supervisor.start(Process(name="child", command=command, ready=(folder / "ready").exists))
    print(supervisor.pids["child"], flush=True)
    supervisor.wait()
    print("stopped", flush=True)
"""


def python(folder: Path, code: str) -> Command:
    return Command(argv=(sys.executable, "-S", "-c", code), cwd=folder)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(true: Callable[[], bool], within_s: float = 10) -> bool:
    end = time.monotonic() + within_s
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Supervisor:
    return Supervisor(tmp_path / "logs", said.append, restarts=2)


def test_children_run_in_order_and_none_is_left(tmp_path: Path, supervisor: Supervisor) -> None:
    with supervisor.running():
        supervisor.start(Process(name="first", command=python(tmp_path, SLEEP)))
        supervisor.start(Process(name="second", command=python(tmp_path, SLEEP)))
        pids = supervisor.pids
        assert list(pids) == ["first", "second"]
    assert not any(alive(pid) for pid in pids.values())


def test_a_failing_start_shows_the_end_of_the_log(tmp_path: Path, supervisor: Supervisor) -> None:
    failing = Process(name="broken", command=python(tmp_path, "raise SystemExit('no such table')"), ready=lambda: False)
    with supervisor.running(), pytest.raises(ProcessFailed) as caught:
        supervisor.start(failing)
    assert "broken ended at its start (exit code 1)" in caught.value.message
    assert "no such table" in caught.value.message and "broken.log" in caught.value.message


def test_a_program_that_is_not_there_fails_in_one_line(tmp_path: Path, supervisor: Supervisor) -> None:
    with supervisor.running(), pytest.raises(ProcessFailed, match="ghost cannot be started: No such file"):
        supervisor.start(Process(name="ghost", command=Command(argv=("/no/such/program",), cwd=tmp_path)))


def test_a_child_that_never_gets_ready_is_not_waited_for_for_ever(tmp_path: Path, supervisor: Supervisor) -> None:
    slow = Process(name="slow", command=python(tmp_path, SLEEP), ready=lambda: False, deadline_s=0.3)
    with supervisor.running(), pytest.raises(ProcessFailed, match="was not ready after 0 s"):
        supervisor.start(slow)
    assert supervisor.pids == {}


def test_a_crashed_child_is_started_again(tmp_path: Path, supervisor: Supervisor, said: list[str]) -> None:
    with supervisor.running():
        supervisor.start(Process(name="worker", command=python(tmp_path, SLEEP)))
        first = supervisor.pids["worker"]
        os.kill(first, signal.SIGKILL)

        def again() -> bool:
            supervisor.poll()
            return supervisor.pids.get("worker", first) != first

        assert eventually(again)
    assert said == ["worker ended (SIGKILL); starting it again in 0.5 s"]


def test_a_child_that_dies_too_often_is_given_up_loudly(tmp_path: Path, said: list[str]) -> None:
    supervisor = Supervisor(tmp_path / "logs", said.append, restarts=1)
    with supervisor.running(), pytest.raises(ProcessFailed, match="ended 2 times"):
        supervisor.start(Process(name="dying", command=python(tmp_path, "import time; time.sleep(.1); 1/0")))
        supervisor.wait()


def test_a_child_that_ignores_the_signal_is_killed_with_its_own_children(
    tmp_path: Path, supervisor: Supervisor, said: list[str]
) -> None:
    ready = tmp_path / "ready"
    stubborn = Process(name="stubborn", command=python(tmp_path, STUBBORN), ready=ready.exists, grace_s=0.3)
    with supervisor.running():
        supervisor.start(stubborn)
        session = supervisor.pids["stubborn"]
        assert eventually(lambda: len(members(session)) == 2)
    assert members(session) == []
    assert said == ["stubborn did not stop in time and is killed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait(tmp_path: Path, supervisor: Supervisor, number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # under `nohup` a hang-up is ignored, which the supervisor respects
    try:
        _end_by(number, tmp_path, supervisor)
    finally:
        signal.signal(number, before)


def _end_by(number: signal.Signals, tmp_path: Path, supervisor: Supervisor) -> None:
    with supervisor.running():
        supervisor.start(Process(name="child", command=python(tmp_path, SLEEP)))
        pids = supervisor.pids
        timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
        timer.start()
        supervisor.wait()
        timer.join()
    assert not any(alive(pid) for pid in pids.values())


def test_a_signal_while_starting_stops_the_start(tmp_path: Path, supervisor: Supervisor) -> None:
    with supervisor.running(), pytest.raises(Stopped):
        timer = threading.Timer(0.1, supervisor.request_stop)
        timer.start()
        supervisor.start(Process(name="slow", command=python(tmp_path, SLEEP), ready=lambda: False))
    timer.join()


@pytest.mark.slow
def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SUPERVISE, str(tmp_path), STUBBORN]
    supervisor = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout
    session = int(supervisor.stdout.readline())
    assert len(members(session)) == 2
    supervisor.kill()
    supervisor.communicate()
    assert eventually(lambda: not members(session), within_s=15)


def test_an_interrupted_supervisor_stops_its_children_and_says_so(tmp_path: Path) -> None:
    waiting = f"open('ready', 'w').close(); {SLEEP}"
    argv = [sys.executable, "-c", SUPERVISE, str(tmp_path), waiting]
    supervisor = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout
    session = int(supervisor.stdout.readline())
    supervisor.send_signal(signal.SIGINT)
    out, _ = supervisor.communicate(timeout=10)
    assert out == "stopped\n" and supervisor.returncode == 0
    assert members(session) == []
