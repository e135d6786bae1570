"""Publishing: one root post exists at one destination once, whatever dies, is lost or forgotten on the way."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Published
from forwarder_core.db import posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus, Step, WaitReason
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import Fenced, StepFailed
from forwarder_core.services import confirming, forwarding, publishing, recovery
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, add_post, change_row, dispatch, job_of, rows
from tests.integration.services.far_ends import MEDIA, Death, Mode, NoRuns, Shop

pytestmark = pytest.mark.slow
SETTLE_S = 600.0
NOBODY = {**forwarding.this_worker(), "pid": 2**22 + 1, "born": 0.0}


def attempt(core: Core, job: int, shop: Shop, mode: Mode = Mode.FINE) -> Published | StepFailed | Fenced | None:
    """One run of the publish step; what it published, how it failed, or None where the worker died."""
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    shop.mode = mode
    try:
        with carrier.step(Step.PUBLISH) as report:
            return publishing.publish(carrier, report, carrier.errand(), MEDIA, shop)
    except (StepFailed, Fenced) as e:
        return e
    except Death:
        return None
    finally:
        carrier.let_go()


def bury(core: Core, clock: ManualClock, job: int) -> None:
    """The worker is dead, and found to be."""
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, worker=NOBODY)
    clock.move(publishing.IRREVERSIBLE_S + 1)
    assert [found.id for found in recovery.reap(core, NoRuns())] == [job]


def publication(core: Core, job: int) -> dict[str, Any]:
    return dict(rows(core, flow.publications, job_id=job)[-1])


@pytest.fixture
def job(core: Core) -> int:
    return add_job(core, add_connection(core))


def test_a_published_post_is_written_down_in_all_its_places_at_once(core: Core, job: int) -> None:
    shop = Shop()
    done = attempt(core, job, shop)
    assert done == Published("video-1", "https://shop.example/video-1")
    row = publication(core, job)
    assert (row["state"], row["remote_id"], row["session_ref"], row["bytes_sent"]) == (
        "published",
        "video-1",
        None,
        MEDIA.size_bytes,
    )
    assert [(marker, id_) for marker, id_ in shop.videos] == [(row["marker"], "video-1")]
    assert job_of(core, job).destination_url == "https://shop.example/video-1"
    with core.begin() as tx:
        assert posts.roots_of(tx, "youtube", ["video-1"]) == {"video-1": row["root_post_id"]}


@pytest.mark.parametrize("mode", [Mode.LOST_AND_DONE, Mode.DIES_DONE])
def test_a_post_that_went_live_unheard_is_found_and_adopted(
    core: Core, clock: ManualClock, job: int, mode: Mode
) -> None:
    shop = Shop()
    first = attempt(core, job, shop, mode)
    if first is None:
        bury(core, clock, job)
    else:
        assert isinstance(first, StepFailed) and first.code == "outcome_unknown"
        waiting = job_of(core, job)
        assert (waiting.wait_reason, waiting.retries_used) == (WaitReason.SETTLING, 0)
    assert publication(core, job)["state"] == PublicationState.COMMITTING
    clock.move(120)
    assert attempt(core, job, shop) == Published("video-1", "https://shop.example/video-1")
    assert len(shop.videos) == 1 and shop.opened == 1


@pytest.mark.parametrize("mode", [Mode.LOST_AND_NOT_DONE, Mode.DIES_COMMITTING, Mode.DIES_OPENED, Mode.CUT_BEFORE])
def test_a_post_that_did_not_go_live_goes_on_in_its_session(
    core: Core, clock: ManualClock, job: int, mode: Mode
) -> None:
    shop = Shop()
    if attempt(core, job, shop, mode) is None:
        bury(core, clock, job)
    clock.move(120)
    assert isinstance(attempt(core, job, shop), Published)
    assert len(shop.videos) == 1 and shop.opened == 1, "no second session, no second post"


def test_a_session_that_is_gone_before_anything_irreversible_is_replaced(
    core: Core, clock: ManualClock, job: int
) -> None:
    shop = Shop()
    gone = attempt(core, job, shop, Mode.SESSION_GONE)
    assert isinstance(gone, StepFailed) and gone.code == "session_gone"
    clock.move(120)
    assert isinstance(attempt(core, job, shop), Published)
    assert [row["state"] for row in rows(core, flow.publications)] == ["abandoned", "published"]


def test_nothing_found_is_believed_only_after_the_settle_time_and_a_second_look(
    core: Core, clock: ManualClock, job: int
) -> None:
    shop = Shop()
    attempt(core, job, shop, Mode.LOST_AND_NOT_DONE)
    shop.sessions.clear()
    looks = []
    for wait in (61, 61, SETTLE_S, 61):
        clock.move(wait)
        looks.append(attempt(core, job, shop))
    assert [isinstance(look, StepFailed) for look in looks] == [True, True, True, False]
    assert len(shop.videos) == 1 and shop.opened == 2
    assert [row["state"] for row in rows(core, flow.publications)] == ["abandoned", "published"]


def test_a_post_listed_late_is_not_published_again(core: Core, clock: ManualClock, job: int) -> None:
    shop = Shop()
    attempt(core, job, shop, Mode.LOST_AND_DONE)
    shop.sessions.clear()
    hidden, shop.videos = shop.videos, []
    clock.move(61)
    attempt(core, job, shop)
    shop.videos = hidden
    clock.move(SETTLE_S)
    assert isinstance(attempt(core, job, shop), Published)
    assert len(shop.videos) == 1


def test_a_destination_that_will_not_say_becomes_a_question_for_a_person(
    core: Core, clock: ManualClock, job: int
) -> None:
    shop = Shop(is_mute=True)
    attempt(core, job, shop, Mode.LOST_AND_DONE)
    clock.move(61)
    attempt(core, job, shop)
    clock.move(3 * SETTLE_S + 61)
    asked = attempt(core, job, shop)
    assert isinstance(asked, StepFailed) and asked.code == "unconfirmed"
    assert job_of(core, job).status is JobStatus.UNCONFIRMED
    assert publication(core, job)["state"] == PublicationState.UNCONFIRMED
    assert len(shop.videos) == 1


@pytest.mark.parametrize("is_live", [True, False])
def test_the_persons_answer_ends_the_question(core: Core, clock: ManualClock, job: int, is_live: bool) -> None:
    shop = Shop(is_mute=True)
    attempt(core, job, shop, Mode.LOST_AND_DONE if is_live else Mode.LOST_AND_NOT_DONE)
    for wait in (61, 3 * SETTLE_S + 61):
        clock.move(wait)
        attempt(core, job, shop)
    if is_live:
        confirming.it_is_live(core, job, who="admin", remote_id="video-1", url="https://shop.example/video-1")
        assert job_of(core, job).status is JobStatus.SUCCESS
        assert forwarding.dispatchable(core) == []
    else:
        confirming.publish_again(core, job, who="admin")
        assert isinstance(attempt(core, job, shop), Published)
    assert len(shop.videos) == 1


def test_a_refusal_is_final_and_gives_the_place_free(core: Core, job: int) -> None:
    shop = Shop()
    refused = attempt(core, job, shop, Mode.REFUSED)
    assert isinstance(refused, StepFailed) and refused.code == "media_rejected"
    assert job_of(core, job).status is JobStatus.DEAD
    row = publication(core, job)
    assert (row["state"], row["session_ref"]) == (PublicationState.FAILED, None)


def two_of_one_post(core: Core) -> tuple[int, int]:
    source, destination = add_account(core), add_account(core, "youtube")
    post = add_post(core, source.id)
    first, second = (add_job(core, add_connection(core, source, destination), post) for _ in range(2))
    return first, second


def test_a_second_connection_does_not_bring_the_post_again(core: Core) -> None:
    first, second = two_of_one_post(core)
    shop = Shop()
    assert isinstance(attempt(core, first, shop), Published)
    carried = rows(core, flow.jobs, id=first)[0]
    with core.begin() as tx:
        change_row(tx, flow.jobs, first, status="success", lease_until=None)
    again = attempt(core, second, shop)
    assert isinstance(again, StepFailed) and again.code == "duplicate" and carried["destination_post_id"] == "video-1"
    after = job_of(core, second)
    assert after.status is JobStatus.CANCELLED and after.failure is not None and after.failure.code == "duplicate"
    assert len(shop.videos) == 1


def test_a_worker_that_lost_its_job_never_makes_the_irreversible_call(core: Core, clock: ManualClock, job: int) -> None:
    class Sleepy(Shop):
        """Its upload takes so long that the worker is given up meanwhile."""

        def open(self, *said: Any) -> str:
            session = super().open(*said)
            bury(core, clock, job)
            return session

    shop = Sleepy()
    assert isinstance(attempt(core, job, shop), Fenced)
    assert shop.videos == []
    assert job_of(core, job).status is JobStatus.QUEUED


def test_the_reference_to_a_session_is_stored_sealed(core: Core, job: int) -> None:
    attempt(core, job, Shop(), Mode.CUT_BEFORE)
    sealed = publication(core, job)["session_ref"]
    assert b"session-1" not in sealed
    assert core.vault.unseal(sealed) == {"session": "session-1"}


def test_the_words_are_those_of_the_destination(core: Core, job: int) -> None:
    said: list[Any] = []

    class Listening(Shop):
        def open(self, draft: Any, media: Any) -> str:
            said.append(draft)
            return super().open(draft, media)

    attempt(core, job, Listening())
    (draft,) = said
    assert (draft.title, draft.caption, draft.tags, draft.privacy) == (
        "Sunset",
        "Sunset #travel",
        ("travel",),
        "public",
    )
    assert draft.marker == publication(core, job)["marker"]
