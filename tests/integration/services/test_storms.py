"""Half an hour of 429: the account is asked no more often than the platform said, and nobody else waits for it.

Real client libraries, simulated time; the figures are the simulator's own journal of what it was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from forwarder_core.connectors.base import MediaFile
from forwarder_core.db import accounts
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.errors import RateLimited
from forwarder_core.services import census, detection, steps, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator.soak_time import SharedTime
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, dispatch, job_of, rows, simulated_account
from tests.integration.services.crossings import Crossing, make_media, shared_time, without_rests

pytestmark = pytest.mark.slow
STORM_S = 30 * 60
TICK_S = 20.0
EVERY_MINUTE = {"type": "continuous", "check_interval_minutes": 1}
LISTING = "/api/v1/clips/user/"


@pytest.fixture
def time(real_core: Core, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedTime]:
    without_rests(monkeypatch)
    with shared_time(real_core, simulator) as time:
        yield time


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> MediaFile:
    return make_media(tmp_path_factory.mktemp("clip"))


def asked(simulator: Simulator, platform: str, account: str, since: datetime) -> list[tuple[datetime, int]]:
    """When the simulator was asked in this account's name, and what it answered."""
    found: list[dict[str, Any]] = simulator.call("GET", "/requests", params={"platform": platform, "account": account})
    told = [(datetime.fromisoformat(entry["at"]), int(entry["status"] or 0)) for entry in found]
    return [(at, status) for at, status in told if at >= since]


def shortest_wait_s(calls: list[tuple[datetime, int]]) -> float:
    """The shortest time between a 429 and whatever was asked next."""
    waits = [(then - at).total_seconds() for (at, status), (then, _) in pairwise(calls) if status == 429]
    return min(waits)


class Watch:
    """Three sources, each looked at once a minute."""

    def __init__(self, core: Core, simulator: Simulator, time: SharedTime) -> None:
        self.core, self.simulator, self.time = core, simulator, time
        made = [simulated_account(core, simulator, "instagram") for _ in range(3)]
        self.accounts, self.people = [account for account, _ in made], [person for _, person in made]
        for account in self.accounts:
            add_connection(core, account, schedule=EVERY_MINUTE)
            with core.begin() as tx:
                accounts.watch(tx, account.id, core.clock.now())
        self.look()  # signs everybody in
        self.began = core.clock.now() + timedelta(seconds=TICK_S)

    def look(self) -> None:
        detection.poll_due(self.core, shard=0, shards=1, budget_s=60)

    def pass_time(self, seconds: float) -> None:
        """As the sensors do it: a tick every few seconds asks what is due."""
        for _ in range(round(seconds / TICK_S)):
            self.time.move(TICK_S)
            self.look()

    def calls(self, person: str) -> list[tuple[datetime, int]]:
        return asked(self.simulator, "instagram", person, self.began)


@pytest.mark.parametrize("retry_after_s", [240, None])
def test_a_source_in_a_storm_is_looked_at_as_seldom_as_it_said(
    real_core: Core, simulator: Simulator, time: SharedTime, retry_after_s: int | None
) -> None:
    watch = Watch(real_core, simulator, time)
    struck, *others = watch.people
    said = {} if retry_after_s is None else {"retry_after": retry_after_s}
    simulator.arm("http_429", count=None, match={"platform": "instagram", "account": struck}, **said)
    reel = simulator.add_post("instagram", struck, "Sunset", seconds=1, width=144, height=256)
    watch.pass_time(STORM_S)
    calls = watch.calls(struck)
    least_s = retry_after_s or RateLimited.wait_s
    assert {status for _, status in calls} == {429}
    assert shortest_wait_s(calls) >= least_s
    assert 2 <= len(calls) <= STORM_S / least_s + 1
    for person in others:
        looks = [at for at, status in watch.calls(person) if status == 200]
        assert len(looks) >= STORM_S / 60, f"{len(looks)} looks in {STORM_S / 60:.0f} minutes"
        gaps = [(b - a).total_seconds() for a, b in pairwise(looks)]
        assert max(gaps) <= 60 + TICK_S, "a storm elsewhere slowed this one down"
    simulator.disarm()
    watch.pass_time(1_000)
    seen = [row["platform_post_id"] for row in rows(real_core, flow.source_posts)]
    assert seen == [reel["id"]] and census.take(real_core).undecided_posts == 0


def test_a_destination_in_a_storm_is_asked_as_seldom_as_it_said_and_loses_no_retry(
    real_core: Core, simulator: Simulator, time: SharedTime, media: MediaFile
) -> None:
    said_s = 120
    tunables.change(real_core, {"dispatch.max_running": 100})
    struck, calm = (Crossing(real_core, simulator, time, media, "youtube") for _ in range(2))
    for crossing in (struck, calm):
        crossing.add_jobs(1)
    assert calm.run_all() == ["published", "published"], "both channels are signed in"
    for crossing in (struck, calm):
        crossing.add_jobs(8)
    time.move(TICK_S)
    began = real_core.clock.now()
    struck.arm("http_429", count=None, retry_after=said_s)
    for n in range(round(STORM_S / TICK_S)):
        calm.run_all()
        if n == 0:
            assert {job.status for job in calm.rows()} == {JobStatus.SUCCESS}, "nobody waited for the other channel"
        time.move(TICK_S)
    calls = asked(simulator, "youtube", struck.remote_id, began)
    assert shortest_wait_s(calls) >= said_s
    assert 10 <= len(calls) <= STORM_S / said_s + 1
    waiting = [job for job in struck.rows() if job.status is JobStatus.RETRY_WAIT]
    assert {job.wait_reason for job in waiting} == {WaitReason.RATE} and {j.retries_used for j in waiting} == {0}
    simulator.disarm()
    for _ in range(40):
        time.move(said_s)
        struck.run_all()
    for crossing in (struck, calm):
        crossing.assert_each_is_there_once_and_shown_so()
    assert {job.retries_used for job in struck.rows()} == {0}


def test_a_run_under_way_does_not_ask_an_account_that_another_job_was_told_to_leave_in_peace(
    real_core: Core, simulator: Simulator, time: SharedTime, media: MediaFile
) -> None:
    crossing = Crossing(real_core, simulator, time, media, "youtube")
    crossing.add_jobs(1)
    (job,) = crossing.jobs
    carrier = Carrier(real_core, job, dispatch(real_core, job).dispatch_no, "run")
    assert carrier.claim()
    with real_core.begin() as tx:
        accounts.cool_down(tx, crossing.connection.source_account_id, real_core.clock.now() + timedelta(seconds=500))
    with pytest.raises(RateLimited):
        steps.fetch_post(carrier)
    carrier.let_go()
    waiting = job_of(real_core, job)
    assert (waiting.status, waiting.wait_reason, waiting.retries_used) == (JobStatus.RETRY_WAIT, WaitReason.RATE, 0)
    assert waiting.next_attempt_at is not None
    assert (waiting.next_attempt_at - real_core.clock.now()).total_seconds() == pytest.approx(500, abs=1)
