"""Which processes make the product on one machine, and in which order they start.

What lives here: the list, each with its command and ready check, and the ports they share.
What does not: keeping them alive (supervisor), bringing the whole up (bring_up).
The fact to know: the code server must be ready before the daemon starts, because a daemon that finds it missing looks
again only after a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from forwarder_core.embedded import ports as tcp
from forwarder_core.embedded.dagster_home import LOCATION, launcher_folder
from forwarder_core.embedded.environment import ROOT
from forwarder_core.embedded.offshoots import Stem
from forwarder_core.embedded.readiness import Ready, accepts, answers, listens
from forwarder_core.embedded.spawn import Command
from forwarder_core.embedded.supervisor import Process
from forwarder_core.settings import Launcher, Settings

DAGSTER_PREFIX = "/dagster"
_LOG_FORMAT = ("--log-format", "json")
_CODE_SERVER_GRACE_S = 15.0  # its runs get the signal and write their last row
_LAUNCHER_GRACE_S = 20.0  # it gives its runs 15 s
_ROOM = " " * 1_000  # for the longest command line of a fork, with the path of a home in it


class Part(StrEnum):
    SIMULATOR = "simulator"
    CODE_SERVER = "code-server"
    LAUNCHER = "launcher"
    DAEMON = "daemon"
    KEEPER = "keeper"
    WEBSERVER = "webserver"
    DOOR = "door"


REAL = frozenset(Part) - {Part.SIMULATOR}
DEMO = frozenset(Part)
ONCE = DEMO - {Part.WEBSERVER, Part.DOOR}


@dataclass(frozen=True, slots=True)
class Stems:
    """What the services are forked from. `dagsters` is forked from `services`, and has Dagster and all that runs need
    besides; the door and the keeper do without."""

    services: Stem
    dagsters: Stem

    @classmethod
    def here(cls) -> Stems | None:
        """None where processes cannot be handed from parent to parent."""
        return cls(Stem(), Stem()) if sys.platform == "linux" else None

    def processes(self, env: Mapping[str, str]) -> list[Process]:
        def process(name: str, function: str, grows: Stem, of: Stem | None = None) -> Process:
            what = ("forwarder_core.embedded.stem", "forwarder_pipelines.launching.warm", function, _ROOM)
            command = Command(argv=(sys.executable, "-m", *what), cwd=ROOT, env=env)
            return Process(name=name, command=command, grows=grows, of=of)

        return [
            process("stem", "warm_services", self.services),
            process("dagster-stem", "warm", self.dagsters, self.services),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPorts:
    door: int
    code_server: int
    webserver: int
    gateway: int
    control: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def bound_to(settings: Settings) -> Address:
    host, _, port = settings.bind.rpartition(":")
    return Address(host, int(port))


@contextmanager
def chosen_ports(settings: Settings, parts: Collection[Part] = DEMO) -> Iterator[StackPorts]:
    """The door's port as set, or near its default; any free ones for the rest: no other stack takes them meanwhile.

    What has no door leaves its port to others. Raises PortTaken.
    """
    explicit, wanted = "bind" in settings.model_fields_set, bound_to(settings)
    with tcp.Claims() as claims:
        door, code_server, webserver, gateway, control = tcp.choose_any(claims, 5)
        if Part.DOOR in parts:
            door = tcp.choose(claims, wanted.port, explicit=explicit, host=wanted.host)
        yield StackPorts(door=door, code_server=code_server, webserver=webserver, gateway=gateway, control=control)


def webserver_url(ports: StackPorts) -> str:
    return f"http://{tcp.LOOPBACK}:{ports.webserver}{DAGSTER_PREFIX}"


def stages(
    settings: Settings,
    ports: StackPorts,
    env: Mapping[str, str],
    parts: Collection[Part],
    stems: Stems | None = None,
) -> list[list[Process]]:
    """Processes that start together, stage after stage. `env`: of child_environment."""
    every = _processes(settings, ports, env, stems)
    order = (
        (Part.SIMULATOR,),  # its certificate authority is a setting of all the others
        (Part.DOOR, Part.CODE_SERVER, Part.LAUNCHER),
        (Part.DAEMON, Part.KEEPER, Part.WEBSERVER),
    )
    wanted = set(parts) - (set() if settings.launcher is Launcher.LOCAL else {Part.LAUNCHER})
    chosen = [[every[part] for part in stage if part in wanted] for stage in order]
    return [stage for stage in chosen if stage]


def _processes(
    settings: Settings, ports: StackPorts, env: Mapping[str, str], stems: Stems | None
) -> dict[Part, Process]:
    workspace = ("-w", str(Path(env["DAGSTER_HOME"]) / "workspace.yaml"))
    loopback, door = tcp.LOOPBACK, bound_to(settings)

    def process(part: Part, *argv: str, ready: Ready | None = None, grace_s: float = 10) -> Process:
        command = Command(argv=(sys.executable, "-m", *argv), cwd=ROOT, env=env)
        of = _stem_of(part, stems) if stems else None
        return Process(name=part, command=command, ready=ready, deadline_s=180, grace_s=grace_s, of=of)

    made = (
        process(
            Part.SIMULATOR,
            *("forwarder_core.simulator", "--home", str(settings.home)),
            *("--gateway-port", str(ports.gateway), "--control-port", str(ports.control)),
            ready=answers(ports.control, "/__control"),
        ),
        process(
            Part.CODE_SERVER,
            # Not `code-server start`: that is a proxy which never restarts the process it stands before.
            *("dagster", "api", "grpc", "-h", loopback, "-p", str(ports.code_server)),
            *("-m", "forwarder_pipelines.definitions", "--location-name", LOCATION, *_LOG_FORMAT),
            ready=listens(ports.code_server),
            grace_s=_CODE_SERVER_GRACE_S,
        ),
        process(
            Part.LAUNCHER,
            *("forwarder_pipelines.launching.server", str(launcher_folder(settings)), env["DAGSTER_HOME"]),
            ready=accepts(launcher_folder(settings) / "socket"),
            grace_s=_LAUNCHER_GRACE_S,
        ),
        process(Part.DAEMON, "dagster._daemon", "run", *workspace, *_LOG_FORMAT),
        process(
            Part.WEBSERVER,
            *("dagster_webserver", "-h", loopback, "-p", str(ports.webserver), *workspace),
            *("--path-prefix", DAGSTER_PREFIX, *_LOG_FORMAT),
            ready=answers(ports.webserver, f"{DAGSTER_PREFIX}/server_info"),
        ),
        process(
            Part.DOOR,
            *("uvicorn", "admin_app.asgi:app", "--host", door.host, "--port", str(ports.door), "--no-access-log"),
            ready=answers(ports.door, "/api/health/simple", reachable_as(door.host)),
        ),
        process(Part.KEEPER, "forwarder_pipelines.keeper"),
    )
    return {Part(process.name): process for process in made}


def _stem_of(part: Part, stems: Stems) -> Stem | None:
    if part is Part.SIMULATOR:  # the first to be up, before there is a stem
        return None
    return stems.services if part in (Part.DOOR, Part.KEEPER) else stems.dagsters


def reachable_as(host: str) -> str:
    """Where to look for a server bound to every address."""
    return {"0.0.0.0": tcp.LOOPBACK, "::": "::1", "[::]": "::1"}.get(host, host.strip("[]"))
