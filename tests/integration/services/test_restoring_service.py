"""The restore drill: an old backup comes back while the platforms hold newer posts. Nothing twice, nothing lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import accounts, posts, upkeep
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import StepFailed
from forwarder_core.services import detection, forwarding, publishing, restoring
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, job_of, rows, seen_post
from tests.integration.services.far_ends import MEDIA, Feed, Mode, Shop
from tests.integration.services.test_publishing_service import attempt

pytestmark = pytest.mark.slow
AWAY = timedelta(hours=3)  # between the backup and its restore


def carried(core: Core, clock: ManualClock, job: int, shop: Shop, *, tries: int = 8) -> JobStatus:
    """Carry the publish step until the job's post is there, or a person is asked."""
    for _ in range(tries):
        clock.move(publishing.IRREVERSIBLE_S)
        launch = next((d for d in forwarding.dispatchable(core) if d.job_id == job), None)
        if launch is None:
            break
        carrier = Carrier(core, job, launch.dispatch_no, "run")
        assert carrier.claim()
        with suppress(StepFailed):
            with carrier.step(Step.PUBLISH) as report:
                publishing.publish(carrier, report, carrier.errand(), MEDIA, shop)
            forwarding.succeed(core, carrier.lease)
        carrier.let_go()
    return job_of(core, job).status


def live_at(core: Core, job: int, shop: Shop) -> None:
    """What the former installation published after the backup: only the destination knows it."""
    with core.begin() as tx:
        row = rows(core, flow.jobs, id=job)[0]
        marker = restoring.marker_of(tx, dest_of(core, row), restoring.root_of(tx, row["root_post_id"]))
    shop.videos.append((marker, f"video-{len(shop.videos) + 1}"))


def dest_of(core: Core, job: Any) -> int:
    return int(rows(core, flow.connections, id=job["connection_id"])[0]["destination_account_id"])


def test_what_went_out_after_the_backup_is_found_and_what_did_not_is_published_once(
    core: Core, clock: ManualClock
) -> None:
    connection, shop, taken_at = add_connection(core), Shop(), clock.now()
    gone_out, not_yet = add_job(core, connection), add_job(core, connection)
    live_at(core, gone_out, shop)
    clock.move(AWAY.total_seconds())
    restoring.mark(core, taken_at, {})
    for job in (gone_out, not_yet):
        carried(core, clock, job, shop)
    assert len(shop.videos) == 2, "one of them was there, one was published"
    assert job_of(core, gone_out).destination_post_id == "video-1"
    found = restoring.report(core)
    assert found is not None
    fates = {name: [one.job_id for one in those] for name, those in found[1].items() if those}
    assert fates == {"was_there": [gone_out], "was_not_there": [not_yet]}


@pytest.mark.parametrize("before", [Mode.CUT_BEFORE, Mode.DIES_OPENED])
def test_an_upload_under_way_at_the_backup_is_looked_for_before_it_goes_on(
    core: Core, clock: ManualClock, before: Mode
) -> None:
    job, shop, taken_at = add_job(core, add_connection(core)), Shop(), clock.now()
    attempt(core, job, shop, before)
    live_at(core, job, shop)
    shop.sessions.clear()  # what it says of the session is the listing's word now
    clock.move(AWAY.total_seconds())
    restoring.mark(core, taken_at, {})
    assert rows(core, flow.publications)[-1]["state"] == PublicationState.COMMITTING
    assert job_of(core, job).status is not JobStatus.RUNNING, "its worker is no more"
    carried(core, clock, job, shop)
    assert len(shop.videos) == 1 and job_of(core, job).destination_post_id == "video-1"


def test_a_post_from_after_the_restore_is_published_at_once(core: Core, clock: ManualClock) -> None:
    connection, shop = add_connection(core), Shop()
    restoring.mark(core, clock.now() - AWAY, {})
    clock.move(timedelta(minutes=11).total_seconds())
    job = add_job(core, connection)
    attempt(core, job, shop)
    assert rows(core, flow.publications)[-1]["state"] == PublicationState.PUBLISHED and len(shop.videos) == 1


def test_a_destination_that_will_not_say_has_a_person_asked(core: Core, clock: ManualClock) -> None:
    job, shop = add_job(core, add_connection(core)), Shop(is_mute=True)
    restoring.mark(core, clock.now() - AWAY, {})
    clock.move(timedelta(hours=1).total_seconds())
    carried(core, clock, job, shop)
    assert rows(core, flow.publications)[-1]["state"] == PublicationState.UNCONFIRMED and not shop.videos


def test_a_post_that_belongs_to_another_is_not_adopted(core: Core, clock: ManualClock) -> None:
    connection, shop = add_connection(core), Shop()
    first, second = add_job(core, connection), add_job(core, connection)
    carried(core, clock, first, shop)
    live_at(core, second, shop)
    shop.videos[-1] = (shop.videos[-1][0], "video-1")
    restoring.mark(core, clock.now() - AWAY, {})
    carried(core, clock, second, shop, tries=1)
    assert rows(core, flow.publications, job_id=second)[-1]["state"] == PublicationState.COMMITTING


def test_our_own_post_on_an_account_that_is_also_a_source_waits_until_it_is_known(
    core: Core, clock: ManualClock, feed: Feed
) -> None:
    """A circle of accounts: what was published on `there` after the backup looks like a new post of its owner."""
    here, there, onward = add_account(core), add_account(core), add_account(core, "youtube")
    began, taken_at = clock.now() - AWAY, clock.now()
    into = add_connection(core, here, there, started_at=began)
    out = add_connection(core, there, onward, started_at=began)
    clock.move(AWAY.total_seconds())
    feed.posts = [seen_post(taken_at + timedelta(hours=1), "ours")]
    restoring.mark(core, taken_at, {})
    with core.begin() as tx:
        for account in (here, there):
            accounts.watch(tx, account.id, clock.now())
    detection.poll_now(core, there.id)
    held = rows(core, flow.decisions, connection_id=out.id)[0]
    assert (held["verdict"], held["rule"]) == ("held", restoring.HELD_RULE)
    feed.posts = [seen_post(taken_at + timedelta(minutes=50), "original")]
    detection.poll_now(core, here.id)
    job = rows(core, flow.jobs, connection_id=into.id)[0]["id"]
    shop = Shop()
    live_at(core, job, shop)
    shop.videos[-1] = (shop.videos[-1][0], "ours")
    carried(core, clock, job, shop)
    with core.begin() as tx:
        assert set(posts.roots_of(tx, "instagram", ["ours"])) == {"ours"}
    feed.posts = [seen_post(taken_at + timedelta(hours=1), "ours")]
    detection.poll_now(core, there.id)
    assert rows(core, flow.decisions, connection_id=out.id)[0]["verdict"] == "duplicate"
    assert not rows(core, flow.jobs, connection_id=out.id)


def test_the_key_of_marks_is_made_once(core: Core) -> None:
    with core.begin() as tx:
        assert upkeep.marker_key(tx) == upkeep.marker_key(tx)
