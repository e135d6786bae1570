"""One supervisor per home."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder_core.embedded.lock import HomeLock, RunState, is_held, running
from forwarder_core.errors import AlreadyRunning

HOLD = """
import sys, time
from pathlib import Path
from forwarder_core.embedded.lock import HomeLock
HomeLock(Path(sys.argv[1])).acquire() or print("held", flush=True)
"""

STATE = RunState(
    pid=1, mode="demo", url="http://127.0.0.1:8080", forwarder_database="postgresql://a", dagster_database="b"
)


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first = HomeLock(tmp_path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=r"Another one runs in .* \(process \d+\)"):
        HomeLock(tmp_path).acquire()
    first.release()
    first.acquire()
    first.release()


def test_a_running_one_can_be_joined(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    lock = HomeLock(tmp_path)
    lock.acquire()
    with pytest.raises(AlreadyRunning, match="is starting"):
        running(tmp_path)
    lock.publish(STATE)
    assert running(tmp_path) == STATE
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    lock.release()
    assert running(tmp_path) is None


def test_the_lock_of_a_dead_one_is_taken_over_and_its_state_means_nothing(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], capture_output=True, text=True, check=True)
    assert dead.stdout == "held\n"
    (tmp_path / "run.json").write_text('{"pid": 1}')
    assert not is_held(tmp_path)
    assert running(tmp_path) is None
    lock = HomeLock(tmp_path)
    lock.acquire()
    assert is_held(tmp_path)
    lock.release()


def test_a_home_that_is_not_there_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere")
