"""A post nobody knows the fate of: by default a person is asked, and a policy may have the destination asked again."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Published
from forwarder_core.db.tables import flow, people, system
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.errors import Conflict, Invalid, StepFailed
from forwarder_core.services import confirming, connections, forwarding
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, add_publication, change_row, job_of, rows
from tests.integration.services.far_ends import Mode, Shop
from tests.integration.services.test_publishing_service import SETTLE_S, attempt, publication

pytestmark = pytest.mark.slow
AGAIN_S = 3_600.0


def asked_about(core: Core, clock: ManualClock, shop: Shop, mode: Mode, **connection: Any) -> int:
    """A job whose answer was lost at a destination that would not say: unconfirmed."""
    job = add_job(core, add_connection(core, **connection))
    shop.is_mute = True
    attempt(core, job, shop, mode)
    for wait in (61, 3 * SETTLE_S + 61):
        clock.move(wait)
        attempt(core, job, shop)
    assert job_of(core, job).status is JobStatus.UNCONFIRMED
    return job


def audited(core: Core) -> list[tuple[str, str]]:
    return [(row["who"], row["what"]) for row in rows(core, people.audit_log)]


def test_by_default_nothing_is_done_before_a_person_has_answered(core: Core, clock: ManualClock) -> None:
    shop = Shop()
    job = asked_about(core, clock, shop, Mode.LOST_AND_NOT_DONE)
    shop.is_mute = False
    clock.move(30 * 86_400)
    assert forwarding.dispatchable(core) == [] and job_of(core, job).status is JobStatus.UNCONFIRMED


def test_a_policy_has_it_published_again_once_the_destination_proves_it_absent(core: Core, clock: ManualClock) -> None:
    shop = Shop()
    policy = {"publish_again_after_s": AGAIN_S}
    job = asked_about(core, clock, shop, Mode.LOST_AND_NOT_DONE, on_ambiguous=policy)
    shop.is_mute = False
    shop.sessions.clear()
    clock.move(AGAIN_S - 1)
    assert forwarding.dispatchable(core) == [], "not before its time"
    clock.move(1)
    first = attempt(core, job, shop)
    assert isinstance(first, StepFailed) and first.code == "outcome_unknown", "one clean reading proves nothing"
    assert shop.videos == []
    clock.move(61)
    assert isinstance(attempt(core, job, shop), Published)
    assert len(shop.videos) == 1
    assert [row["state"] for row in rows(core, flow.publications)] == ["abandoned", "published"]
    assert audited(core) == [
        ("policy on_ambiguous", "destination_asked_again"),
        ("policy on_ambiguous", "published_again_by_policy"),
    ]


def test_a_policy_never_publishes_what_is_live(core: Core, clock: ManualClock) -> None:
    shop = Shop()
    job = asked_about(core, clock, shop, Mode.LOST_AND_DONE, on_ambiguous={"publish_again_after_s": AGAIN_S})
    shop.is_mute = False
    clock.move(AGAIN_S)
    assert attempt(core, job, shop) == Published("video-1", "https://shop.example/video-1")
    assert len(shop.videos) == 1 and publication(core, job)["state"] == "published"


def test_a_destination_that_still_will_not_say_is_asked_again_later_and_the_person_once(
    core: Core, clock: ManualClock
) -> None:
    shop = Shop()
    job = asked_about(core, clock, shop, Mode.LOST_AND_DONE, on_ambiguous={"publish_again_after_s": AGAIN_S})
    for _ in range(3):
        clock.move(AGAIN_S)
        again = attempt(core, job, shop)
        assert isinstance(again, StepFailed) and again.code == "unconfirmed"
        assert forwarding.dispatchable(core) == []
    kinds = [row["kind"] for row in rows(core, system.outbox)]
    assert kinds.count("job_unconfirmed") == 1 and len(shop.videos) == 1
    confirming.it_is_live(core, job, who="admin")
    assert job_of(core, job).status is JobStatus.SUCCESS


def test_a_paused_connection_asks_nobody(core: Core, clock: ManualClock) -> None:
    shop = Shop()
    job = asked_about(core, clock, shop, Mode.LOST_AND_DONE, on_ambiguous={"publish_again_after_s": AGAIN_S})
    connections.pause(core, job_of(core, job).connection_id)
    clock.move(AGAIN_S)
    forwarding.dispatchable(core)
    assert job_of(core, job).status is JobStatus.UNCONFIRMED, "and the person can still answer"


@pytest.mark.parametrize(
    "value",
    ["assume_live", {"assume_live": True}, {"publish_again_after_s": 0}, {"publish_again_after_s": True}, 3, None, []],
)
def test_no_other_policy_is_taken(value: Any) -> None:
    with pytest.raises(Invalid) as e:
        connections.check_rules({"on_ambiguous": value})
    assert [f.field for f in e.value.fields] == ["on_ambiguous"]


def test_an_id_that_is_another_jobs_result_is_refused_with_what_to_do(core: Core) -> None:
    destination = add_account(core, "youtube")
    first, second = (add_job(core, add_connection(core, destination=destination)) for _ in range(2))
    for job in (first, second):
        add_publication(core, job, state="unconfirmed")
        with core.begin() as tx:
            change_row(tx, flow.jobs, job, status="unconfirmed")
    confirming.it_is_live(core, first, who="admin", remote_id="video-1")
    with pytest.raises(Conflict) as e:
        confirming.it_is_live(core, second, who="admin", remote_id="video-1")
    assert "video-1" in e.value.message and "id" in e.value.action
    assert job_of(core, second).status is JobStatus.UNCONFIRMED
