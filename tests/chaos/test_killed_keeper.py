"""The keeper, killed twenty times in the middle of its work: no alert is lost, none comes more than once too often."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.db import outbox
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import forwarding, notifying, telegram_settings, tunables
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests.chaos import processes
from tests.chaos.processes import PATIENCE_S, Installation, Worker
from tests.factories import add_connection, add_job, change_row, job_of, rows

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
KILLS = 20
BOT = {"bot_token": "1234567890:KEEPERkeeperKEEPERkeeperKEEPER12345", "channel_id": "4711", "enabled": True}
A_DEAD_WORKER = {**forwarding.this_worker(), "pid": 2**22 + 1, "born": 0.0}
HELD_S = notifying.LEASE.total_seconds() + 10  # so long a killed keeper's message is nobody else's


class Trial:
    """What the keeper has to do, and what came of it."""

    def __init__(self, where: Installation, core: Core, simulator: Simulator) -> None:
        self.where, self.core, self.simulator = where, core, simulator
        self.jobs: list[int] = []
        self.alerts: list[int] = []

    def make_work(self) -> None:
        """An alert to send, and a job whose worker died."""
        number = 1_000 + len(self.alerts)
        self.alerts.append(number)
        with self.core.begin() as tx:
            now = self.core.clock.now()
            payload = {"at": now.isoformat(), "stuck_jobs": number}
            key = f"trial:{number}"
            outbox.post(tx, dedupe_key=key, kind=AlertKind.CENSUS, thread=key, payload=payload, now=now, cause=key)
        job = add_job(self.core, add_connection(self.core))
        launch = next(d for d in forwarding.dispatchable(self.core) if d.job_id == job)
        assert forwarding.claim(self.core, job, launch.dispatch_no, f"run-{job}")
        with self.core.begin() as tx:
            change_row(tx, flow.jobs, job, worker=A_DEAD_WORKER)
        self.jobs.append(job)

    def keeper(self, generation: int) -> Worker:
        return processes.start(processes.keep, self.where, generation * HELD_S)

    def arrived(self) -> Counter[int]:
        """How often each alert is in the chat."""
        told = [message["text"] for message in self.simulator.telegram() if message["chat_id"] == 4711]
        return Counter(number for number in self.alerts for text in told if f"Jobs not moving: {number}" in text)

    def reaped(self) -> int:
        return sum(job_of(self.core, job).status is JobStatus.QUEUED for job in self.jobs)

    def all_done(self) -> bool:
        unsent = [row for row in rows(self.core, system.outbox) if row["state"] == "waiting"]
        return not unsent and self.reaped() == len(self.jobs)


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


@pytest.fixture
def trial(database_url: str, simulator: Simulator, tmp_path: Path) -> Iterator[Trial]:
    where = Installation(home=tmp_path, database_url=database_url, gateway=simulator.gateway_url, ca=simulator.ca_path)
    core = where.open()
    telegram_settings.change(core, BOT, who="test")
    tunables.change(core, {"lease.seconds": 2.0, "dispatch.max_running": 100})
    with ExitStack() as stack:
        stack.callback(core.engine.dispose)
        yield Trial(where, core, simulator)


def test_a_keeper_killed_twenty_times_loses_nothing(trial: Trial) -> None:
    for generation in range(KILLS):
        trial.make_work()
        sent, reaped = trial.arrived().total(), trial.reaped()
        keeper = trial.keeper(generation)
        # As soon as one of the two can be seen from outside: in between that and the row that says so.
        if generation % 2:
            until(lambda sent=sent: trial.arrived().total() > sent)
        else:
            until(lambda reaped=reaped: trial.reaped() > reaped)
        keeper.seen.send_signal(signal.SIGKILL)
        assert keeper.end() == -signal.SIGKILL
    last = trial.keeper(KILLS)
    until(trial.all_done)
    last.seen.send_signal(signal.SIGTERM)
    assert last.end() == 0

    arrived = trial.arrived()
    assert set(arrived) == set(trial.alerts), "nothing is lost"
    repeats = arrived.total() - len(trial.alerts)
    assert repeats <= KILLS, "at most one message is repeated by each kill"
    jobs = [job_of(trial.core, job) for job in trial.jobs]
    assert {(job.status, job.rescues) for job in jobs} == {(JobStatus.QUEUED, 1)}, "each job taken back once"
    told = Counter(row["payload"].get("job_id") for row in rows(trial.core, system.outbox, kind="job_retrying"))
    assert told == dict.fromkeys(trial.jobs, 1), "and told once"
