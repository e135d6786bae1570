"""Real processes of the product for tests: forked from one clean process that has imported everything already.

No tests here. The fact to know: a worker can be told to stop itself (SIGSTOP) at a named point of its way, which is
what a frozen machine or a swapped-out container looks like to everybody else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import psutil
from dagster._utils.interrupts import raise_interrupts_as

from forwarder_core import crashpoints
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import Clock
from forwarder_core.db import accounts
from forwarder_core.db.engine import DatabaseClock, connect
from forwarder_core.errors import Fenced, StepFailed
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.destination import InstagramDestination
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.platforms.youtube import sessions
from forwarder_core.platforms.youtube.destination import YouTubeDestination
from forwarder_core.services import exits, publishing
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.settings import Settings
from forwarder_core.simulator.soak_work import STEPS
from forwarder_core.vault import Vault
from forwarder_pipelines import keeper

__all__ = ["TelegramSender", "YouTubeDestination"]  # imported once, for every fork
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
SOON_S = 1.0  # a worker that will be frozen has to begin its irreversible call so soon, to be quick in tests
DONE, NOT_CLAIMED, FENCED, FAILED, STOPPED = 0, 4, 3, 5, 6
PATIENCE_S = 60.0


class Ahead:
    """A clock that runs ahead of another."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._ahead = clock, timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self._clock.now() + self._ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every process of one installation is told; `ahead_s`: its clock's lead over the database's."""

    home: Path
    database_url: str
    gateway: str
    ca: Path
    ahead_s: float = 0.0

    def open(self, *, ahead_s: float = 0.0) -> Core:
        settings = Settings(
            home=self.home, database_url=self.database_url, outbound_proxy=self.gateway, ca_bundle=self.ca
        )
        engine = connect(self.database_url, pool_size=5, name="test")
        clock = Ahead(DatabaseClock(engine), self.ahead_s + ahead_s)
        return Core(settings, engine, Vault.open(settings.key_file), clock)


@dataclass(slots=True)
class Worker:
    """A run's process, as the test sees it."""

    process: BaseProcess
    seen: psutil.Process = field(init=False)

    def __post_init__(self) -> None:
        self.process.start()
        self.seen = psutil.Process(self.process.pid)

    @property
    def is_frozen(self) -> bool:
        return self.seen.is_running() and self.seen.status() == psutil.STATUS_STOPPED

    @property
    def is_gone(self) -> bool:
        return not self.seen.is_running() or self.seen.status() == psutil.STATUS_ZOMBIE

    def wake(self) -> None:
        self.seen.send_signal(signal.SIGCONT)

    def end(self) -> int | None:
        """Its exit code."""
        self.process.join(PATIENCE_S)
        return self.process.exitcode

    def kill(self) -> None:
        """Whatever state it is in; for the end of a test."""
        if self.process.is_alive():
            self.process.kill()
            self.process.join(PATIENCE_S)


def start(act: Callable[..., None], *told: object) -> Worker:
    return Worker(FORKS.Process(target=act, args=told, daemon=True))


# ---- what the processes do ------------------------------------------------------------------------------------------


def carry(
    where: Installation, job: int, dispatch_no: int, freeze_at: str | None, chunk_bytes: int = sessions.CHUNK_BYTES
) -> None:
    """One run: the four steps, as Dagster's ops take them. `chunk_bytes`: of an upload to YouTube."""
    _without_rests()
    sessions.CHUNK_BYTES = chunk_bytes
    core = where.open()
    if freeze_at:
        publishing.SEND_WITHIN_S = SOON_S
    freezing = patch.object(crashpoints, "at", _Freeze(freeze_at)) if freeze_at else patch.object(crashpoints, "at")
    with freezing:
        carrier = Carrier(core, job, dispatch_no, f"run-{os.getpid()}")
        if not carrier.claim():
            sys.exit(NOT_CLAIMED)
        try:
            with raise_interrupts_as(dg.DagsterExecutionInterruptedError):
                for step in STEPS:
                    step(carrier)
        except dg.DagsterExecutionInterruptedError:
            carrier.interrupt(because="The worker was stopped.", cancel=False)
            sys.exit(STOPPED)
        except Fenced:
            sys.exit(FENCED)
        except StepFailed:
            sys.exit(FAILED)
        finally:
            carrier.let_go()


class _Freeze:
    """Stop this process, once, when it comes to `point`, or for the n-th time to it (`point:n`)."""

    def __init__(self, where: str) -> None:
        self._point, _, nth = where.partition(":")
        self._left = int(nth or 1)

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGSTOP)


def ask_the_channel(where: Installation, account_id: int, video: str, together: Barrier) -> None:
    """Wait for all the others, then make a call that needs the account's access token."""
    core = where.open()
    with core.begin() as tx:
        account = accounts.get(tx, account_id)
    assert account is not None
    to = exits.destination(core, account, core.settings.default_exit)
    together.wait(PATIENCE_S)
    assert to.verify(video).is_live


def keep(where: Installation, ahead_s: float) -> None:
    """The keeper, whole, with short rounds; its clock is so far ahead that what a killed one held is free again."""
    quick = {"ROUND_S": 0.1, "_SEND_ROUND_S": 0.05}
    for name, seconds in quick.items():
        assert hasattr(keeper, name)
        setattr(keeper, name, seconds)
    core = where.open(ahead_s=ahead_s)
    with (
        patch.object(keeper, "this_core", lambda: core),
        patch.object(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral),
    ):
        keeper.main()


def _without_rests() -> None:
    rests = {"pace": Pace(between_calls_s=0, configure_s=0)}
    constructors: Sequence[Callable[..., None]] = (InstagramSource.__init__, InstagramDestination.__init__)
    for constructor in constructors:
        constructor.__kwdefaults__ = rests  # type: ignore[attr-defined]
