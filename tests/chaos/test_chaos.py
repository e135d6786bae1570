"""The real processes of a whole stack, killed at every named point and at random: nothing lost, nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from forwarder_core.cli import chaos
from forwarder_core.crashpoints import POINTS
from forwarder_core.settings import Settings
from forwarder_core.simulator.chaos import ChaosResult
from forwarder_core.simulator.chaos_points import KILLS
from forwarder_core.simulator.verdict import End

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SEED, RANDOM_KILLS = 7, 10


@pytest.fixture(scope="module")
def home(open_folder: Path) -> Path:
    return open_folder / "chaos"


@pytest.fixture(scope="module")
def result(home: Path) -> Iterator[ChaosResult]:
    """One stack for all of this: every named point once, then random kills."""

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    home.mkdir(mode=0o755)
    yield chaos.run(Settings(home=home), kills=RANDOM_KILLS, seed=SEED, report=say, rounds=[KILLS])  # type: ignore[call-arg]


def test_every_named_point_was_died_at_once(result: ChaosResult) -> None:
    assert not result.missed
    assert result.counts["crash points fired"] == len(POINTS)


def test_random_kills_hit_living_processes(result: ChaosResult) -> None:
    assert result.kills == len(POINTS) + RANDOM_KILLS - result.counts.get("no worker to kill", 0)
    assert result.counts["killed: worker"] > 0


def test_nothing_is_lost_nothing_is_there_twice_nothing_is_stuck(result: ChaosResult) -> None:
    findings = result.findings
    told = findings.problems
    assert (findings.count(End.LOST), findings.duplicated, findings.count(End.STUCK)) == (0, 0, 0), told
    assert findings.count(End.DEAD) == 0, told
    assert sum(findings.ends.values()) == findings.posts > 10
    assert findings.count(End.UNCONFIRMED) <= max(2, 0.05 * findings.posts), told


def test_no_process_outlives_the_stack(result: ChaosResult, home: Path) -> None:
    assert chaos.left_behind(home / "chaos") == []
    assert not [child for child in psutil.Process().children(recursive=True) if "dagster" in _command(child)]


def _command(process: psutil.Process) -> str:
    """Empty for one that ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
