"""`run worker`: this machine carries runs of an installation whose other parts are elsewhere.

It needs the same release, the same key ring and the addresses of the one PostgreSQL and the one Redis; everything else
is made here. The fact to know: a worker with a key ring of its own could open no credential, so none is made here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, NoReturn

import typer

from forwarder_core.embedded.bring_up import check_home
from forwarder_core.embedded.dagster_home import render
from forwarder_core.embedded.databases import external
from forwarder_core.embedded.environment import child_environment
from forwarder_core.errors import SettingsError, StartError
from forwarder_core.services import occupying
from forwarder_core.settings import Launcher, Settings, load


def command(
    concurrency: Annotated[int, typer.Option(help="Runs at once on this machine.", min=1)] = 4,
    queues: Annotated[str, typer.Option(help="Comma-separated names of the queues to take runs from.")] = "dagster",
    name: Annotated[str, typer.Option(help="Unique among all machines; %h is the host's name.")] = "worker@%h",
) -> None:
    """Carry runs for an installation on other machines (FORWARDER_LAUNCHER=celery)."""
    settings = load()
    env = environment(settings)
    occupying.see_keys(settings)
    told = ("--concurrency", str(concurrency), "--queues", queues, "--name", name)
    _become(("-m", "forwarder_pipelines.celery_worker", *told), env)


def environment(settings: Settings) -> dict[str, str]:
    """What the worker is told. Raises StartError for whatever is missing here."""
    _check(settings)
    databases = external(str(settings.database_url))
    known = settings.model_copy(update={"database_url": databases.forwarder})
    folder = render(known, 0)  # its workspace is nobody's here: a run says itself where its code is
    env = child_environment(known, dagster_home=folder, dagster_database=databases.dagster, webserver="")
    _need([name for name in ("REDIS_BROKER", "REDIS_BACKEND") if name not in env])
    return env


def _check(settings: Settings) -> None:
    is_celery, has_database = settings.launcher is Launcher.CELERY, settings.database_url is not None
    _need(
        [*([] if is_celery else ["FORWARDER_LAUNCHER=celery"]), *([] if has_database else ["FORWARDER_DATABASE_URL"])]
    )
    check_home(settings.home)
    if not settings.key_file.is_file():
        raise StartError(
            f"{settings.key_file} is not here.", action="Copy the key ring of the installation to this machine."
        )


def _need(missing: Sequence[str]) -> None:
    if missing:
        raise SettingsError(f"A worker needs {', '.join(missing)}.", action="Set them as on the daemon's machine.")


def _become(arguments: tuple[str, ...], env: Mapping[str, str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, *arguments], dict(env))
