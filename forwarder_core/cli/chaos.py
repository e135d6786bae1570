"""`run chaos`: the real processes killed at every named point and at random, and what the checker says afterwards.

Works in a home of its own, `<home>/chaos`, made anew each time. Nothing of it runs on when this ends.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psutil
import typer

from forwarder_core import db
from forwarder_core.cli.progress import reporter
from forwarder_core.crashpoints import CrashAt
from forwarder_core.embedded import lock
from forwarder_core.embedded.bring_up import Plan, Running, bring_up, check_home
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.stack import ONCE, StackPorts, choose_ports
from forwarder_core.embedded.supervisor import Stopped
from forwarder_core.errors import AlreadyRunning, StartError
from forwarder_core.services.context import open_core
from forwarder_core.settings import Launcher, Settings, load
from forwarder_core.simulator import chaos_kills, chaos_points
from forwarder_core.simulator.chaos import ChaosResult, Drill, Report

_ARMED = "crash-at"
_INTERRUPTED = 130


class LeftBehind(StartError):
    code = "processes_left"
    action = "Report this with the names above; end them by their process numbers."


def command(
    kills: Annotated[int, typer.Option(help="Kills at random moments, after the named points.", min=0)] = 50,
    seed: Annotated[int, typer.Option(help="Repeats a schedule.", min=0)] = 1,
    points: Annotated[bool, typer.Option(help="Every named crash point first.")] = True,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Kill the real processes while posts keep coming, and see whether anything was lost or doubled."""
    rounds = (chaos_points.KILLS, chaos_points.OTHERS) if points else ()
    try:
        result = run(load(), kills=kills, seed=seed, report=reporter(), rounds=rounds)
    except Stopped:
        raise typer.Exit(_INTERRUPTED) from None  # a drill cut short has proved nothing
    told = result.as_dict()
    print(json.dumps(told) if json_ else "\n".join(f"{key}: {value}" for key, value in told.items()), flush=True)
    if not result.is_clean:
        raise typer.Exit(1)


def run(
    settings: Settings, *, kills: int, seed: int, report: Report, rounds: Sequence[Sequence[CrashAt]]
) -> ChaosResult:
    """`rounds`: crashes armed together, one round after the other. Raises LeftBehind when a process outlived us."""
    home = settings.home / "chaos"
    if lock.is_held(home):
        raise AlreadyRunning(f"Another one runs in {home}.")
    shutil.rmtree(home, ignore_errors=True)
    check_home(home)
    ports = choose_ports(settings, door_is_explicit=False)
    theirs = _settings(settings, home, ports)
    began = time.monotonic()
    with bring_up(Plan(settings=theirs, mode="chaos", parts=ONCE, ports=ports), prepare=_prepare, report=report) as up:
        result = _trial(up, kills=kills, seed=seed, report=report, rounds=rounds, began=began)
    if left := left_behind(home):
        raise LeftBehind(f"Outlived the stack: {', '.join(left)}.")
    return result


def _trial(
    running: Running, *, kills: int, seed: int, report: Report, rounds: Sequence[Sequence[CrashAt]], began: float
) -> ChaosResult:
    core = open_core(running.settings.model_copy(update={"crash_at": None}), name="chaos")
    drill = Drill(core, running.state.control or "", running.supervisor, seed, report)
    try:
        drill.prepare()
        armed = running.settings.home / _ARMED
        missed = [crash for crashes in rounds for crash in chaos_points.fire(drill, armed, crashes)]
        chaos_kills.kill_at_random(drill, kills)
        report("the last trouble is over; waiting for quiet")
        findings, quiet_s = drill.settle_down()
    finally:
        drill.close()
        core.engine.dispose()
    return ChaosResult(
        seed=seed,
        kills=drill.kills,
        seconds=time.monotonic() - began,
        quiet_s=quiet_s,
        findings=findings,
        counts=drill.counts,
        missed=missed,
    )


def _settings(settings: Settings, home: Path, ports: StackPorts) -> Settings:
    return settings.model_copy(
        update={
            "home": home,
            "database_url": None,
            "secret_keys_file": None,
            "outbound_proxy": f"http://{LOOPBACK}:{ports.gateway}",
            "ca_bundle": home / "simulator" / "ca.pem",
            "simulator_url": f"http://{LOOPBACK}:{ports.control}/__control",
            "allow_private_networks": ("127.0.0.0/8",),
            "launcher": Launcher.LOCAL,
            "crash_at": f"@{home / _ARMED}",
        }
    )


def _prepare(_settings: Settings, databases: Databases) -> None:
    db.migrate(databases.forwarder)


def left_behind(home: Path) -> list[str]:
    """Processes that still work in this home, in words."""
    return [
        f"{process.name()} ({process.pid})"
        for process in psutil.process_iter()
        if process.pid != psutil.Process().pid and _works_in(process, str(home))
    ]


def _works_in(process: psutil.Process, home: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get("FORWARDER_HOME") == home or any(home in part for part in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
