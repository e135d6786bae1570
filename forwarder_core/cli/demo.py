"""`run demo`: everything on this machine against the simulated platforms, no keys; `--once` for one reel and out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from forwarder_core import db
from forwarder_core.cli import once
from forwarder_core.cli.passwords import with_admin_password
from forwarder_core.cli.progress import reporter
from forwarder_core.embedded import lock
from forwarder_core.embedded.bring_up import Plan, Running, bring_up, check_home
from forwarder_core.embedded.databases import Databases
from forwarder_core.embedded.environment import child_environment
from forwarder_core.embedded.lock import RunState
from forwarder_core.embedded.ports import LOOPBACK
from forwarder_core.embedded.stack import DEMO, ONCE, StackPorts, chosen_ports
from forwarder_core.embedded.supervisor import Report
from forwarder_core.errors import ForwarderError, MediaRejected
from forwarder_core.services.context import Core, open_core
from forwarder_core.settings import Settings, load
from forwarder_core.simulator import demo
from forwarder_core.simulator.client import ControlClient, ControlFailed
from forwarder_core.simulator.demo import Road

POST_EVERY_S = 20.0
_JOIN_WAIT_S = 120.0
_STARTING_ROAD = "instagram_to_youtube"


@dataclass(frozen=True, slots=True)
class _Stage:
    """A demo that is up, whoever started it. `poll` keeps its processes alive where this process started them."""

    core: Core
    world: ControlClient
    env: Mapping[str, str]
    poll: Callable[[], None]


def command(
    once_: Annotated[bool, typer.Option("--once", help="Forward one reel, tell what happened, and exit.")] = False,
    video: Annotated[Path | None, typer.Option(help="The reel's video (mp4, mov, webm); default: a made one.")] = None,
    type_: Annotated[str, typer.Option("--type", help="The connection's type.")] = _STARTING_ROAD,
    method: Annotated[str, typer.Option(help="How Instagram is reached: private or graph_api.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the door; default 8080 or the next free one.")] = None,
    no_seed: Annotated[bool, typer.Option("--no-seed", help="No accounts, no connection, no reels.")] = False,
) -> None:
    """Everything on this machine against simulated platforms; no keys."""
    road = Road.parse(type_, method)
    settings = load()
    if port is not None:
        settings = Settings(**settings.model_dump(exclude_unset=True) | {"bind": f"{LOOPBACK}:{port}"})
    report = reporter()
    if once_:
        outcome = _once(settings, road, _video(video), report)
        print(outcome.to_json() if json_ else _in_words(outcome), flush=True)
    else:
        _stay(settings, road, report, seed=not no_seed)


def _video(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise MediaRejected(f"{path} is not a file.", action="Name a video file that exists.")
    return path.resolve() if path else None


def _once(settings: Settings, road: Road, video: Path | None, report: Report) -> once.Outcome:
    with _joined(settings, report) as stage:
        return once.forward_one(
            stage.core, stage.world, road, video=video, env=stage.env, say=report, poll=lambda _: stage.poll()
        )


@contextmanager
def _joined(settings: Settings, report: Report) -> Iterator[_Stage]:
    """The running demo of this home, else one started for the occasion, without the door."""
    home = settings.home / "demo"
    state = lock.running(home, wait_s=_JOIN_WAIT_S)
    if state is not None and state.control and state.gateway:
        report("joining the demo that runs")
        yield _join(settings, state)
        return
    with up(settings, "once", report) as running:
        yield stage_of(running)


def _join(settings: Settings, state: RunState) -> _Stage:
    theirs = demo.settings_of(settings, gateway=state.gateway or "", control=state.control or "")
    theirs = theirs.model_copy(update={"database_url": state.forwarder_database})
    env = child_environment(
        theirs, dagster_home=theirs.home / "dagster", dagster_database=state.dagster_database, webserver=""
    )
    return _Stage(open_core(theirs), ControlClient(state.control or ""), env, lambda: None)


def stage_of(running: Running) -> _Stage:
    core = open_core(running.settings)
    demo.tune(core)
    return _Stage(core, ControlClient(running.state.control or ""), running.env, running.supervisor.poll)


@contextmanager
def up(settings: Settings, mode: str, report: Report) -> Iterator[Running]:
    """The demo's own stack: the whole of it, or what one forward needs."""
    parts = DEMO if mode == "demo" else ONCE
    with chosen_ports(settings, parts) as ports:
        plan = Plan(settings=_settings(settings, ports), mode=mode, parts=parts, ports=ports)
        with bring_up(plan, prepare=_prepare, report=report) as running:
            yield running


def _settings(settings: Settings, ports: StackPorts) -> Settings:
    gateway, control = f"http://{LOOPBACK}:{ports.gateway}", f"http://{LOOPBACK}:{ports.control}/__control"
    theirs = demo.settings_of(settings, gateway=gateway, control=control)
    check_home(theirs.home)
    return with_admin_password(theirs)


def _prepare(_settings: Settings, databases: Databases) -> None:
    db.migrate(databases.forwarder)


def _stay(settings: Settings, road: Road, report: Report, *, seed: bool) -> None:
    with up(settings, "demo", report) as running:
        stage = stage_of(running)
        roads = deque([road, *(other for other in demo.ROADS if other != road)] if seed else [])
        if seed:
            demo.ensure_connection(stage.core, stage.world, road)
            report("accounts and connection ready")
        _print_ready(running)
        next_post = time.monotonic()
        while True:
            stage.poll()
            if roads and time.monotonic() >= next_post:
                _post_on(stage, roads[0], report)
                roads.rotate(-1)
                next_post = time.monotonic() + POST_EVERY_S
            time.sleep(0.2)


def _post_on(stage: _Stage, road: Road, report: Report) -> None:
    """A new post on this road, which is laid when its turn comes first: the demo is ready sooner that way."""
    try:
        connection = demo.ensure_connection(stage.core, stage.world, road)
        post = demo.new_post(stage.core, stage.world, connection, road, number=int(time.time()))
    except (ForwarderError, ControlFailed) as e:
        report(f"nothing new on {road.name} this time: {e}")
    else:
        report(f"a new post on {road.source}: {post['url']}")


def _print_ready(running: Running) -> None:
    print(f"URL: {running.state.url}")
    print(f"User: {running.settings.admin_username}")
    print(f"Password: {running.settings.admin_password}")
    print(f"Control: {running.state.control}")
    print(f"Gateway: {running.state.gateway}", flush=True)


def _in_words(outcome: once.Outcome) -> str:
    spent = ", ".join(f"{step} {seconds:g} s" for step, seconds in outcome.steps.items())
    return (
        f"Source post {outcome.source_post_id} → {outcome.destination_url}\n"
        f"Job {outcome.job_id}, Dagster run {outcome.run_id}, assets {' → '.join(outcome.assets)}\n"
        f"{outcome.bytes:,} bytes, sha256 {outcome.sha256}\n"
        f"{spent}; {outcome.cpu_s:g} CPU seconds in all"
    )
