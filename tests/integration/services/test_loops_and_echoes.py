"""Echoes and loops: what we published is never a new post, by whatever way it comes back.

Accounts here are both ends at once: what is published on one shows up in its own listing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft, FetchedFile, MediaFile, Published, SendHooks
from forwarder_core.db import accounts
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.errors import Fenced, StepFailed
from forwarder_core.services import confirming, detection, fetching, forwarding, jobs, publishing, steps
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from tests.factories import add_account, add_connection, change_row, job_of, rows, seen_post
from tests.integration.services.far_ends import MEDIA, Feed, Mode, Shop

pytestmark = pytest.mark.slow


class Home(Shop, Feed):
    """An account as its platform has it: what arrives here is listed here. `shows_at_once`: or only when told."""

    def __init__(self, name: str, clock: ManualClock) -> None:
        Shop.__init__(self, name=name)
        Feed.__init__(self)
        self.clock, self.files, self.shows_at_once = clock, dict[str, Path](), True

    def post(self, caption: str, file: Path | None = None) -> str:
        """A person posts by hand."""
        self.clock.move(1)
        made = seen_post(self.clock.now(), caption=caption)
        self.posts.append(made)
        if file is not None:
            self.files[made.platform_post_id] = file
        return made.platform_post_id

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        before = len(self.videos)
        try:
            return super().send(session, draft, media, hooks)
        finally:
            if len(self.videos) > before and self.shows_at_once:
                self.show(draft.caption)

    def show(self, caption: str) -> None:
        self.posts.append(seen_post(self.clock.now(), self.videos[-1][1], caption=caption))

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        shutil.copy(self.files[platform_post_id], into)
        return FetchedFile(path=into, size_bytes=into.stat().st_size, sha256=platform_post_id)


class Isles:
    """Accounts A, B, C of one platform, and the engine between them."""

    def __init__(self, core: Core, clock: ManualClock) -> None:
        self.core, self.clock = core, clock
        self.accounts = {name: add_account(core, alias=name) for name in "ABC"}
        self.homes = {account.id: Home(name, clock) for name, account in self.accounts.items()}

    def __getitem__(self, name: str) -> Home:
        return self.homes[self.accounts[name].id]

    def join(self, source: str, destination: str) -> Connection:
        connection = add_connection(self.core, self.accounts[source], self.accounts[destination])
        with self.core.begin() as tx:
            accounts.watch(tx, connection.source_account_id, self.clock.now())
        return connection

    def look(self) -> None:
        self.clock.move(400)
        detection.poll_due(self.core, shard=0, shards=1, budget_s=20)

    def carry(self, mode: Mode = Mode.FINE) -> None:
        """Everything due is published, or whatever `mode` makes of it."""
        for launch in forwarding.dispatchable(self.core):
            carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, f"run-{launch.job_id}")
            assert carrier.claim()
            try:
                with carrier.step(Step.PUBLISH) as report:
                    errand = carrier.errand()
                    self.homes[errand.destination.id].mode = mode
                    publishing.publish(carrier, report, errand, MEDIA, self.homes[errand.destination.id])
                forwarding.succeed(self.core, carrier.lease)
            except (StepFailed, Fenced):
                """The rows say what became of it."""
            carrier.let_go()

    def go_on(self, rounds: int = 12) -> None:
        for _ in range(rounds):
            self.look()
            self.carry()

    def rules(self, connection: Connection) -> list[tuple[str, str]]:
        return [(d["verdict"], d["rule"]) for d in rows(self.core, flow.decisions, connection_id=connection.id)]


@pytest.fixture
def isles(core: Core, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Isles:
    made = Isles(core, clock)

    def far_end(account: Account, *_: Any) -> Home:
        return made.homes[account.id]

    monkeypatch.setattr(registry, "source", far_end)
    monkeypatch.setattr(registry, "destination", far_end)
    return made


def test_a_there_and_back_and_on_publishes_every_post_once_per_destination(isles: Isles) -> None:
    there, back, onward = isles.join("A", "B"), isles.join("B", "A"), isles.join("B", "C")
    for n in range(5):
        isles["A"].post(f"from A number {n}")
    isles.go_on()
    assert {name: len(isles[name].videos) for name in "ABC"} == {"A": 0, "B": 5, "C": 0}
    assert isles.rules(there) == [("forward", "matches")] * 5
    assert isles.rules(back) == isles.rules(onward) == [("duplicate", "echo")] * 5
    for n in range(5):
        isles["B"].post(f"from B number {n}")
    isles.go_on()
    assert {name: len(isles[name].videos) for name in "ABC"} == {"A": 5, "B": 5, "C": 5}
    isles.go_on(4)
    assert {name: len(isles[name].videos) for name in "ABC"} == {"A": 5, "B": 5, "C": 5}, "and it comes to rest"


def test_a_circle_of_three_comes_to_rest_too(isles: Isles) -> None:
    for source, destination in ("AB", "BC", "CA"):
        isles.join(source, destination)
    for name in "ABC":
        isles[name].post(f"by hand on {name}")
    isles.go_on()
    assert {name: len(isles[name].videos) for name in "ABC"} == {"A": 1, "B": 1, "C": 1}


def test_a_post_whose_id_we_never_heard_is_known_by_its_words_length_and_time(isles: Isles) -> None:
    isles.join("A", "B")
    back = isles.join("B", "A")
    isles["A"].post("Sunset over the bay #travel")
    isles.look()
    isles["B"].is_mute = True
    isles.carry(Mode.LOST_AND_DONE)
    isles["B"].post("Something else, by hand")
    isles.look()
    assert isles.rules(back) == [("held", "echo_guard")] * 2, "either may be ours"
    (job,) = rows(isles.core, flow.jobs)
    for _ in range(40):  # until a person is asked, who says: it is live, and does not say where
        isles.clock.move(61)
        isles.carry()
    confirming.it_is_live(isles.core, job["id"], who="admin")
    isles.look()
    assert sorted(isles.rules(back)) == [("duplicate", "echo"), ("forward", "matches")]
    (sent,) = rows(isles.core, flow.publications, job_id=job["id"])
    assert sent["remote_id"] == isles["B"].videos[0][1], "and the id is written down"
    assert rows(isles.core, flow.origins)[0]["remote_id"] == sent["remote_id"]


def test_a_post_given_up_as_absent_and_listed_late_is_ours_all_the_same(isles: Isles) -> None:
    isles.join("A", "B")
    back = isles.join("B", "A")
    isles["A"].post("Sunset over the bay")
    isles.look()
    isles["B"].shows_at_once = False
    isles.carry(Mode.LOST_AND_DONE)
    with isles.core.begin() as tx:
        (sent,) = rows(isles.core, flow.publications)
        change_row(tx, flow.publications, sent["id"], state="abandoned")
        change_row(tx, flow.jobs, sent["job_id"], status="dead", completed_at=isles.clock.now())
    isles["B"].show("Sunset over the bay")
    isles.look()
    assert isles.rules(back) == [("duplicate", "echo")]


# ---- put up again by hand ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.make(clips.Clip(seed=3, seconds=3, width=144, height=256), tmp_path_factory.mktemp("clip") / "c.mp4")


def fetched(isles: Isles, job_id: int) -> str:
    """Run the fetch step of a due job; how it ended."""
    (launch,) = [d for d in forwarding.dispatchable(isles.core) if d.job_id == job_id]
    carrier = Carrier(isles.core, job_id, launch.dispatch_no, f"run-{launch.dispatch_no}")
    assert carrier.claim()
    try:
        steps.fetch_post(carrier)
        return "fetched"
    except StepFailed as e:
        return e.code
    finally:
        carrier.let_go()


def brought(isles: Isles, clip: Path) -> tuple[Connection, int]:
    """A post of A was forwarded to B with its fingerprint kept; the way back from B, and the post's id."""
    isles.join("A", "B")
    back = isles.join("B", "A")
    isles["A"].post("Sunset over the bay #travel", clip)
    isles.look()
    (job,) = rows(isles.core, flow.jobs)
    assert fetched(isles, job["id"]) == "fetched"
    (file,) = rows(isles.core, flow.media_files)
    assert len(file["fingerprint"]) % 8 == 0 and file["fingerprint"]
    with isles.core.begin() as tx:
        change_row(tx, flow.jobs, job["id"], status="queued", lease_until=None, dispatched_until=None)
    isles.carry()
    assert len(isles["B"].videos) == 1
    return back, job["source_post_id"]


def newest_job(isles: Isles) -> int:
    return int(rows(isles.core, flow.jobs)[-1]["id"])


def test_our_video_put_up_again_by_hand_is_not_carried_back(isles: Isles, clip: Path) -> None:
    back, root = brought(isles, clip)
    isles["B"].post("Sunset over the bay", clip)
    isles.look()
    job = newest_job(isles)
    assert fetched(isles, job) == "duplicate"
    after = job_of(isles.core, job)
    assert after.status is JobStatus.CANCELLED and after.failure is not None and f"post {root}" in after.failure.message
    assert isles.rules(back)[-1] == ("duplicate", "fingerprint")
    jobs.retry(isles.core, job, who="admin")
    assert fetched(isles, job) == "fetched", "a person wants it all the same"
    assert isles.rules(back)[-1] == ("forward", "by_hand")


def test_the_same_pictures_under_other_words_are_another_post(isles: Isles, clip: Path) -> None:
    back, _ = brought(isles, clip)
    isles["B"].post("Sunrise in the mountains", clip)
    isles.look()
    assert fetched(isles, newest_job(isles)) == "fetched"
    assert isles.rules(back)[-1] == ("forward", "matches")


def test_other_pictures_under_the_same_words_are_another_post(isles: Isles, clip: Path, tmp_path: Path) -> None:
    brought(isles, clip)
    longer = clips.make(clips.Clip(seed=4, seconds=8, width=144, height=256), tmp_path / "longer.mp4")
    isles["B"].post("Sunset over the bay #travel", longer)
    isles.look()
    assert fetched(isles, newest_job(isles)) == "fetched"


def test_where_no_circle_can_be_no_fingerprint_is_taken(isles: Isles, clip: Path) -> None:
    isles.join("A", "B")
    isles["A"].post("Sunset", clip)
    isles.look()
    assert fetched(isles, newest_job(isles)) == "fetched"
    assert [file["fingerprint"] for file in rows(isles.core, flow.media_files)] == [None]


def test_a_worker_that_lost_its_job_replaces_no_file_of_the_one_that_has_it(isles: Isles, clip: Path) -> None:
    isles.join("A", "B")
    isles["A"].post("Sunset", clip)
    isles.look()
    (launch,) = forwarding.dispatchable(isles.core)
    zombie = Carrier(isles.core, launch.job_id, launch.dispatch_no, "run-1")
    assert zombie.claim()
    lease = zombie.lease
    with isles.core.begin() as tx:
        change_row(tx, flow.jobs, launch.job_id, status="queued", fence=lease.fence + 1, lease_until=None)
    with pytest.raises(Fenced):
        fetching.keep_file(zombie, fetching.FETCHED, {"path": "/late", "size_bytes": 1, "sha256": "0"})
    zombie.let_go()
    assert rows(isles.core, flow.media_files) == []
