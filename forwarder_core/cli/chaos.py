"""`run chaos`: the real processes killed at every named point and at random, and what the checker says afterwards.

Works in a home of its own, `<home>/chaos`, made anew each time. Nothing of it runs on when this ends.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from forwarder_core import db
from forwarder_core.cli import chaos_hosts
from forwarder_core.cli.progress import reporter
from forwarder_core.cli.worker_hosts import check_possible
from forwarder_core.crashpoints import CrashAt
from forwarder_core.embedded import lock
from forwarder_core.embedded.bring_up import Plan, Running, bring_up, check_home
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.stack import ONCE, StackPorts, chosen_ports
from forwarder_core.embedded.supervisor import Stopped
from forwarder_core.errors import AlreadyRunning, StartError
from forwarder_core.services.context import open_core
from forwarder_core.settings import Launcher, Settings, load
from forwarder_core.simulator import chaos_kills, chaos_orders, chaos_points
from forwarder_core.simulator.chaos import ChaosResult, Drill, Load, Report
from forwarder_core.simulator.chaos_hosts import HostDrill, load_of

_ARMED = "crash-at"
_INTERRUPTED = 130


class LeftBehind(StartError):
    code = "processes_left"
    action = "Report this with the names above; end them by their process numbers."


def command(
    kills: Annotated[
        int | None, typer.Option(help="Kills at random moments, after the named points (50; of hosts: 2).", min=0)
    ] = None,
    seed: Annotated[int, typer.Option(help="Repeats a schedule.", min=0)] = 1,
    points: Annotated[bool, typer.Option(help="Every named crash point first.")] = True,
    orders: Annotated[
        int, typer.Option(help="All core processes at once, back in so many of their 120 orders.", min=0, max=120)
    ] = 0,
    hosts: Annotated[
        int, typer.Option(help="Runs on so many machines of their own; these are killed and cut off. Root only.", min=0)
    ] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Kill the real processes while posts keep coming, and see whether anything was lost or doubled."""
    rounds = (chaos_points.KILLS, chaos_points.OTHERS) if points else ()
    plenty = 2 if hosts else 50
    told: dict[str, Any] = {"kills": plenty if kills is None else kills, "seed": seed, "report": reporter()}
    try:
        result = (
            run_on_hosts(load(), hosts=hosts, **told) if hosts else run(load(), rounds=rounds, orders=orders, **told)
        )
    except Stopped:
        raise typer.Exit(_INTERRUPTED) from None  # a drill cut short has proved nothing
    said = result.as_dict()
    print(json.dumps(said) if json_ else "\n".join(f"{key}: {value}" for key, value in said.items()), flush=True)
    if not result.is_clean:
        raise typer.Exit(1)


def run(
    settings: Settings,
    *,
    kills: int,
    seed: int,
    report: Report,
    rounds: Sequence[Sequence[CrashAt]],
    orders: int = 0,
) -> ChaosResult:
    """`rounds`: crashes armed together, one round after the other; `orders`: how often all die at once after them.

    Raises LeftBehind when a process outlived us.
    """
    home, began = _fresh(settings), time.monotonic()

    def trouble(drill: Drill) -> Trouble:
        armed = home / _ARMED
        missed = [crash for crashes in rounds for crash in chaos_points.fire(drill, armed, crashes)]
        wrongs = chaos_orders.die_in_orders(drill, orders)
        chaos_kills.kill_at_random(drill, kills)
        return Trouble(missed=missed, wrongs=wrongs)

    with chosen_ports(settings, ONCE) as ports:
        plan = Plan(settings=_settings(settings, home, ports), mode="chaos", parts=ONCE, ports=ports)
        if orders:
            plan = replace(plan, deaths_within_s=chaos_orders.DEATHS_WITHIN_S)
        with bring_up(plan, prepare=_prepare, report=report) as up:
            result = _trial(up, Load(), trouble, seed=seed, report=report, began=began)
    _see_nothing_left(home)
    return result


def run_on_hosts(settings: Settings, *, hosts: int, kills: int, seed: int, report: Report) -> ChaosResult:
    """`kills` troubles of `hosts` machines. Raises HostsImpossible where they cannot be made, LeftBehind."""
    check_possible(hosts)
    home, began = _fresh(settings), time.monotonic()
    with chosen_ports(settings, ONCE) as ports, chaos_hosts.shared(home) as common:
        theirs = common.settings(_settings(settings, home, ports))
        plan = Plan(settings=theirs, mode="chaos", parts=ONCE, ports=ports, env=common.env)
        with (
            bring_up(plan, prepare=_prepare, report=report) as up,
            chaos_hosts.workers(up, common, hosts) as machines,
        ):

            def trouble(drill: Drill) -> Trouble:
                struck = HostDrill(drill, machines, common.broker)
                struck.strike(kills)
                return Trouble(wrongs=struck.wrongs)

            result = _trial(up, load_of(hosts), trouble, seed=seed, report=report, began=began)
    _see_nothing_left(home)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What became of the trouble made: crashes that did not come, and what went wrong besides posts."""

    missed: Sequence[str] = ()
    wrongs: Sequence[str] = ()


def _fresh(settings: Settings) -> Path:
    home = settings.home / "chaos"
    if lock.is_held(home):
        raise AlreadyRunning(f"Another one runs in {home}.")
    shutil.rmtree(home, ignore_errors=True)
    check_home(home)
    return home


def _see_nothing_left(home: Path) -> None:
    if left := left_behind(home):
        raise LeftBehind(f"Outlived the stack: {', '.join(left)}.")


def _trial(
    running: Running,
    load: Load,
    trouble: Callable[[Drill], Trouble],
    *,
    seed: int,
    report: Report,
    began: float,
) -> ChaosResult:
    core = open_core(running.settings.model_copy(update={"crash_at": None}), pool_size=20, name="chaos")
    drill = Drill(core, running.state.control or "", running.supervisor, seed, report, load)
    try:
        drill.prepare()
        made = trouble(drill)
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
        missed=made.missed,
        wrongs=made.wrongs,
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
        theirs = process.environ().get("FORWARDER_HOME", "")
        return f"{theirs}/".startswith(f"{home}/") or any(home in part for part in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
