"""Services as forks of a stem: real processes, and a module of the test's own as the service."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from forwarder_core.embedded.guard import members
from forwarder_core.embedded.offshoots import Stem
from forwarder_core.embedded.spawn import Command
from forwarder_core.embedded.stack import DEMO, Part, StackPorts, Stems, stages
from forwarder_core.embedded.supervisor import Process, ProcessFailed, Supervisor
from forwarder_core.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
SERVICE = """
import atexit, ctypes, json, os, signal, sys, time
import shared
follows = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(follows))  # PR_GET_PDEATHSIG
def show(path): open(path + ".new", "w").write(json.dumps({
    "follows": follows.value, "main": __name__, "pid": os.getpid(), "session": os.getsid(0), "parent": os.getppid(),
    "env": dict(os.environ), "cwd": os.getcwd(), "stem": shared.BORN_IN, "open": sorted(os.listdir("/proc/self/fd")),
    "ignored": signal.getsignal(signal.SIGTERM) == signal.SIG_IGN})); os.rename(path + ".new", path)
how, path = sys.argv[1:]
print("said by", how, flush=True)
show(path)
if how == "exits": sys.exit(7)
if how == "fails": raise ValueError("out of order")
atexit.register(lambda: open(path + ".end", "w").close())
if how == "ends": sys.exit()
time.sleep(60)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def garden(tmp_path: Path, said: list[str]) -> Iterator[Garden]:
    (tmp_path / "shared.py").write_text("import os\nBORN_IN = os.getpid()\ndef warm(): ...\n")
    (tmp_path / "service.py").write_text(SERVICE)
    supervisor = Supervisor(tmp_path / "logs", said.append, restarts=2)
    with supervisor.running():
        yield Garden(tmp_path, supervisor)


class Garden:
    """A stem, and services forked from it."""

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self.folder, self.supervisor, self.stem = folder, supervisor, Stem()
        self.env = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(folder))), "PATH": os.environ["PATH"]}

    def sow(self, warm: str = "warm") -> None:
        argv = (sys.executable, "-m", "forwarder_core.embedded.stem", "shared", warm, " " * 300)
        command = Command(argv=argv, cwd=self.folder, env=self.env)
        self.supervisor.sow(Process(name="stem", command=command, grows=self.stem))

    def service(self, how: str, **env: str) -> Process:
        shown = self.folder / f"{how}.json"
        argv = (sys.executable, "-m", "service", how, str(shown))
        command = Command(argv=argv, cwd=self.folder / "logs", env=self.env | env)
        return Process(name=how, command=command, ready=shown.exists, of=self.stem)

    def shown(self, how: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / f"{how}.json").read_text()))

    def until(self, true: Callable[[], bool], within_s: float = 20) -> None:
        end = time.monotonic() + within_s
        while not true():
            self.supervisor.poll()
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)


def test_a_fork_is_what_a_program_started_by_itself_would_be(garden: Garden) -> None:
    garden.sow()
    garden.supervisor.start(garden.service("stays", SECRET="s"))
    stem, pid = (garden.supervisor.pids[name] for name in ("stem", "stays"))
    seen = garden.shown("stays")
    assert seen["stem"] == stem, "it imported for itself"
    assert (seen["pid"], seen["session"], seen["parent"], seen["main"]) == (pid, pid, os.getpid(), "__main__")
    assert seen["env"] == garden.env | {"SECRET": "s"} and seen["cwd"] == str(garden.folder / "logs")
    assert seen["open"] == ["0", "1", "2", "3", "4"], "3 is what this is written to, 4 the look at them"
    assert not seen["ignored"] and seen["follows"] == signal.SIGTERM
    shown = psutil.Process(pid).cmdline()
    assert shown[: len(garden.service("stays").command.argv)] == list(garden.service("stays").command.argv)
    assert "stem" not in " ".join(shown)
    assert (garden.folder / "logs" / "stays.log").read_text() == "said by stays\n"


@pytest.mark.parametrize(("how", "ending"), [("exits", "exit code 7"), ("fails", "exit code 1")])
def test_how_a_fork_ends_is_known_and_what_it_said_is_kept(garden: Garden, how: str, ending: str) -> None:
    garden.sow()
    with pytest.raises(ProcessFailed) as caught:
        garden.supervisor.start(replace(garden.service(how), ready=lambda: False))
    assert f"{how} ended at its start ({ending})" in caught.value.message
    assert (garden.folder / "logs" / f"{how}.log").read_text().startswith(f"said by {how}\n")
    assert ("ValueError: out of order" in caught.value.message) == (how == "fails")


def test_what_ends_by_itself_is_waited_for_and_comes_to_its_end_as_programs_do(garden: Garden) -> None:
    garden.sow()
    garden.supervisor.begin(garden.service("ends"))()
    assert (garden.folder / "ends.json.end").exists(), "its last act was left out"


def test_a_killed_fork_is_forked_again_and_leaves_no_zombie(garden: Garden, said: list[str]) -> None:
    garden.sow()
    garden.supervisor.start(garden.service("stays"))
    first = garden.supervisor.pids["stays"]
    os.kill(first, signal.SIGKILL)
    garden.until(lambda: garden.supervisor.pids.get("stays", first) != first)
    assert said == ["stays ended (SIGKILL); starting it again in 0.5 s"]
    garden.until(lambda: garden.shown("stays")["pid"] == garden.supervisor.pids["stays"])
    assert garden.shown("stays")["stem"] == garden.supervisor.pids["stem"]
    assert not [p for p in psutil.Process().children(recursive=True) if p.status() == psutil.STATUS_ZOMBIE]


def test_a_dead_stem_takes_nobody_with_it_and_grows_again(garden: Garden) -> None:
    garden.sow()
    garden.supervisor.start(garden.service("stays"))
    stem, service = garden.supervisor.pids["stem"], garden.supervisor.pids["stays"]
    os.kill(stem, signal.SIGKILL)
    garden.until(lambda: garden.supervisor.pids.get("stem", stem) != stem)
    assert garden.supervisor.pids["stays"] == service
    os.kill(service, signal.SIGKILL)
    garden.until(lambda: garden.shown("stays")["pid"] not in (service, None))
    assert garden.shown("stays")["stem"] == garden.supervisor.pids["stem"] != stem


def test_without_its_stem_a_service_starts_by_itself(garden: Garden, said: list[str]) -> None:
    """One that cannot be grown is given up, loudly, and nothing else ends."""
    garden.sow("no_such_function")
    garden.supervisor.start(garden.service("stays"))
    seen = garden.shown("stays")
    assert seen["stem"] == seen["pid"] == garden.supervisor.pids["stays"]
    garden.until(lambda: any("is started by itself from now on" in line for line in said))
    assert "no_such_function" in "".join(said)
    assert list(garden.supervisor.pids) == ["stays"]


def test_a_stop_ends_stem_and_forks(garden: Garden) -> None:
    garden.sow()
    garden.supervisor.start(garden.service("stays"))
    sessions = list(garden.supervisor.pids.values())
    garden.supervisor.stop()
    assert [members(session) for session in sessions] == [[], []]


def test_dagster_is_in_no_stem_of_the_door_and_the_keeper(tmp_path: Path) -> None:
    stems = Stems.here()
    assert stems is not None
    env = {"DAGSTER_HOME": str(tmp_path)}
    ports = StackPorts(door=1, code_server=2, webserver=3, gateway=4, control=5)
    started = [process for stage in stages(Settings(), ports, env, DEMO, stems) for process in stage]
    assert {p.name for p in started if p.of is stems.services} == {Part.DOOR, Part.KEEPER}
    assert {p.name for p in started if p.of is None} == {Part.SIMULATOR}
    light, heavy = stems.processes(env)
    assert (light.of, light.grows, heavy.of, heavy.grows) == (None, stems.services, stems.services, stems.dagsters)
