"""Jobs to simulated destinations by the real client libraries, under one clock for us and for the simulated world.

No tests here. The publish step alone, with a file made once: fetching and transforming have tests of their own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.base import MediaFile
from forwarder_core.db import posts
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import Job, JobStatus, Step
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.errors import StepFailed
from forwarder_core.media.tools import find_ffmpeg
from forwarder_core.platforms.instagram.client import Pace
from forwarder_core.platforms.instagram.destination import InstagramDestination
from forwarder_core.platforms.instagram.graph_destination import GraphDestination
from forwarder_core.platforms.instagram.graph_uploads import Patience
from forwarder_core.services import exits, forwarding, publishing
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.soak_time import SharedTime
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, add_job, add_post, job_of, simulated_account

IMPATIENT = Patience(looks_s=(0.05, 0.1, 0.2, 0.4))
# What opens an upload and what publishes it, by the road to the destination: how often each was called says all.
OPENS = {
    "youtube": ("POST", "/upload/youtube/v3/videos"),
    "private": ("POST", "/rupload_igvideo/"),
    "graph_api": ("POST", "/v25.0/{account}/media"),
}


@dataclass
class Crossing:
    """One destination account, a connection to it, and the jobs on their way."""

    core: Core
    simulator: Simulator
    time: SharedTime
    media: MediaFile
    road: str  # youtube | private | graph_api
    jobs: list[int] = field(default_factory=list)
    account: Account = field(init=False)
    remote_id: str = field(init=False)
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        platform = "youtube" if self.road == "youtube" else "instagram"
        by = None if self.road == "youtube" else self.road
        self.account, self.remote_id = simulated_account(self.core, self.simulator, platform, by=by)
        self.connection = add_connection(self.core, destination=self.account)
        if self.road == "graph_api":  # the world's clock stands still while a file would be processed
            where = f"/accounts/{platform}/{self.remote_id}"
            self.simulator.call("PATCH", where, json={"secrets": {"processing_s": "0"}})

    def add_jobs(self, n: int) -> None:
        """Jobs of new posts, each with words of its own, seen and decided as detection does it."""
        for number in range(len(self.jobs), len(self.jobs) + n):
            post = add_post(self.core, self.connection.source_account_id, caption=f"Sunset {number} over the harbour")
            with self.core.begin() as tx:
                decided = {post: Decision(Verdict.FORWARD, "matches")}
                posts.decide(tx, self.connection.id, decided, self.core.clock.now())
            self.jobs.append(add_job(self.core, self.connection, post))

    def arm(self, fault: str, *, count: int | None = 1, **value: Any) -> None:
        route = value.pop("route", None)
        match = {"platform": self.account.platform, "account": self.remote_id, **({"route": route} if route else {})}
        self.simulator.arm(fault, count=count, match=match, **value)

    def run_what_is_due(self) -> list[str]:
        """Each due job's publish step by a worker of its own; how each ended: `published`, or the error's code."""
        return [self.publish(launch.job_id, launch.dispatch_no) for launch in forwarding.dispatchable(self.core)]

    def run_all(self) -> list[str]:
        """The same until nothing more is due at this moment."""
        told: list[str] = []
        while ended := self.run_what_is_due():
            told += ended
        return told

    def publish(self, job: int, dispatch_no: int) -> str:
        carrier = Carrier(self.core, job, dispatch_no, f"run-{job}-{dispatch_no}")
        assert carrier.claim()
        try:
            with carrier.step(Step.PUBLISH) as report:
                errand = carrier.errand()
                to = exits.destination(self.core, errand.destination, self.core.settings.default_exit)
                publishing.publish(carrier, report, errand, self.media, to)
            forwarding.succeed(self.core, carrier.lease)
            return "published"
        except StepFailed as e:
            return e.code
        finally:
            carrier.let_go()

    @property
    def uploads(self) -> list[dict[str, Any]]:
        return self.simulator.publications(self.account.platform, self.remote_id)

    @property
    def opened(self) -> int:
        """Sessions, whole uploads or containers that were begun."""
        method, path = OPENS[self.road]
        wanted = path.format(account=self.remote_id)
        return sum(self._is_opening(entry, wanted) for entry in self.calls(method))

    def _is_opening(self, entry: dict[str, Any], wanted: str) -> bool:
        path = str(entry["path"])
        return path.startswith(wanted) if self.road == "private" else path == wanted

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """What the simulator was asked in this account's name."""
        asked = {"platform": self.account.platform, "account": self.remote_id}
        return list(self.simulator.call("GET", "/requests", params=asked | ({"method": method} if method else {})))

    def rows(self) -> list[Job]:
        return [job_of(self.core, job) for job in self.jobs]

    def assert_each_is_there_once_and_shown_so(self) -> None:
        """Our rows and the destination tell the same, one by one."""
        there = {upload["id"]: upload for upload in self.uploads}
        told = {job.destination_post_id: job for job in self.rows()}
        assert {job.status for job in told.values()} == {JobStatus.SUCCESS}
        assert told.keys() == there.keys() and len(there) == len(self.uploads) == len(self.jobs)
        for post_id, job in told.items():
            said = f"{there[str(post_id)]['title']} {there[str(post_id)]['caption']}"
            assert self.caption_of(job) in said, "each row names the post that was made of it"

    def caption_of(self, job: Job) -> str:
        with self.core.begin() as tx:
            posts_ = flow.source_posts
            return str(tx.execute(select(posts_.c.caption).where(posts_.c.id == job.source_post_id)).scalar_one())


def make_media(folder: Path) -> MediaFile:
    path = clips.make(clips.Clip(seed=7, seconds=3, width=144, height=256), folder / "clip.mp4")
    cover = folder / "cover.jpg"
    command = [str(find_ffmpeg().path), "-v", "error", "-i", str(path), "-frames:v", "1", str(cover)]
    subprocess.run(command, check=True)
    size = path.stat().st_size
    return MediaFile(path=path, size_bytes=size, sha256="7" * 64, duration_ms=3_000, width=144, height=256, cover=cover)


@contextmanager
def shared_time(core: Core, simulator: Simulator) -> Iterator[SharedTime]:
    """The simulated world's clock is the core's for the length of the block."""
    assert isinstance(core.clock, ManualClock)
    shared = SharedTime(core.clock, simulator.control_url)
    try:
        yield shared
    finally:
        simulator.disarm()
        simulator.call("DELETE", "/clock")
        shared.close()


def without_rests(patch: pytest.MonkeyPatch) -> None:
    """Instagram's clients rest between their calls; against loopback that is only time lost."""
    pace = {"pace": Pace(between_calls_s=0, configure_s=0)}
    patch.setattr(InstagramDestination.__init__, "__kwdefaults__", pace)
    patch.setattr(GraphDestination.__init__, "__kwdefaults__", {"clock": None, "patience": IMPATIENT})
