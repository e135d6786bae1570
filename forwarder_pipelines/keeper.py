"""The keeper: the loops shorter than a minute. It reaps dead workers' jobs, sends alerts, and proves that it lives.

`python -m forwarder_pipelines.keeper`; stops on SIGTERM between two rounds. Killing it at any moment loses nothing.
Alerts have a thread of their own: a slow Telegram delays no rescue. So has each sign-in a person takes part in.
The fact to know: Dagster is imported only when a dead run is to be closed, so nothing imported here may import it.
"""

from __future__ import annotations

import importlib
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.domain.waiting import ForKeeper
from forwarder_core.errors import ForwarderError
from forwarder_core.services import (
    analytics_days,
    backfilling,
    commanding,
    delivering,
    dry_running,
    heartbeats,
    interactive_login,
    listening,
    notifying,
    occupying,
    polling,
    recovery,
    telegram_settings,
    waiting,
    watching,
)
from forwarder_core.services.context import Core
from forwarder_core.services.interactive_login import Ticket
from forwarder_core.services.occupying import Seat
from forwarder_core.services.recovery import RunControl
from forwarder_pipelines.opening import this_core

ROUND_S = 2.0
_SEND_ROUND_S = 2.0
_LISTEN_ROUND_S = 2.0
_PULSE_EVERY_S = 60.0
_SLOW = 5  # what only minutes depend on is looked at each fifth round
_SIGN_IN_ROUND_S = 2.0
_BACKFILL_ROUND_S = 5.0
_COUNT_ROUND_S = 60.0
_MOST_SIGN_INS = 3  # at once; each holds a thread for as long as its person needs
_LAST_WORD_S = 3.0  # a sign-in that waits for its person ends within
_LAST_SEND_S = 20.0  # one call of Telegram ends within
log = logging.getLogger("forwarder.keeper")


class RunsOnDemand:
    """The `RunControl` of this installation; Dagster takes 40 MB and two seconds, and most days have no dead run."""

    def __init__(self) -> None:
        self._control: RunControl | None = None

    def close(self, run_id: str, reason: str) -> None:
        if self._control is None:
            of_dagster = importlib.import_module("forwarder_pipelines.run_control").DagsterRunControl
            self._control = of_dagster.of_this_installation()
        self._control.close(run_id, reason)


def one_round(core: Core, runs: RunControl) -> None:
    """Everything the keeper does, once."""
    recovery.reap(core, runs)
    if _waiting(core).silent_dry_runs:
        dry_running.reap(core, runs)
    heartbeats.beat(core, "keeper")


def _waiting(core: Core) -> ForKeeper:
    return waiting.for_keeper(core, signing_in=interactive_login.UNDER_WAY)


@contextmanager
def _spared(what: str) -> Iterator[None]:
    """A round that fails is left out, and the next one comes: a database that is away for a while ends no loop."""
    try:
        yield
    except (SQLAlchemyError, ForwarderError) as e:
        log.warning("%s was left out: %s", what, type(e).__name__)


def send_alerts(core: Core, stopping: threading.Event) -> None:
    """Send what the outbox holds, round after round, until `stopping`."""
    pace, rounds = notifying.Pace(), 0
    with telegram_settings.open_sender(core) as sender:
        while not stopping.wait(_SEND_ROUND_S):
            rounds += 1
            with _spared("A round of alerts"):
                if rounds % _SLOW == 0:
                    notifying.keep_pulse(core, pace)
                if _waiting(core).messages:
                    notifying.send_due(core, sender, pace, is_stopping=stopping.is_set)


def send_by_other_roads(core: Core, stopping: threading.Event) -> None:
    """Call the webhooks and mail what waits, in a thread of its own: a slow receiver delays no Telegram."""
    while not stopping.wait(_SEND_ROUND_S):
        with _spared("A round of deliveries"):
            if _waiting(core).deliveries:
                delivering.send_due(core, is_stopping=stopping.is_set)


def listen(core: Core, stopping: threading.Event) -> None:
    """Hear what people command the bot, and do it."""
    patience, round_s = listening.Patience(), _LISTEN_ROUND_S
    with listening.open_ears(core) as (ears, mouth):
        while not stopping.wait(round_s):
            with _spared("A round of listening"):
                hears = listening.has_work(core)
                round_s = _LISTEN_ROUND_S if hears else _LISTEN_ROUND_S * _SLOW
                if hears:
                    listening.listen(core, ears, patience)
                    commanding.act_on_waiting(core, mouth)


def watch_pulses(core: Core, stopping: threading.Event) -> None:
    """Notice that the schedules stand still, which no schedule can; end the looks nobody took up."""
    while not stopping.wait(_PULSE_EVERY_S):
        with _spared("A look at the pulses"):
            watching.watch_pulses(core)
            polling.give_up_old(core)


def sign_people_in(core: Core, stopping: threading.Event) -> None:
    """Begin the sign-ins admins ask for, each in a thread of its own, and say of each that it lives."""
    held: dict[Ticket, threading.Thread] = {}
    rounds = 0
    while not stopping.wait(_SIGN_IN_ROUND_S):
        rounds += 1
        with _spared("A round of sign-ins"):
            held = {ticket: thread for ticket, thread in held.items() if thread.is_alive()}
            if not held and not _waiting(core).sign_ins:
                continue
            interactive_login.keep(core, list(held))
            if rounds % _SLOW == 0:
                interactive_login.end_lost(core)
            for ticket in interactive_login.take(core, _MOST_SIGN_INS - len(held)):
                held[ticket] = threading.Thread(
                    target=_sign_in, args=(core, ticket, stopping), name=f"sign-in-{ticket.account_id}", daemon=True
                )
                held[ticket].start()
    for thread in held.values():
        thread.join(_LAST_WORD_S)


def finish_backfills(core: Core, stopping: threading.Event) -> None:
    """Go on with backfills whose worker died or whose source asked us to wait."""
    while not stopping.wait(_BACKFILL_ROUND_S):
        with _spared("A round of backfills"):
            if _waiting(core).backfills:
                backfilling.carry_on(core)


def count_days(core: Core, stopping: threading.Event) -> None:
    """Count the days whose posts changed, so that whoever looks at the analytics finds them counted."""
    while not stopping.wait(_COUNT_ROUND_S):
        with _spared("A round of counting"):
            analytics_days.catch_up(core, is_stopping=stopping.is_set)


def _sign_in(core: Core, ticket: Ticket, stopping: threading.Event) -> None:
    try:
        interactive_login.sign_in(core, ticket, is_stopping=stopping.is_set)
    except SQLAlchemyError as e:
        log.warning("A sign-in ended without its result being stored: %s", type(e).__name__)


def main() -> None:
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    core = this_core()
    with occupying.Seat(core) as seat:
        if _sit_down(seat, stopping):
            _work(core, seat, stopping)
    log.info("Keeper stopped")


def _sit_down(seat: Seat, stopping: threading.Event) -> bool:
    """Whether the seat is ours: the database and its tables may come later than we do, and a stop before them."""
    while not stopping.is_set():
        try:
            _keep(seat)
        except occupying.TO_WAIT as e:
            log.warning("The database is waited for: %s", type(e).__name__)
            stopping.wait(ROUND_S)
        else:
            return True
    return False


def _keep(seat: Seat) -> None:
    """Another installation on our database, or tables of a later version, end this one: its supervisor says why."""
    try:
        seat.keep()
    except occupying.TO_END as e:
        raise SystemExit(f"{e.message} {e.action}") from e


def _work(core: Core, seat: Seat, stopping: threading.Event) -> None:
    beside = (send_alerts, send_by_other_roads, listen, watch_pulses, sign_people_in, finish_backfills, count_days)
    loops = [threading.Thread(target=loop, args=(core, stopping), name=loop.__name__, daemon=True) for loop in beside]
    runs, has_swept, rounds = RunsOnDemand(), False, 0
    for loop in loops:
        loop.start()
    while not stopping.is_set() and all(loop.is_alive() for loop in loops):
        with _spared("A round"):
            if rounds % _SLOW == 0:
                _keep(seat)
            if not has_swept:
                recovery.sweep(core, runs)
                has_swept = True
                log.info("Keeper started")
            one_round(core, runs)
        rounds += 1
        stopping.wait(ROUND_S)
    _end(loops, stopping)


def _end(loops: list[threading.Thread], stopping: threading.Event) -> None:
    """Let the message under way arrive. A loop that ended by itself ends the keeper: it is started afresh."""
    if not stopping.is_set():
        raise SystemExit("A thread of the keeper has ended.")
    for loop in loops:
        loop.join(_LAST_SEND_S)


if __name__ == "__main__":
    main()
