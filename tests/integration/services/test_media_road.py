"""What a connection wants done to a video, through a whole job: fetched, laid out, asked about, stopped, published."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from forwarder_core.connectors.base import FetchedFile, MediaFile
from forwarder_core.connectors.base import Page as Posts
from forwarder_core.db import publications
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import JobStatus, Step, WaitReason
from forwarder_core.errors import AwaitingAnswer, Fenced
from forwarder_core.media.probe import probe
from forwarder_core.media.store import MediaStore
from forwarder_core.services import approving, fetching, jobs, steps, transforming, tunables, viewing
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.factories import core_on
from tests.integration.services.crossings import without_rests
from tests.unit.media.samples import make_clip, run_ffmpeg

pytestmark = pytest.mark.slow
PIP = {"template": "picture_in_picture", "background_image": "/templates/bg_gradient.png", "size": 50}


@dataclass
class Shelf:
    """A source that serves these files, one after the other, the last one for ever."""

    files: list[Path]
    served: list[str] = field(default_factory=list)

    def list_posts(self, page: str | None = None) -> Posts:
        raise AssertionError("a shelf is fetched from, never listed")

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        chosen = self.files[min(len(self.served), len(self.files) - 1)]
        self.served.append(chosen.name)
        shutil.copyfile(chosen, into)
        return FetchedFile(path=into, size_bytes=into.stat().st_size, sha256="f" * 64)


def carried(core: Core, job: int) -> Carrier:
    carrier = Carrier(core, job, factories.dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    return carrier


def fetched(
    core: Core, shelf: Shelf, *, has_audio: bool | None = None, to: Account | None = None, **options: object
) -> Carrier:
    """A worker that has just fetched from the shelf, for a connection with these transform options."""
    connection = factories.add_connection(core, destination=to, transform_options=options)
    post = factories.add_post(core, connection.source_account_id, has_audio=has_audio)
    carrier = carried(core, factories.add_job(core, connection, post))
    with carrier.step(Step.FETCH) as report:
        fetching.fetch(carrier, report, carrier.errand(), shelf)
    return carrier


def test_a_layout_and_its_figures_go_the_whole_way(
    real_core: Core, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    core = real_core
    tunables.change(core, {"verify.poll_s": 0.05})
    source, person = factories.simulated_account(core, simulator, "instagram")
    channel, channel_id = factories.simulated_account(core, simulator, "youtube")
    reel = simulator.add_post("instagram", person, "Sunset #travel", seconds=2, width=240, height=426)
    connection = factories.add_connection(
        core, source, channel, transform_options={"greenscreen": PIP, "measure_quality": True}
    )
    job = factories.add_job(core, connection, factories.add_post(core, source.id, reel["id"]))
    carrier = carried(core, job)
    for step in (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication):
        step(carrier)
    carrier.let_go()
    (upload,) = simulator.publications("youtube", channel_id)
    assert (upload["width"], upload["height"], upload["verdict"]) == (1080, 1920, [])

    story = jobs.story(core, job)
    assert "picture in picture with bg_gradient.png" in story.plan["words"]
    for words in ("Input: 240×426, 30 fps, h264, aac, 2.0 s", "Output checked: 1080×1920, 30 fps, h264, aac, 2.0 s",
                  " MB → "):  # fmt: skip
        assert words in caplog.text
    receipt = story.plan["receipt"]
    assert (receipt["input"]["width"], receipt["output"]["width"]) == (240, 1080)
    assert receipt["quality"]["ssim"] > 0.9 and (receipt["quality"]["vmaf"] or receipt["quality"]["note"])
    rendition = viewing.part_of(core, job, viewing.Part.RENDITION)
    assert _corner(rendition) == pytest.approx((72, 52, 140), abs=24), "the background is the template's picture"
    kept = {entry.name for entry in MediaStore(core.media_root).folder(job).path.iterdir()}
    assert kept == {"source.mp4", "rendition.mp4", "cover.jpg"}


def _corner(video: Path) -> tuple[int, int, int]:
    raw = video.with_name("corner.rgb")
    run_ffmpeg("-i", str(video), "-frames:v", "1", "-vf", "crop=2:2:20:20", "-f", "rawvideo", "-pix_fmt", "rgb24",
               str(raw))  # fmt: skip
    red, green, blue = raw.read_bytes()[:3]
    raw.unlink()
    return red, green, blue


def test_a_video_that_is_too_long_is_asked_about_and_the_answer_is_obeyed(core: Core, tmp_path: Path) -> None:
    long = make_clip(tmp_path / "long.mp4", size="240x426", fps="15", seconds=181.0)
    carrier = fetched(core, Shelf([long]), too_long="ask")
    job = carrier.lease.job_id
    with pytest.raises(AwaitingAnswer):
        steps.transform_video(carrier)
    carrier.let_go()
    asking = factories.job_of(core, job)
    assert (asking.status, asking.wait_reason) == (JobStatus.PAUSED, WaitReason.APPROVAL)
    question = approving.question_of(core, job)
    assert question is not None and "181 s" in question.text and "180 s" in question.text
    assert [choice.word for choice in question.choices] == ["trim", "reject"]

    approving.answer(core, job, "trim", "admin")
    carrier = carried(core, job)
    steps.transform_video(carrier)
    carrier.let_go()
    assert probe(viewing.part_of(core, job, viewing.Part.RENDITION)).duration_s == pytest.approx(179.8, abs=0.25)


def test_a_reel_served_without_its_sound_is_fetched_once_more(core: Core, tmp_path: Path) -> None:
    mute = make_clip(tmp_path / "mute.mp4", sound=None)
    silent = make_clip(tmp_path / "silent.mp4", audio=("-af", "volume=0", "-c:a", "aac"))
    heard = make_clip(tmp_path / "heard.mp4")
    for first in (mute, silent):
        shelf = Shelf([first, heard])
        carrier = fetched(core, shelf, has_audio=True)
        assert shelf.served == [first.name, "heard.mp4"]
        assert probe(viewing.part_of(core, carrier.lease.job_id, viewing.Part.SOURCE)).sound_from_s is not None
        carrier.let_go()
    for has_audio in (None, False):
        shelf = Shelf([mute])
        fetched(core, shelf, has_audio=has_audio).let_go()
        assert shelf.served == ["mute.mp4"], "nobody said that there is a sound"
    shelf = Shelf([mute])
    fetched(core, shelf, has_audio=True).let_go()
    assert shelf.served == ["mute.mp4"] * 2, "once more, not for ever"


def test_cancelling_the_job_ends_its_encode_within_four_seconds(core: Core, tmp_path: Path) -> None:
    carrier = fetched(core, Shelf([make_clip(tmp_path / "wide.mp4", size="640x360", seconds=30.0)]))
    job = carrier.lease.job_id
    cancelled_at: list[float] = []

    def cancel() -> None:
        until = time.monotonic() + 60
        while not factories.job_of(core, job).progress and time.monotonic() < until:
            time.sleep(0.05)
        cancelled_at.append(time.monotonic())
        jobs.cancel(core, job, who="admin")

    person = threading.Thread(target=cancel)
    person.start()
    with pytest.raises(Fenced):
        steps.transform_video(carrier)
    assert time.monotonic() - cancelled_at[0] < 4.0
    person.join()
    carrier.let_go()
    folder = MediaStore(core.media_root).folder(job)
    assert [entry.name for entry in folder.path.iterdir()] == ["source.mp4"]
    assert not factories.rows(core, flow.media_files, kind="rendition")


def elsewhere(core: Core, carrier: Carrier, home: Path) -> Carrier:
    """The worker ends, and one of a machine with another home goes on; both reach the files where they lie."""
    carrier.interrupt(because="The machine is taken out of service.", cancel=False)
    carrier.let_go()
    other = core_on(core.engine, core.clock, home, outbound_proxy=core.settings.outbound_proxy,
                    ca_bundle=core.settings.ca_bundle)  # fmt: skip
    return carried(replace(other, vault=core.vault), carrier.lease.job_id)


def test_an_upload_to_instagram_goes_on_elsewhere_with_the_cover_that_lies_beside_the_rendition(
    real_core: Core, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_rests(monkeypatch)
    account, name = factories.simulated_account(real_core, simulator, "instagram")
    carrier = fetched(real_core, Shelf([make_clip(tmp_path / "reel.mp4", size="720x1280", seconds=3.2)]), to=account)
    steps.transform_video(carrier)
    folder = MediaStore(real_core.media_root).folder(carrier.lease.job_id)
    carrier = elsewhere(real_core, carrier, tmp_path / "another home")
    steps.transform_video(carrier)
    assert not MediaStore(carrier.core.media_root).folder(carrier.lease.job_id).path.exists(), "nothing is made again"
    steps.publish_video(carrier)
    carrier.let_go()
    (reel,) = simulator.publications("instagram", name)
    assert reel["sha256"] == hashlib.sha256(folder.rendition.read_bytes()).hexdigest()


def rendition_of(carrier: Carrier) -> MediaFile | None:
    with carrier.core.begin() as tx:
        return transforming.rendition_of(publications.files_of(tx, carrier.lease.job_id))


def test_a_rendition_whose_cover_is_gone_is_made_again(core: Core, tmp_path: Path) -> None:
    carrier = fetched(core, Shelf([make_clip(tmp_path / "reel.mp4", size="720x1280", seconds=3.2)]))
    job = carrier.lease.job_id
    steps.transform_video(carrier)
    cover = MediaStore(core.media_root).folder(job).cover
    cover.unlink()
    left = rendition_of(carrier)
    assert left is not None and left.cover is None, "who sends it is not promised what is not there"
    steps.transform_video(carrier)
    whole = rendition_of(carrier)
    assert whole is not None and whole.cover == cover and cover.read_bytes()[:3] == b"\xff\xd8\xff"
    carrier.let_go()
