"""Dagster's own folder, `<home>/dagster`: dagster.yaml and workspace.yaml, rendered at every start.

What lives here: the rendering. What Dagster is told stands in the template dagster.yaml at the root.
The fact to know: a launcher other than the default is chosen by FORWARDER_LAUNCHER and appended to the template, so
the template never names one.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.environment import ROOT
from forwarder_core.embedded.offshoots import Stem
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.spawn import Command
from forwarder_core.embedded.supervisor import Process, Supervisor
from forwarder_core.settings import Launcher, Settings

LOCATION = "forwarder"
_SCHEMA_DEADLINE_S = 180.0
_LAUNCHERS: Mapping[Launcher, Mapping[str, Any] | None] = {
    Launcher.DEFAULT: None,
    Launcher.LOCAL: {"module": "forwarder_pipelines.launcher", "class": "LocalRunLauncher"},
    Launcher.DOCKER: {
        "module": "dagster_docker",
        "class": "DockerRunLauncher",
        "config": {
            "image": {"env": "DAGSTER_RUN_IMAGE"},
            "network": {"env": "DAGSTER_RUN_NETWORK"},
            # With no value: handed on as the daemon has it, so no secret stands in the file.
            "env_vars": ["DAGSTER_PG_URL", "DAGSTER_HOME", "FORWARDER_DATABASE_URL", "FORWARDER_HOME"],
            "container_kwargs": {
                "volumes": ["snapcore-forwarder_data:/data"],  # of docker-compose.yml
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
                "auto_remove": False,  # its end is asked for after it
                "stop_timeout": 600,  # longer than the longest upload step
            },
        },
    },
    Launcher.CELERY: {
        "module": "forwarder_pipelines.celery_launcher",
        "class": "CeleryLauncher",
        "config": {
            "broker": {"env": "REDIS_BROKER"},
            "backend": {"env": "REDIS_BACKEND"},
            "config_source": {"result_expires": 604800, "worker_prefetch_multiplier": 1},
        },
    },
}


def render(settings: Settings, code_port: int, *, host: str = LOOPBACK, root: Path = ROOT) -> Path:
    """Write both files and return the folder."""
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    instance = yaml.safe_load((root / "dagster.yaml").read_text("utf-8"))
    launcher = _LAUNCHERS[settings.launcher]
    if launcher is not None:
        instance["run_launcher"] = dict(launcher)
    if settings.launcher is Launcher.LOCAL:
        instance["run_launcher"]["config"] = {"folder": str(launcher_folder(settings))}
    location = {"grpc_server": {"host": host, "port": code_port, "location_name": LOCATION}}
    _write(folder / "dagster.yaml", instance)
    _write(folder / "workspace.yaml", {"load_from": [location]})
    return folder


def launcher_folder(settings: Settings) -> Path:
    """Where the warm launcher listens and keeps its records."""
    return settings.home / "launcher"


def begin_dagster_schema(
    supervisor: Supervisor, databases: Databases, env: Mapping[str, str], stem: Stem | None = None
) -> Callable[[], None]:
    """Have Dagster make or upgrade its tables, once per version of Dagster. The answer waits for the end of it.

    Left to itself each of its processes makes them when it finds none, and two at once fail.
    """
    stamp = Path(env["DAGSTER_HOME"]) / "schema-version"
    wanted = f"{version('dagster')} {hashlib.sha256(databases.dagster.encode()).hexdigest()}"
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return lambda: None
    command = Command(argv=(sys.executable, "-m", "dagster", "instance", "migrate"), cwd=ROOT, env=env)
    process = Process(name="dagster-schema", command=command, deadline_s=_SCHEMA_DEADLINE_S, of=stem)
    await_end = supervisor.begin(process)

    def done() -> None:
        await_end()
        stamp.write_text(wanted, "utf-8")

    return done


def _write(path: Path, data: Mapping[str, Any]) -> None:
    """Whole or not at all: several containers may render at once."""
    unfinished = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}")
    unfinished.write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
    unfinished.replace(path)
