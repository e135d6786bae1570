"""The list of processes, what they see, and Dagster's rendered folder: nothing is started here."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from forwarder_core.embedded.dagster_home import render
from forwarder_core.embedded.environment import child_environment
from forwarder_core.embedded.stack import DEMO, ONCE, REAL, Part, StackPorts, bound_to, chosen_ports, stages
from forwarder_core.errors import PortTaken
from forwarder_core.settings import Launcher, Settings, load

PORTS = StackPorts(door=1, code_server=2, webserver=3, gateway=4, control=5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    shell = {"HOME": "/home/x", "PATH": "/bin", "HTTPS_PROXY": "http://p", "PGOPTIONS": "-c a=b", "PYTHONSTARTUP": "x"}
    return child_environment(
        settings,
        dagster_home=settings.home / "dagster",
        dagster_database="postgresql+psycopg2://d",
        webserver="http://w",
        environ=shell,
    )


def names(settings: Settings, env: dict[str, str], parts: frozenset[Part]) -> list[list[str]]:
    return [[process.name for process in stage] for stage in stages(settings, PORTS, env, parts)]


def test_the_code_server_is_ready_before_what_asks_it(settings: Settings, env: dict[str, str]) -> None:
    runs, rest = ["code-server", "launcher"], ["daemon", "keeper", "webserver"]
    assert names(settings, env, DEMO) == [["simulator"], ["door", *runs], rest]
    assert names(settings, env, REAL) == [["door", *runs], rest]
    assert names(settings, env, ONCE) == [["simulator"], runs, ["daemon", "keeper"]]
    own = settings.model_copy(update={"launcher": Launcher.DEFAULT})
    assert names(own, env, REAL) == [["door", "code-server"], rest]


def test_a_child_sees_our_settings_and_nothing_of_the_shell(settings: Settings, env: dict[str, str]) -> None:
    assert not {"HTTPS_PROXY", "PGOPTIONS", "PYTHONSTARTUP"} & set(env)
    assert env["PATH"].endswith(":/bin")
    ours = {name: value for name, value in env.items() if name.startswith("FORWARDER_")}
    assert load(ours) == settings


def test_dagsters_folder_says_what_the_template_says(settings: Settings) -> None:
    folder = render(settings.model_copy(update={"launcher": Launcher.DEFAULT}), code_port=4711)
    instance = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert instance["storage"]["custom"]["config"]["postgres_url"] == {"env": "DAGSTER_PG_URL"}
    assert instance["telemetry"] == {"enabled": False} and instance["run_retries"] == {"enabled": False}
    assert "run_launcher" not in instance
    workspace = yaml.safe_load((folder / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["grpc_server"]["port"] == 4711


@pytest.mark.parametrize("launcher", [Launcher.DOCKER, Launcher.CELERY])
def test_another_launcher_is_added(settings: Settings, launcher: Launcher) -> None:
    folder = render(settings.model_copy(update={"launcher": launcher}), code_port=1)
    assert launcher.value in yaml.safe_load((folder / "dagster.yaml").read_text())["run_launcher"]["module"]


def test_a_door_set_by_hand_is_obeyed_and_a_default_one_gives_way() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        by_hand = load({"FORWARDER_BIND": f"127.0.0.1:{taken}"})
        with pytest.raises(PortTaken), chosen_ports(by_hand):
            pass
        with chosen_ports(by_hand, ONCE) as ports:
            assert ports.door != taken, "where there is no door, its port is nobody's business"


def test_two_stacks_that_start_together_choose_different_ports_before_either_listens() -> None:
    settings = load({})
    with chosen_ports(settings) as ours:
        with chosen_ports(settings) as theirs:
            assert not set(ours.as_dict().values()) & set(theirs.as_dict().values())
        by_hand = load({"FORWARDER_BIND": f"127.0.0.1:{ours.door}"})
        with pytest.raises(PortTaken), chosen_ports(by_hand):
            pass
    with chosen_ports(by_hand) as later:
        assert later.door == ours.door, "a claim ends with its stack"


def test_an_address_of_version_six_is_understood() -> None:
    assert bound_to(Settings(bind="[::1]:8080")).port == 8080
