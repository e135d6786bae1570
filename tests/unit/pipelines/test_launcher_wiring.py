"""FORWARDER_LAUNCHER=local: the server is among the processes, and Dagster is told of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import yaml
from dagster._core.instance import InstanceRef

from forwarder_core.embedded.dagster_home import launcher_folder, render
from forwarder_core.embedded.readiness import accepts
from forwarder_core.embedded.stack import ONCE, StackPorts, stages
from forwarder_core.settings import Launcher, Settings
from forwarder_pipelines.launcher import LocalRunLauncher
from forwarder_pipelines.launching import protocol, warm
from forwarder_pipelines.storage import read_ref

PORTS = StackPorts(door=1, code_server=2, webserver=3, gateway=4, control=5)


def names(settings: Settings) -> list[list[str]]:
    env = {"DAGSTER_HOME": str(settings.home / "dagster")}
    return [[process.name for process in stage] for stage in stages(settings, PORTS, env, ONCE)]


def test_the_server_starts_before_the_daemon_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    local = Settings(home=tmp_path, launcher=Launcher.LOCAL)
    assert names(local) == [["simulator"], ["code-server", "launcher"], ["daemon", "keeper"]]
    assert names(Settings(home=tmp_path, launcher=Launcher.DEFAULT)) == [
        ["simulator"],
        ["code-server"],
        ["daemon", "keeper"],
    ]


def test_dagster_finds_the_launcher_and_its_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, launcher=Launcher.LOCAL)
    ref = InstanceRef.from_dir(str(render(settings, code_port=1)))
    assert isinstance(ref.run_launcher, LocalRunLauncher)
    assert yaml.safe_load(ref.run_launcher_data.config_yaml) == {"folder": str(launcher_folder(settings))}


def test_a_run_does_not_look_for_dagsters_tables(tmp_path: Path) -> None:
    ref = read_ref(str(render(Settings(home=tmp_path), code_port=1)))
    assert yaml.safe_load(ref.storage_data.config_yaml)["should_autocreate_tables"] is False


def test_the_server_is_ready_when_it_listens(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    ready = accepts(folder / protocol.SOCKET)
    assert not ready()
    with closing(protocol.listen(folder)):
        assert ready()
    assert not ready(), "its socket is still there, but nobody listens"


def test_a_platform_is_warmed_behind_its_forks_in_the_road_and_without_its_fakes() -> None:
    warmed = set(warm.platform_modules())
    roads = {
        f"forwarder_core.platforms.{end}" for end in ("instagram.source", "instagram.graph_source", "youtube.source")
    }
    assert roads <= warmed
    assert not [name for name in warmed if "fake" in name or name.endswith("_child")]
