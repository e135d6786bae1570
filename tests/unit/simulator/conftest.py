"""Small real clips, made once, and a world on a clock that stands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.simulator.clips import Clip, make
from forwarder_core.simulator.world import SimulatedWorld


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second, 144x256, with sound."""
    return make(Clip(seed=1, seconds=1, width=144, height=256), tmp_path_factory.mktemp("clips") / "one.mp4")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimulatedWorld]:
    world = SimulatedWorld(tmp_path, clock=ManualClock())
    yield world
    world.close()


@pytest.fixture
def upload(world: SimulatedWorld, clip: Path) -> Callable[[str], Path]:
    """A copy of the clip in the world's folder for half-received uploads."""
    return lambda name: Path(shutil.copyfile(clip, world.upload_dir() / name))
