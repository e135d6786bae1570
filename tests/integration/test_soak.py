"""The soak: simulated days in this process, with faults, deaths and sleepers; nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from forwarder_core.cli import soak as command
from forwarder_core.settings import Settings
from forwarder_core.simulator.soak import SoakPlan
from forwarder_core.simulator.testing import Simulator
from forwarder_core.simulator.verdict import End

pytestmark = pytest.mark.slow


@pytest.mark.e2e
def test_six_simulated_hours_lose_nothing_and_double_nothing(open_folder: Path) -> None:
    said: list[str] = []
    plan = SoakPlan(seed=3, hours=6, connections=5, posts=30)
    home = open_folder / "soak-home"
    home.mkdir(mode=0o755)
    result = command.run(Settings(home=home), plan, said.append)  # type: ignore[call-arg]
    found = result.findings
    assert (found.count(End.LOST), found.duplicated, found.count(End.STUCK)) == (0, 0, 0), found.problems
    assert sum(found.ends.values()) == found.posts >= 30
    assert result.deaths > 0 and result.counts["runs"] > found.count(End.PUBLISHED)
    assert result.after.leftovers == 0
    assert result.after.files <= result.warm.files + 5
    assert result.after.rss_mb < result.warm.rss_mb * 1.2
    told = result.as_dict()
    assert told["faults"] and told["cpu_s_per_forward"] > 0
    assert (
        0 <= told["known_to_begun_s"]["median"] <= told["known_to_live_s"]["median"] <= told["known_to_live_s"]["p95"]
    )
    assert any(line.startswith("hour 6") for line in said)


def test_the_world_s_clock_stands_where_it_is_set(open_folder: Path, simulator: Simulator) -> None:
    instant = "2031-05-06T07:08:09+00:00"
    try:
        assert simulator.call("POST", "/clock", json={"at": instant})["now"] == instant
        moved = simulator.call("POST", "/clock", json={"seconds": 51.5})["now"]
        assert moved == "2031-05-06T07:09:00.500000+00:00"
        assert simulator.call("POST", "/clock", json={})["now"] == moved
    finally:
        simulator.call("DELETE", "/clock")
