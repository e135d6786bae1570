"""A challenge in the middle of a publication, everything restarted, solved 26 hours later: one resume, one post."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from forwarder_core.connectors.base import MediaFile
from forwarder_core.db.engine import connect
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services import accounts, census, challenges, connections, forwarding, recovery
from forwarder_core.services.context import Core
from forwarder_core.simulator.soak_time import SharedTime
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, core_on, rows
from tests.integration.services.crossings import Crossing, make_media, shared_time, without_rests
from tests.integration.services.far_ends import NoRuns

pytestmark = pytest.mark.slow
HOURS_26 = 26 * 3_600.0
# Where it strikes: before anything of the post is there, and at the one call after which nobody knows.
MOMENTS = [
    ("private", "/rupload_igvideo/"),
    ("private", "/api/v1/media/configure_to_clips/"),
    ("graph_api", "/v25.0/{account}/media"),
    ("graph_api", "/v25.0/{account}/media_publish"),
]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> MediaFile:
    return make_media(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def time(real_core: Core, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedTime]:
    without_rests(monkeypatch)
    with shared_time(real_core, simulator) as time:
        yield time


Restart = Callable[[Crossing], Core]


@pytest.fixture
def restart() -> Iterator[Restart]:
    """The machine goes down and up again: nothing of the old process is left but its rows and files."""
    engines: list[Engine] = []

    def restart(crossing: Crossing) -> Core:
        old = crossing.core
        engines.append(connect(old.engine.url.render_as_string(hide_password=False), pool_size=5, name="restarted"))
        settings = {"outbound_proxy": old.settings.outbound_proxy, "ca_bundle": old.settings.ca_bundle}
        crossing.core = core_on(engines[-1], old.clock, old.settings.home, **settings)
        recovery.sweep(crossing.core, NoRuns())
        recovery.reap(crossing.core, NoRuns())
        return crossing.core

    yield restart
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(("road", "route"), MOMENTS)
def test_one_resume_and_one_post_after_a_restart_and_26_hours(
    real_core: Core,
    simulator: Simulator,
    time: SharedTime,
    media: MediaFile,
    restart: Restart,
    road: str,
    route: str,
) -> None:
    crossing = Crossing(real_core, simulator, time, media, road)
    other = add_connection(real_core, destination=crossing.account)
    crossing.add_jobs(3)
    held_up(crossing, route)
    assert crossing.run_what_is_due() == ["captcha_detected"]

    core = restart(crossing)
    account = accounts.get(core, crossing.account.id)
    assert account.status is AccountStatus.CAPTCHA_DETECTED
    for _ in range(26):
        time.move(3_600)
        assert forwarding.dispatchable(core) == [], "nothing of this account starts before a person says so"
    core = restart(crossing)
    assert {connections.get(core, c.id).status for c in (crossing.connection, other)} == {ConnectionStatus.PAUSED}

    released(crossing)
    first, *again = [challenges.resolve(core, account.id, notes="done in the app", who="admin") for _ in range(3)]
    assert set(first.connections_resumed) == {crossing.connection.id, other.id}
    assert len(first.jobs_requeued) == 1
    assert [(r.connections_resumed, r.jobs_requeued) for r in again] == [((), ())] * 2, "repeats resume nothing"
    assert len(forwarding.dispatchable(core)) == 1, "one goes first"
    until_quiet(crossing)

    crossing.assert_each_is_there_once_and_shown_so()
    told = Counter(row["kind"] for row in rows(core, system.outbox))
    assert (told["captcha"], told["captcha_resolved"]) == (1, 1)
    assert accounts.get(core, account.id).status is AccountStatus.ACTIVE
    assert {job.retries_used for job in crossing.rows()} == {0}
    assert len([row for row in rows(core, flow.publications) if row["state"] == "published"]) == 3
    assert census.take(core).is_clean


def held_up(crossing: Crossing, route: str) -> None:
    """From this call on every call of the account is answered with the challenge, as Instagram does it."""
    crossing.arm("challenge", count=None, route=route.format(account=crossing.remote_id))


def released(crossing: Crossing) -> None:
    """The person completed the check in Instagram's own app."""
    crossing.simulator.disarm()


def until_quiet(crossing: Crossing) -> None:
    for _ in range(60):
        crossing.run_all()
        if all(job.status is JobStatus.SUCCESS for job in crossing.rows()):
            return
        crossing.time.move(130)
    raise AssertionError([(job.status, job.wait_reason, job.failure) for job in crossing.rows()])
