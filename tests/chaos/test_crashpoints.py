"""Crash points: they fire where and when they are told to, once per home, and are nothing at all otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder_core import crashpoints
from forwarder_core.crashpoints import POINTS, Crash, CrashAt, Mode
from forwarder_core.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def disarmed(tmp_path: Path) -> Iterator[None]:
    yield
    crashpoints.arm(None, tmp_path)


def test_there_are_twenty_points_at_least_and_each_is_passed_somewhere() -> None:
    passed = "\n".join(file.read_text() for file in (ROOT / "forwarder_core" / "services").glob("*.py"))
    assert len(set(POINTS)) == len(POINTS) >= 20
    assert [point for point in POINTS if f'crashpoints.at("{point}")' not in passed] == []


def test_an_unarmed_process_passes_every_point(tmp_path: Path) -> None:
    crashpoints.arm(None, tmp_path)
    for point in POINTS:
        crashpoints.at(point)
    assert not (tmp_path / "crashed").exists()


def test_a_point_fires_at_its_nth_passing_and_once_per_home(tmp_path: Path) -> None:
    crashpoints.arm("claim.after:2:raise", tmp_path)
    crashpoints.at("claim.after")
    crashpoints.at("claim.before")
    with pytest.raises(Crash):
        crashpoints.at("claim.after")
    crashpoints.arm("claim.after:1:raise", tmp_path / "elsewhere")
    with pytest.raises(Crash):
        crashpoints.at("claim.after")
    crashpoints.arm("claim.after:2:raise", tmp_path)
    for _ in range(3):
        crashpoints.at("claim.after")


def test_a_running_process_is_armed_and_disarmed_by_a_file(tmp_path: Path) -> None:
    named = tmp_path / "crash-at"
    crashpoints.arm(f"@{named}", tmp_path)
    for _ in range(3):
        crashpoints.at("reap.before")
    named.write_text("poll.after_commit:1:raise\nreap.before:1:raise\n")
    with pytest.raises(Crash, match=r"reap\.before"):
        crashpoints.at("reap.before")
    crashpoints.at("reap.before")
    named.unlink()
    crashpoints.at("poll.after_commit")


@pytest.mark.parametrize("said", ["nowhere.at_all", "claim.after:maim", "claim.after:1:"])
def test_a_point_or_mode_there_is_not_is_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(SettingsError):
        crashpoints.arm(said, tmp_path)


@pytest.mark.parametrize(("mode", "signal"), [(Mode.KILL, 9), (Mode.TERM, 15)])
def test_a_process_is_ended_by_the_signal_it_was_told(tmp_path: Path, mode: Mode, signal: int) -> None:
    crash = CrashAt("fetch.before", mode=mode)
    script = (
        "from pathlib import Path; from forwarder_core import crashpoints as c;"
        f"c.arm('{crash}', Path({str(tmp_path)!r})); c.at('fetch.before'); print('alive')"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal, "")
    assert crash.marker(tmp_path).exists()
    again = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert again.stdout == "alive\n"
