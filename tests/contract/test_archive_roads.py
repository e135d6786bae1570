"""The roads that need no second platform: from Instagram into the archive, and from the library to YouTube.

Real services, steps, ffmpeg and database; the folders are real, the platforms simulated. The judge is what stands in
the folder, or what the simulator lists as uploaded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder_core.clock import Clock, ManualClock, SystemClock
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import Job, JobStatus
from forwarder_core.errors import StepFailed
from forwarder_core.platforms.archive import shelf
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.source import InstagramSource
from forwarder_core.platforms.library.source import LibrarySource
from forwarder_core.services import accounts, connections, detection, forwarding, recovery, steps, tunables
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_library_kit import home
from tests.factories import change_row, job_of, make_core, rows, simulated_account, through

__all__ = ["home"]
pytestmark = [pytest.mark.slow, pytest.mark.roads]


class Death(BaseException):
    """The worker dies here."""


class NoRuns:
    def close(self, run_id: str, reason: str) -> None:
        """There is no run engine here."""


@pytest.fixture
def core_with(
    database_url: str, home: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Clock], Core]]:
    """Nothing rests: not Instagram's client between its calls, and no file in the library before it is a post."""
    monkeypatch.setattr(InstagramSource.__init__, "__kwdefaults__", {"pace": Pace(between_calls_s=0, configure_s=0)})
    quick = {"clock": None, "settle_s": 0.0, "pause": time.sleep}
    monkeypatch.setattr(LibrarySource.__init__, "__kwdefaults__", quick)
    simulator.disarm()
    opened = []

    def open_(clock: Clock) -> Core:
        opened.append(make_core(database_url, clock, home, **through(simulator)))
        core = opened[-1].__enter__()
        tunables.change(core, {"verify.poll_s": 0.05})
        return core

    yield open_
    for each in opened:
        each.__exit__(None, None, None)


def folder_account(core: Core, platform: str, folder: Path) -> Account:
    folder.mkdir(parents=True, exist_ok=True)
    new = NewAccount(
        platform=platform,
        alias=f"my {platform}",
        handle=folder.name,
        auth_method="folder",
        credentials={"folder": str(folder)},
        rights=Rights.OWN,
    )
    made = accounts.create(core, new)
    assert accounts.test(core, made.id).startswith(folder.name)
    return made


def started(core: Core, source: Account, destination: Account) -> Connection:
    new = NewConnection(name="road", source_account_id=source.id, destination_account_id=destination.id)
    return connections.start(core, connections.create(core, new).id)


def run(core: Core) -> Job | StepFailed | None:
    """One run of the one job that may start now: the job after it, or how it ended."""
    (launch,) = forwarding.dispatchable(core)
    carrier = Carrier(core, launch.job_id, launch.dispatch_no, f"run-{launch.dispatch_no}")
    assert carrier.claim()
    try:
        for step in (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication):
            step(carrier)
    except StepFailed as e:
        return e
    except Death:
        return None
    finally:
        carrier.let_go()
    return job_of(core, launch.job_id)


def poll(core: Core, account: Account) -> int:
    """How many jobs one look at the source makes."""
    return len(detection.poll_now(core, account.id).jobs)


class ToArchive:
    """A reel on its way from Instagram into the archive, detected and queued."""

    def __init__(self, core: Core, simulator: Simulator, home: Path) -> None:
        self.core, self.folder = core, home / "archive" / "films"
        self.source, person = simulated_account(core, simulator, "instagram")
        started(core, self.source, folder_account(core, "archive", self.folder))
        simulator.add_post("instagram", person, "Sunset #travel", seconds=2, width=270, height=480)
        assert poll(core, self.source) == 1

    def revive(self) -> None:
        """The dead worker is noticed, and its job waits its turn again."""
        assert isinstance(self.core.clock, ManualClock)
        (job,) = rows(self.core, flow.jobs)
        with self.core.begin() as tx:
            change_row(tx, flow.jobs, job["id"], worker={})
        self.core.clock.move(600)
        recovery.reap(self.core, NoRuns())
        self.core.clock.move(600)

    @property
    def videos(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.mp4"))

    @property
    def states(self) -> list[str]:
        return [row["state"] for row in rows(self.core, flow.publications)]


@pytest.fixture
def to_archive(core_with: Callable[[Clock], Core], simulator: Simulator, home: Path) -> ToArchive:
    return ToArchive(core_with(ManualClock(datetime.now(UTC))), simulator, home)


def test_a_reel_is_archived_once_as_it_is(to_archive: ToArchive) -> None:
    job = run(to_archive.core)
    assert isinstance(job, Job) and job.status is JobStatus.SUCCESS
    assert to_archive.videos == [job.destination_post_id] and "_sunset_fw-" in to_archive.videos[0]
    card = json.loads((to_archive.folder / to_archive.videos[0]).with_suffix(".json").read_text("utf-8"))
    assert (card["caption"], card["tags"]) == ("Sunset #travel", ["travel"])
    (rendition,) = rows(to_archive.core, flow.media_files, kind="rendition")
    assert (rendition["plan"]["video"], rendition["plan"]["audio"]) == ("copy", "copy"), "not encoded again"
    assert card["sha256"] == rendition["sha256"]
    assert poll(to_archive.core, to_archive.source) == 0 and forwarding.dispatchable(to_archive.core) == []
    assert to_archive.states == ["verified"]


@pytest.mark.parametrize("is_done", [False, True], ids=["before the rename", "right after it"])
def test_a_worker_that_dies_at_the_rename_leaves_one_file_in_the_end(
    to_archive: ToArchive, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    real = shelf.put_in_place

    def die(part: Path, video: Path) -> None:
        if is_done:
            real(part, video)
        raise Death

    with monkeypatch.context() as dying:
        dying.setattr(shelf, "put_in_place", die)
        assert run(to_archive.core) is None
    assert to_archive.states == ["committing"] and len(to_archive.videos) == int(is_done)
    to_archive.revive()
    job = run(to_archive.core)
    assert isinstance(job, Job) and job.status is JobStatus.SUCCESS, job
    assert to_archive.videos == [job.destination_post_id] and to_archive.states == ["verified"]


def test_a_video_put_into_the_library_crosses_once(
    core_with: Callable[[Clock], Core], simulator: Simulator, home: Path, tmp_path: Path
) -> None:
    core = core_with(SystemClock())
    folder = home / "library" / "summer"
    library = folder_account(core, "library", folder)
    channel, channel_id = simulated_account(core, simulator, "youtube")
    clips.make(clips.Clip(seed=71, seconds=1, width=144, height=256), folder / "old.mp4")
    time.sleep(0.05)
    connection = started(core, library, channel)
    made = clips.make(clips.Clip(seed=72, seconds=2, width=270, height=480), tmp_path / "new.mp4")
    (folder / "captions.csv").write_text("file,caption\nnew.mp4,Morning run #city\n", "utf-8")
    made.rename(folder / "new.mp4")
    assert poll(core, library) == 1
    job = run(core)
    assert isinstance(job, Job) and job.status is JobStatus.SUCCESS, job
    (upload,) = simulator.publications("youtube", channel_id)
    assert (upload["id"], upload["title"]) == (job.destination_post_id, "Morning run")
    (folder / "new.mp4").rename(folder / "renamed.mp4")
    assert poll(core, library) == 0 and forwarding.dispatchable(core) == []
    decided = {seen.post.url: why.rule for seen, why in connections.seen_posts(core, connection.id)}
    assert decided == {"library:old.mp4": "posted_before_start", "library:new.mp4": "matches"}


def test_the_library_goes_straight_into_the_archive(core_with: Callable[[Clock], Core], home: Path) -> None:
    """The road that needs no platform and no network at all."""
    core = core_with(SystemClock())
    library = folder_account(core, "library", home / "library" / "in")
    archive = folder_account(core, "archive", home / "archive" / "out")
    started(core, library, archive)
    for seed in (73, 74):
        clips.make(clips.Clip(seed=seed, seconds=1, width=144, height=256), home / "library" / "in" / f"{seed}.mp4")
    assert poll(core, library) == 2
    for _ in range(2):
        job = run(core)
        assert isinstance(job, Job) and job.status is JobStatus.SUCCESS, job
    archived = {path.read_bytes() for path in (home / "archive" / "out").rglob("*.mp4")}
    assert len(archived) == 2 and {row["state"] for row in rows(core, flow.publications)} == {"verified"}
