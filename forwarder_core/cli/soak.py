"""`run soak`: days of simulated time in minutes, with faults from a seed; the verdict is the answer.

Works in a home of its own below `<home>/soak`, made anew each time: a database, a simulator, no Dagster.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from forwarder_core import db
from forwarder_core.cli.progress import reporter
from forwarder_core.clock import SystemClock
from forwarder_core.embedded.bring_up import check_home
from forwarder_core.embedded.postgres import Cluster
from forwarder_core.logs import configure
from forwarder_core.services import soak_reports
from forwarder_core.settings import Settings, load
from forwarder_core.simulator import soak, testing
from forwarder_core.simulator.soak import Report, SoakPlan, SoakResult

_DATABASE = "soak"


def command(
    hours: Annotated[float, typer.Option(help="Simulated hours.", min=0.1)] = 72.0,
    seed: Annotated[int, typer.Option(help="Replays a run.", min=0)] = 1,
    connections: Annotated[int, typer.Option(help="Connections.", min=1, max=500)] = 5,
    posts: Annotated[int | None, typer.Option(help="Posts in all; default: 17 a day and connection.", min=1)] = None,
    calm: Annotated[
        bool, typer.Option("--calm", help="No faults and no deaths: what the same posts cost then.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Simulated days with faults on: whether anything was lost or doubled, what a forward cost, how soon it came."""
    plan = SoakPlan(seed=seed, hours=hours, connections=connections, posts=posts, is_calm=calm)
    settings = load()
    result = run(settings, plan, reporter())
    told = result.as_dict()
    soak_reports.keep(settings.home, told, SystemClock().now())
    print(json.dumps(told) if json_ else in_words(told), flush=True)
    if not result.findings.is_clean:
        raise typer.Exit(1)


def run(settings: Settings, plan: SoakPlan, report: Report) -> SoakResult:
    """A soak in `<home>/soak`, on a cluster and a simulator started for it and stopped after it."""
    home = settings.home / "soak"
    check_home(home)
    _clear(home)
    configure("ERROR")
    with Cluster(home, fast=True).start() as server:
        server.address.drop(_DATABASE)
        server.ensure_databases(_DATABASE)
        url = server.url(_DATABASE)
        db.migrate(url)
        report("database ready")
        with testing.running(home / "world", "--seed", str(plan.seed)) as simulator:
            report("simulator ready")
            theirs = settings.model_copy(
                update={
                    "home": home,
                    "database_url": url,
                    "secret_keys_file": None,
                    "outbound_proxy": simulator.gateway_url,
                    "ca_bundle": simulator.ca_path,
                    "simulator_url": simulator.control_url,
                    "allow_private_networks": ("127.0.0.0/8",),
                }
            )
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # a client library prints
                return soak.run(theirs, plan, report)


def _clear(home: Path) -> None:
    """What an earlier soak left."""
    for name in ("world", "media"):
        shutil.rmtree(home / name, ignore_errors=True)


def in_words(told: dict[str, object]) -> str:
    """The verdict's keys one per line; nothing of it is left out."""
    return "\n".join(f"{key}: {value}" for key, value in told.items())
