"""Stopped, deleted or led elsewhere: what waits is never published; what may be live is found out, and shown so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Published
from forwarder_core.db import accounts, posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.errors import Conflict, Fenced, Invalid, StepFailed
from forwarder_core.services import (
    census,
    challenges,
    connections,
    detection,
    editing,
    forwarding,
    jobs,
    publishing,
    recovery,
)
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import (
    add_account,
    add_connection,
    add_job,
    add_post,
    change_row,
    errand_of,
    job_of,
    later,
    rows,
    seen_post,
)
from tests.integration.services.far_ends import MEDIA, Death, Feed, Mode, NoRuns, Shop

pytestmark = pytest.mark.slow
NOBODY = {**forwarding.this_worker(), "pid": 2**22 + 1, "born": 0.0}
A_DAY_S = 24 * 3_600


class Lane:
    """A connection with one job, and the two shops it may lead to."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.old, self.new = (add_account(core, "youtube", auth_method="oauth") for _ in range(2))
        self.shops = {self.old.id: Shop(name="old"), self.new.id: Shop(name="new")}
        self.connection = add_connection(core, destination=self.old)
        post = add_post(core, self.connection.source_account_id)
        with core.begin() as tx:
            posts.decide(tx, self.connection.id, {post: Decision(Verdict.FORWARD, "matches")}, core.clock.now())
        self.job = add_job(core, self.connection, post)

    def claim(self) -> Carrier:
        launch = next(d for d in forwarding.dispatchable(self.core) if d.job_id == self.job)
        carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, "run")
        assert carrier.claim()
        return carrier

    def publish(self, carrier: Carrier, mode: Mode = Mode.FINE) -> Published | StepFailed | Fenced | None:
        try:
            with carrier.step(Step.PUBLISH) as report:
                errand = carrier.errand()
                shop = self.shops[errand.destination.id]
                shop.mode = mode
                done = publishing.publish(carrier, report, errand, MEDIA, shop)
            forwarding.succeed(self.core, carrier.lease)
            return done
        except (StepFailed, Fenced) as e:
            return e
        except Death:
            return None
        finally:
            carrier.let_go()

    def bury(self) -> None:
        """The worker died, and is found to be dead."""
        with self.core.begin() as tx:
            change_row(tx, flow.jobs, self.job, worker=NOBODY)
        self.wait(publishing.IRREVERSIBLE_S + 1)
        assert [found.id for found in recovery.reap(self.core, NoRuns())] == [self.job]

    def wait(self, seconds: float) -> None:
        assert isinstance(self.core.clock, ManualClock)
        self.core.clock.move(seconds)

    def go_on_for_days(self) -> None:
        """Everything the product would do by itself: launches, runs, the end of every rest and every challenge."""
        for _ in range(4):
            self.wait(A_DAY_S)
            for account in (self.connection.source_account_id, self.old.id, self.new.id):
                challenges.resolve(self.core, account, notes="done", who="admin")
            for launch in forwarding.dispatchable(self.core):
                carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, "later-run")
                assert carrier.claim()
                self.publish(carrier)

    @property
    def status(self) -> JobStatus:
        return job_of(self.core, self.job).status

    @property
    def posted(self) -> list[str]:
        return [id_ for shop in self.shops.values() for _, id_ in shop.videos]


@pytest.fixture
def lane(core: Core) -> Lane:
    return Lane(core)


# ---- how a connection is halted -------------------------------------------------------------------------------------


def stop(lane: Lane) -> None:
    connections.stop(lane.core, lane.connection.id)


def delete(lane: Lane) -> None:
    editing.remove_connection(lane.core, lane.connection.id, who="admin")


def re_aim(lane: Lane) -> None:
    editing.change_connection(lane.core, lane.connection.id, {"destination_account_id": lane.new.id}, who="admin")


HALTS = [stop, delete, re_aim]


# ---- where its job waits at that moment -----------------------------------------------------------------------------


def queued(lane: Lane) -> None:
    """Nobody was asked to run it yet."""


def dispatched(lane: Lane) -> None:
    assert len(forwarding.dispatchable(lane.core)) == 1


def waits_for_its_retry(lane: Lane) -> None:
    assert isinstance(lane.publish(lane.claim(), Mode.CUT_BEFORE), StepFailed)
    assert lane.status is JobStatus.RETRY_WAIT


def waits_half_sent_after_its_worker_died(lane: Lane) -> None:
    assert lane.publish(lane.claim(), Mode.DIES_OPENED) is None
    lane.bury()
    assert lane.status is JobStatus.QUEUED


def waits_for_a_challenge(lane: Lane) -> None:
    with lane.core.begin() as tx:
        account = accounts.get(tx, lane.old.id)
        assert account is not None
        challenges.raise_on(tx, account, "Confirm it's you", lane.core.clock.now())
        change_row(tx, flow.jobs, lane.job, status="captcha")


def is_paused(lane: Lane) -> None:
    connections.pause(lane.core, lane.connection.id)
    with lane.core.begin() as tx:
        change_row(tx, flow.jobs, lane.job, status="paused", wait_reason="hold")


WAITS = [
    queued,
    dispatched,
    waits_for_its_retry,
    waits_half_sent_after_its_worker_died,
    waits_for_a_challenge,
    is_paused,
]


@pytest.mark.parametrize("halt", HALTS)
@pytest.mark.parametrize("wait", WAITS)
def test_a_post_that_waits_is_never_published(
    lane: Lane, wait: Callable[[Lane], None], halt: Callable[[Lane], None]
) -> None:
    wait(lane)
    halt(lane)
    told = job_of(lane.core, lane.job)
    assert told.status is JobStatus.CANCELLED and told.failure is not None
    assert told.failure.code == ("connection_re_aimed" if halt is re_aim else "connection_stopped")
    lane.go_on_for_days()
    assert lane.posted == [] and lane.status is JobStatus.CANCELLED
    assert census.take(lane.core).is_clean


@pytest.mark.parametrize("halt", HALTS)
def test_a_run_that_was_asked_for_before_the_halt_does_nothing(lane: Lane, halt: Callable[[Lane], None]) -> None:
    (launch,) = forwarding.dispatchable(lane.core)
    halt(lane)
    assert not Carrier(lane.core, launch.job_id, launch.dispatch_no, "late-run").claim()
    assert lane.posted == []


@pytest.mark.parametrize("mode", [Mode.FINE, Mode.LOST_AND_DONE, Mode.DIES_DONE])
@pytest.mark.parametrize("halt", HALTS)
def test_a_post_in_its_irreversible_call_is_published_once_and_shown_so(
    lane: Lane, halt: Callable[[Lane], None], mode: Mode
) -> None:
    shop = lane.shops[lane.old.id]
    halted = halts_while_committing(lane, halt)
    answer = lane.publish(lane.claim(), mode)
    assert halted() and len(shop.videos) == 1
    if mode is Mode.DIES_DONE:
        assert answer is None
        lane.bury()
    lane.go_on_for_days()
    told = job_of(lane.core, lane.job)
    assert (told.status, told.destination_post_id) == (JobStatus.SUCCESS, "old-1")
    assert lane.posted == ["old-1"], "once, and nothing at the new destination"
    view = jobs.get(lane.core, lane.job)
    assert view.job.destination_url == "https://shop.example/old-1"


def halts_while_committing(lane: Lane, halt: Callable[[Lane], None]) -> Callable[[], bool]:
    """Have the connection halted at the very moment the call goes out. A new aim is refused then, with the reason."""
    shop, seen = lane.shops[lane.old.id], []
    send = shop.send

    def sending(session: str, draft: Any, media: Any, hooks: Any) -> Published:
        class Halting:
            def sent(self, total: int) -> None:
                hooks.sent(total)

            def committing(self) -> None:
                hooks.committing()
                if not seen:
                    seen.append(True)
                    if halt is re_aim:
                        with pytest.raises(Conflict, match="on its way"):
                            halt(lane)
                    else:
                        halt(lane)

        return send(session, draft, media, Halting())

    shop.send = sending  # type: ignore[method-assign]
    return lambda: bool(seen)


@pytest.mark.parametrize("mode", [Mode.LOST_AND_NOT_DONE, Mode.DIES_COMMITTING])
@pytest.mark.parametrize("halt", [stop, delete])
def test_a_post_that_turns_out_not_to_be_live_is_not_published_for_a_halted_connection(
    lane: Lane, halt: Callable[[Lane], None], mode: Mode
) -> None:
    if lane.publish(lane.claim(), mode) is None:
        lane.bury()
    halt(lane)
    assert lane.status in (JobStatus.RETRY_WAIT, JobStatus.QUEUED), "it may be live: that is found out first"
    lane.go_on_for_days()
    told = job_of(lane.core, lane.job)
    assert told.status is JobStatus.CANCELLED and told.failure is not None
    assert told.failure.code == "connection_stopped" and lane.posted == []


@pytest.mark.parametrize("halt", [stop, delete])
def test_a_job_that_comes_back_to_a_halted_connection_is_cancelled_and_no_later_start_revives_it(
    lane: Lane, halt: Callable[[Lane], None], feed: Feed
) -> None:
    carrier = lane.claim()
    halt(lane)
    assert lane.status is JobStatus.RUNNING, "running jobs end"
    carrier.let_go()
    lane.bury()
    assert forwarding.dispatchable(lane.core) == []
    assert lane.status is JobStatus.CANCELLED
    if halt is stop:
        connections.start(lane.core, lane.connection.id)
    lane.go_on_for_days()
    assert lane.posted == []


def test_a_post_decided_while_the_stop_was_written_is_cancelled(lane: Lane) -> None:
    """The look at the source had read the connection as active."""
    stop(lane)
    late = add_job(lane.core, lane.connection)
    lane.go_on_for_days()
    assert job_of(lane.core, late).status is JobStatus.CANCELLED and lane.posted == []


def test_a_new_aim_is_refused_until_it_is_known_whether_the_post_is_live(lane: Lane) -> None:
    shop = lane.shops[lane.old.id]
    shop.is_mute = True
    for wait_s in (0, 61, 3 * A_DAY_S):
        lane.wait(wait_s)
        lane.publish(lane.claim(), Mode.LOST_AND_DONE)
        with pytest.raises(Conflict):
            re_aim(lane)
    assert lane.status is JobStatus.UNCONFIRMED
    jobs.confirm(
        lane.core, lane.job, jobs.Answer.LIVE, who="admin", remote_id="old-1", url="https://shop.example/old-1"
    )
    re_aim(lane)
    assert lane.posted == ["old-1"]


def test_after_a_new_aim_new_posts_and_a_retry_by_hand_go_to_the_new_destination(lane: Lane) -> None:
    waits_for_its_retry(lane)
    re_aim(lane)
    jobs.retry(lane.core, lane.job, who="admin")
    add_job(lane.core, lane.connection)
    lane.go_on_for_days()
    assert sorted(lane.posted) == ["new-1", "new-2"], "nothing of the old upload is used there"
    assert {job["status"] for job in rows(lane.core, flow.jobs)} == {"success"}


def test_what_was_published_before_a_new_aim_stays_where_it_is(lane: Lane) -> None:
    carrier = lane.claim()
    assert isinstance(lane.publish(carrier), Published)
    re_aim(lane)
    assert errand_of(lane.core, lane.job).destination.id == lane.old.id
    assert connections.get(lane.core, lane.connection.id).destination_account_id == lane.new.id


def test_a_destination_that_cannot_be_one_is_refused_and_nothing_is_cancelled(lane: Lane) -> None:
    library = add_account(lane.core, "library", auth_method="folder")
    for bad in (library.id, lane.connection.source_account_id, 10**9):
        with pytest.raises(Invalid) as refused:
            editing.change_connection(
                lane.core, lane.connection.id, {"destination_account_id": bad, "name": "New"}, who="admin"
            )
        assert [field.field for field in refused.value.fields] == ["destination_account_id"]
    assert lane.status is JobStatus.QUEUED
    assert connections.get(lane.core, lane.connection.id).name == lane.connection.name


def test_a_stopped_connections_job_is_not_retried_by_hand(lane: Lane) -> None:
    stop(lane)
    with pytest.raises(Conflict, match="stopped"):
        jobs.retry(lane.core, lane.job, who="admin")


def test_half_an_upload_of_a_job_that_ended_holds_no_place_another_connection_could_fill(lane: Lane) -> None:
    """Or the post would be lost: the second job would take the first for the one that brings it."""
    lane.publish(lane.claim(), Mode.CUT_BEFORE)
    stop(lane)
    first = job_of(lane.core, lane.job)
    again = add_connection(lane.core, accounts_of(lane)[0], lane.old)
    lane.job = add_job(lane.core, again, first.source_post_id)
    assert isinstance(lane.publish(lane.claim()), Published)
    assert len(lane.posted) == 1
    assert [row["state"] for row in rows(lane.core, flow.publications)] == ["abandoned", "published"]


def accounts_of(lane: Lane) -> tuple[Any, Any]:
    with lane.core.begin() as tx:
        return accounts.get(tx, lane.connection.source_account_id), accounts.get(tx, lane.old.id)


def test_a_deleted_connections_posts_are_decided_by_the_one_that_takes_its_place(core: Core, feed: Feed) -> None:
    lane = Lane(core)
    with core.begin() as tx:
        accounts.watch(tx, lane.connection.source_account_id, core.clock.now())
        tx.execute(update(flow.connections).values(started_at=later(core, -60)))
    delete(lane)
    source, destination = accounts_of(lane)
    after = add_connection(core, source, destination, status=ConnectionStatus.ACTIVE, started_at=later(core, -60))
    feed.posts = [seen_post(later(core, -n)) for n in (5, 300)]
    add_post(core, source.id)
    detection.poll_now(core, source.id)
    assert census.take(core).undecided_posts == 0
    decided = rows(core, flow.decisions, connection_id=after.id)
    assert len(decided) == len(rows(core, flow.source_posts))
