"""From Instagram to YouTube with the real client libraries, the real ffmpeg and the real steps: only the ends are fake.

The judge is the simulator's own list of what was uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import Destination, MediaFile, Published
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.errors import StepFailed
from forwarder_core.services import exits, publishing, recovery, steps, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator
from tests.factories import (
    add_connection,
    add_job,
    add_post,
    change_row,
    dispatch,
    job_of,
    rows,
    simulated_account,
)
from tests.integration.services.far_ends import Death, NoRuns

pytestmark = pytest.mark.slow
UPLOAD = {"platform": "youtube", "route": "/upload/youtube/v3/videos"}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> MediaFile:
    path = clips.make(clips.Clip(seed=7, seconds=1, width=144, height=256), tmp_path_factory.mktemp("clip") / "c.mp4")
    size = path.stat().st_size
    return MediaFile(path=path, size_bytes=size, sha256="7" * 64, duration_ms=1_000, width=144, height=256)


class Road:
    """A channel, a connection to it, and one job; `publish` is one run of the publish step."""

    def __init__(self, core: Core, simulator: Simulator, media: MediaFile) -> None:
        self.core, self._simulator, self._media = core, simulator, media
        self.channel, self._id = simulated_account(core, simulator, "youtube")
        self.job = add_job(core, add_connection(core, destination=self.channel))

    def publish(self, spoil: Callable[[Destination], None] = lambda to: None) -> Published | StepFailed | None:
        carrier = Carrier(self.core, self.job, dispatch(self.core, self.job).dispatch_no, "run")
        assert carrier.claim()
        to = exits.destination(self.core, self.channel, self.core.settings.default_exit)
        spoil(to)
        try:
            with carrier.step(Step.PUBLISH) as report:
                return publishing.publish(carrier, report, carrier.errand(), self._media, to)
        except StepFailed as e:
            return e
        except Death:
            return None
        finally:
            carrier.let_go()

    def wait(self, seconds: float) -> None:
        assert isinstance(self.core.clock, ManualClock)
        self.core.clock.move(seconds)

    @property
    def uploads(self) -> list[dict[str, Any]]:
        return self._simulator.publications("youtube", self._id)

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in rows(self.core, flow.publications, job_id=self.job)]


@pytest.fixture
def road(real_core: Core, simulator: Simulator, media: MediaFile) -> Iterator[Road]:
    yield Road(real_core, simulator, media)
    simulator.disarm()


def test_a_reel_crosses(real_core: Core, simulator: Simulator) -> None:
    core = real_core
    tunables.change(core, {"verify.poll_s": 0.05})
    source, person = simulated_account(core, simulator, "instagram")
    channel, channel_id = simulated_account(core, simulator, "youtube")
    reel = simulator.add_post("instagram", person, "Sunset #travel", seconds=3, width=144, height=256)
    job = add_job(core, add_connection(core, source, channel), add_post(core, source.id, reel["id"]))
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    for step in (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication):
        done = step(carrier)
        assert done.job_id == job and done.facts["attempt"] == 1
    carrier.let_go()
    after = job_of(core, job)
    (upload,) = simulator.publications("youtube", channel_id)
    assert (after.status, after.destination_post_id) == (JobStatus.SUCCESS, upload["id"])
    assert (upload["title"], upload["privacy"], upload["verdict"]) == ("Sunset", "public", [])
    assert done.links["published_post"] == after.destination_url
    assert rows(core, flow.publications)[0]["state"] == "verified"


def test_an_upload_whose_answer_is_lost_is_found_by_the_next_attempt(road: Road, simulator: Simulator) -> None:
    simulator.arm("answer_lost", match=UPLOAD)
    first = road.publish()
    assert isinstance(first, StepFailed) and first.code == "outcome_unknown"
    assert len(road.uploads) == 1 and road.states == ["committing"]
    road.wait(120)
    second = road.publish()
    assert isinstance(second, Published) and [upload["id"] for upload in road.uploads] == [second.remote_id]
    assert road.states == ["published"]


def test_a_job_killed_between_opening_and_sending_goes_on_in_its_session(road: Road) -> None:
    def die(to: Destination) -> None:
        def send(*said: Any) -> Published:
            raise Death

        to.send = send  # type: ignore[method-assign]

    assert road.publish(die) is None
    assert road.states == ["opened"] and road.uploads == []
    with road.core.begin() as tx:
        change_row(tx, flow.jobs, road.job, worker={})
    road.wait(120)
    assert len(recovery.reap(road.core, NoRuns())) == 1
    assert isinstance(road.publish(), Published)
    assert road.states == ["published"] and len(road.uploads) == 1


def test_a_session_that_youtube_forgot_is_replaced_by_a_new_one(road: Road, simulator: Simulator) -> None:
    def forget(to: Destination) -> None:
        opened = to.open

        def then_forget(*said: Any) -> str:
            session = opened(*said)
            simulator.arm("http_403", match=UPLOAD, status=404, reason="notFound")
            return session

        to.open = then_forget  # type: ignore[method-assign]

    gone = road.publish(forget)
    assert isinstance(gone, StepFailed) and gone.code == "session_gone"
    road.wait(120)
    assert isinstance(road.publish(), Published)
    assert road.states == ["abandoned", "published"] and len(road.uploads) == 1


def test_a_used_up_quota_waits_for_its_reset_and_burns_no_retry(road: Road, simulator: Simulator) -> None:
    simulator.arm("quota", match={"platform": "youtube"})
    refused = road.publish()
    assert isinstance(refused, StepFailed) and refused.code == "quota_exhausted"
    waiting = job_of(road.core, road.job)
    assert (waiting.status, waiting.retries_used) == (JobStatus.RETRY_WAIT, 0)
    road.wait(25 * 3_600)
    assert isinstance(road.publish(), Published)


def test_the_file_that_was_sent_is_the_file_that_arrived(road: Road, media: MediaFile) -> None:
    assert isinstance(road.publish(), Published)
    (upload,) = road.uploads
    assert (upload["bytes"], Path(media.path).stat().st_size) == (media.size_bytes, media.size_bytes)
    assert [tag for tag in upload["tags"] if tag.startswith("fw-")], "the hidden marker we find it by"
