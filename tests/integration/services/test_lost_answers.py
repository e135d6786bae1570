"""The answer to the irreversible call is lost, thirty times over: thirty posts, and never a second upload begun.

Real client libraries; the judge is what the simulated destinations hold and what they were asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from forwarder_core.connectors.base import MediaFile
from forwarder_core.db.tables import system
from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.services import census, limits, tunables
from forwarder_core.services.context import Core
from forwarder_core.simulator.soak_time import SharedTime
from forwarder_core.simulator.testing import Simulator
from tests.factories import rows
from tests.integration.services.crossings import Crossing, make_media, shared_time, without_rests

pytestmark = pytest.mark.slow
ROADS = ["youtube", "private", "graph_api"]
TIMES = 30
SETTLES_S = {"youtube": 600.0, "instagram": 300.0}
Cross = Callable[[str], Crossing]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> MediaFile:
    return make_media(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def time(real_core: Core, simulator: Simulator) -> Iterator[SharedTime]:
    with shared_time(real_core, simulator) as time:
        yield time


@pytest.fixture
def cross(
    real_core: Core, simulator: Simulator, time: SharedTime, media: MediaFile, monkeypatch: pytest.MonkeyPatch
) -> Cross:
    without_rests(monkeypatch)
    tunables.change(real_core, {"dispatch.max_running": 100})
    limits.change(real_core, "instagram", {"posts_per_day": 100}, who="test")
    return lambda road: Crossing(real_core, simulator, time, media, road)


def waits(crossing: Crossing) -> Counter[tuple[str, str | None]]:
    return Counter((job.status, job.wait_reason) for job in crossing.rows())


@pytest.mark.parametrize("road", ROADS)
def test_thirty_lost_answers_make_thirty_posts_and_no_second_upload(cross: Cross, road: str) -> None:
    crossing = cross(road)
    crossing.add_jobs(TIMES)
    crossing.arm("answer_lost", count=TIMES)
    assert crossing.run_all() == ["outcome_unknown"] * TIMES
    assert (len(crossing.uploads), crossing.opened) == (TIMES, TIMES), "each went live, and nobody was told"
    assert waits(crossing) == {(JobStatus.RETRY_WAIT, WaitReason.SETTLING): TIMES}
    crossing.time.move(61)
    assert crossing.run_all() == ["published"] * TIMES
    crossing.assert_each_is_there_once_and_shown_so()
    assert crossing.opened == TIMES
    assert {job.retries_used for job in crossing.rows()} == {0}
    assert census.take(crossing.core).is_clean


@pytest.mark.parametrize(("road", "times"), [("youtube", TIMES), ("private", 10), ("graph_api", 10)])
def test_with_the_session_forgotten_and_the_listing_lagging_it_is_each_one_still_only_later(
    cross: Cross, road: str, times: int
) -> None:
    crossing = cross(road)
    settle_s = SETTLES_S[crossing.account.platform]
    crossing.add_jobs(times)
    crossing.arm("answer_lost", count=times)
    crossing.arm("listing_lag", count=times, seconds=0.9 * settle_s)
    assert crossing.run_all() == ["outcome_unknown"] * times
    forget_the_session(crossing)
    looked = 0
    for _ in range(2):
        crossing.time.move(0.4 * settle_s)
        assert crossing.run_all() == ["outcome_unknown"] * times, "nothing is listed, and that proves nothing yet"
        assert waits(crossing) == {(JobStatus.RETRY_WAIT, WaitReason.SETTLING): times}
        looked += 1
    crossing.time.move(0.4 * settle_s)
    assert crossing.run_all() == ["published"] * times
    crossing.assert_each_is_there_once_and_shown_so()
    assert crossing.opened == times and looked == 2
    assert {job.retries_used for job in crossing.rows()} == {0}
    assert census.take(crossing.core).is_clean


def forget_the_session(crossing: Crossing) -> None:
    """Whatever could say more than the listing answers that it knows nothing of the upload."""
    if crossing.road == "youtube":
        crossing.arm("http_403", count=None, route="/upload/youtube/v3/videos", status=404, reason="notFound")


@pytest.mark.parametrize("road", ROADS)
def test_a_destination_that_never_says_leaves_a_question_and_one_post_each(cross: Cross, road: str) -> None:
    """Not a single one is sent again while the listing cannot be read, however long that takes."""
    crossing = cross(road)
    settle_s = SETTLES_S[crossing.account.platform]
    crossing.add_jobs(3)
    crossing.arm("answer_lost", count=3)
    crossing.run_all()
    opened = crossing.opened
    crossing.arm("http_5xx", count=None)
    for _ in range(12):
        crossing.time.move(settle_s)
        crossing.run_all()
    assert waits(crossing) == {(JobStatus.UNCONFIRMED, None): 3}
    assert (len(crossing.uploads), crossing.opened) == (3, opened)
    asked = [row["kind"] for row in rows(crossing.core, system.outbox)]
    assert asked == ["job_unconfirmed"] * 3, "a person is asked once for each"
