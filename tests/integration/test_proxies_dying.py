"""A proxy dies in the middle of an upload: the post goes on through the next of its pool, once, and never directly.

The installation's own way out leads to the simulator too, so a call that took it would show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow, metadata
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import Job, JobStatus
from forwarder_core.domain.proxies import Assignment, Health, Proxy, ProxyType
from forwarder_core.errors import StepFailed
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.services import forwarding, proxies, proxy_health, proxy_rules, steps, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.services.proxies import NewProxy
from forwarder_core.simulator.testing import Simulator
from tests import factories

pytestmark = pytest.mark.slow
WHO = "admin"
UPLOADS = "youtube.googleapis.com"
STEPS = (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication)


@pytest.fixture
def core(database_url: str, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    monkeypatch.setattr(InstagramSource.__init__, "__kwdefaults__", {"pace": Pace(between_calls_s=0, configure_s=0)})
    simulator.disarm()
    simulator.reset()
    settings = {**factories.through(simulator), "allow_private_networks": ("127.0.0.0/8",)}
    with factories.make_core(database_url, ManualClock(datetime.now(UTC)), tmp_path, **settings) as core:
        tunables.change(core, {"verify.poll_s": 0.05})
        proxy_health.change_targets(core, ["https://www.instagram.com/"], "", who=WHO)
        yield core
    simulator.disarm()


class Road:
    """A job from Instagram to YouTube by a pool of two, and its ends."""

    def __init__(self, core: Core, simulator: Simulator) -> None:
        self.core, self.simulator = core, simulator
        self.opened = [simulator.open_proxy() for _ in range(2)]
        self.pool = [self._added(n, one["port"]) for n, one in enumerate(self.opened)]
        self.source, person = factories.simulated_account(core, simulator, "instagram")
        self.channel, self.channel_id = factories.simulated_account(core, simulator, "youtube")
        self.connection = factories.add_connection(core, self.source, self.channel)
        proxy_rules.set_policy(core, self.connection.id, {"pool": [proxy.id for proxy in self.pool]}, who=WHO)
        reel = simulator.add_post("instagram", person, "Sunset", seconds=6, width=360, height=640)
        self.job = self._job(self.source, str(reel["id"]))
        proxy_health.check_all(core)

    def _added(self, n: int, port: int) -> Proxy:
        new = NewProxy(
            alias=f"P{n}", type=ProxyType.HTTP, host="127.0.0.1", port=port, assignment=Assignment.PER_CONNECTION
        )
        return proxies.create(self.core, new, who=WHO)

    def _job(self, source: Account, post: str) -> int:
        return factories.add_job(self.core, self.connection, factories.add_post(self.core, source.id, post))

    def run(self) -> StepFailed | None:
        """One run of the job, step by step; what ended it early."""
        carrier = Carrier(self.core, self.job, factories.dispatch(self.core, self.job).dispatch_no, "run")
        assert carrier.claim()
        try:
            for step in STEPS:
                step(carrier)
        except StepFailed as e:
            return e
        finally:
            carrier.let_go()
        return None

    def kill(self, n: int) -> None:
        self.simulator.call("DELETE", f"/proxies/{self.opened[n]['port']}")

    def die_within_the_upload(self) -> None:
        """Whichever proxy carries the next upload is gone as soon as the first 20 kB of it went through."""
        self.simulator.arm(
            "proxy_cut", match={"host": UPLOADS}, count=None, after_bytes=20_000, direction="up", ends_proxy=True
        )

    @property
    def row(self) -> Job:
        return factories.job_of(self.core, self.job)

    @property
    def attempts(self) -> list[Any]:
        return list(factories.rows(self.core, flow.attempts, job_id=self.job))

    def wait(self, seconds: float) -> None:
        assert isinstance(self.core.clock, ManualClock)
        self.core.clock.move(seconds)

    def assert_no_call_was_direct(self) -> None:
        """A request whose proxy is gone before it is noted shows the address it came from all the same."""
        known = {one["exit_ip"] for one in self.opened}
        seen = self.simulator.requests()
        assert {request["exit_ip"] or request["client"].partition(" ")[0] for request in seen} <= known

    def alerts(self, kind: str) -> list[Any]:
        return [row for row in factories.rows(self.core, metadata.tables["outbox"]) if row["kind"] == kind]


@pytest.fixture
def road(core: Core, simulator: Simulator) -> Road:
    return Road(core, simulator)


def test_a_proxy_that_dies_within_the_upload_costs_one_attempt_and_the_post_goes_on_through_the_next(
    road: Road,
) -> None:
    road.wait(1)
    road.die_within_the_upload()
    failed = road.run()
    road.simulator.disarm()
    road.wait(1)

    assert failed is not None and road.row.status is JobStatus.RETRY_WAIT
    (first,) = road.attempts
    dead = next(proxy for proxy in road.pool if proxy.address == first["proxy"])
    probed = f"A probe through proxy {dead.alias} at the same time failed: Connection refused."
    assert (first["error_code"], probed in first["error_message"]) == ("outcome_unknown", True), (
        "the last chunk was cut"
    )
    assert proxies.get(road.core, dead.id).consecutive_failures == 0, "a job's question is no check"

    road.wait(120)
    assert road.run() is None

    other = next(proxy for proxy in road.pool if proxy is not dead)
    assert [attempt["proxy"] for attempt in road.attempts] == [dead.address, other.address]
    (made,) = road.simulator.publications("youtube", road.channel_id)
    assert (road.row.status, road.row.destination_post_id) == (JobStatus.SUCCESS, made["id"])
    assert len(factories.rows(road.core, flow.publications, job_id=road.job)) == 1, "the session was taken up again"
    road.assert_no_call_was_direct()


def test_when_the_whole_pool_dies_within_the_upload_the_job_waits_with_one_alert_until_one_is_back(road: Road) -> None:
    road.wait(1)
    road.die_within_the_upload()
    assert road.run() is not None
    road.simulator.disarm()
    (first,) = road.attempts
    for n, proxy in enumerate(road.pool):
        if proxy.address != first["proxy"]:
            road.kill(n)
    for _ in range(4):
        road.wait(61)
        proxy_health.check_all(road.core)
    before = len(road.simulator.requests())

    (connection,) = factories.rows(road.core, flow.connections)
    assert connection["status"] == ConnectionStatus.PAUSED
    road.wait(3_600)
    assert forwarding.dispatchable(road.core) == []
    assert {proxies.get(road.core, proxy.id).health for proxy in road.pool} == {Health.UNHEALTHY}
    assert len(road.alerts("proxy_unhealthy")) == 1 and road.row.status is JobStatus.RETRY_WAIT
    assert len(road.simulator.requests()) == before

    back = road.simulator.open_proxy(port=road.pool[0].port)
    proxy_health.check_all(road.core)
    assert road.run() is None
    assert len(road.simulator.publications("youtube", road.channel_id)) == 1
    road.opened.append(back)
    road.assert_no_call_was_direct()
