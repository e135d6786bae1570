"""A post that has two names: one for the road it was published by, another for whoever looks at it by another road.

What both roads agree on is its address; it is entered in the ledger beside the id, as soon as it is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Draft, MediaFile, Published, SendHooks, Visibility
from forwarder_core.db import posts, publications
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import Step
from forwarder_core.domain.posts import SeenPost
from forwarder_core.services import publishing, verifying
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, dispatch, job_of, rows, seen_post
from tests.integration.services.far_ends import MEDIA, Shop

pytestmark = pytest.mark.slow
ADDRESS = "https://www.instagram.com/reel/Df9a8enAAAA/"
PROFILE = "https://www.instagram.com/harbour/reels/"


@dataclass
class Graph(Shop):
    """Tells an id when it has taken a post, and the post's own address only when it is looked at."""

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        return Published(super().send(session, draft, media, hooks).remote_id, PROFILE, names_post=False)

    def verify(self, remote_id: str) -> Visibility:
        return Visibility(is_live=True, is_final=True, privacy="public", duration_ms=None, detail="there", url=ADDRESS)


def carried(core: Core, job: int, shop: Shop, *, with_look: bool) -> None:
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    with carrier.step(Step.PUBLISH) as report:
        done = publishing.publish(carrier, report, carrier.errand(), MEDIA, shop)
    if with_look:
        with carrier.step(Step.VERIFY) as report:
            verifying.verify(carrier, report, done, shop)
    carrier.let_go()


@pytest.fixture
def job(core: Core) -> int:
    return add_job(core, add_connection(core, add_account(core, "youtube"), add_account(core, "instagram")))


def seen_by_the_other_road(clock: ManualClock) -> SeenPost:
    return seen_post(clock.now(), "3459876543210987654", url=ADDRESS)


def test_until_its_address_is_known_new_posts_there_are_held(core: Core, clock: ManualClock, job: int) -> None:
    carried(core, job, Graph(), with_look=False)
    destination = rows(core, flow.publications)[0]["destination_account_id"]
    with core.begin() as tx:
        assert posts.roots_of_posts(tx, "instagram", [seen_by_the_other_road(clock)]) == {}
        assert posts.roots_of(tx, "instagram", [PROFILE]) == {}, "a page of many posts is no name of one"
        assert publications.has_open_at(tx, destination, clock.now())
    clock.move(16 * 60)
    with core.begin() as tx:
        assert not publications.has_open_at(tx, destination, clock.now()), "but not for ever"


def test_once_looked_at_it_is_known_by_its_address_and_shown_there(core: Core, clock: ManualClock, job: int) -> None:
    carried(core, job, Graph(), with_look=True)
    row = rows(core, flow.publications)[0]
    assert (row["state"], row["remote_url"], job_of(core, job).destination_url) == ("verified", ADDRESS, ADDRESS)
    other = seen_by_the_other_road(clock)
    with core.begin() as tx:
        assert posts.roots_of_posts(tx, "instagram", [other]) == {other.platform_post_id: row["root_post_id"]}
        assert posts.roots_of(tx, "instagram", [row["remote_id"]]) == {row["remote_id"]: row["root_post_id"]}
        assert not publications.has_open_at(tx, row["destination_account_id"], clock.now())


def test_an_address_told_at_once_is_a_name_at_once(core: Core, clock: ManualClock, job: int) -> None:
    carried(core, job, Shop(), with_look=False)
    row = rows(core, flow.publications)[0]
    other = seen_post(clock.now(), "another-id", url=row["remote_url"])
    with core.begin() as tx:
        assert posts.roots_of_posts(tx, "instagram", [other]) == {"another-id": row["root_post_id"]}
        assert not publications.has_open_at(tx, row["destination_account_id"], clock.now())
