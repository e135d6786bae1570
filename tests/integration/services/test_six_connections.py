"""Six connections at once over the real client libraries: what is new crosses, what we brought never starts again.

Four accounts are source and destination at the same time, so everything published is listed again where the next look
finds it. The judges are the simulator's own lists and the files in the archive.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import Dispatch
from forwarder_core.platforms.library.source import LibrarySource
from forwarder_core.services import accounts, connections, detection, forwarding, steps, tunables
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import ControlFailed, Simulator
from tests.factories import rows, simulated_account
from tests.integration.services.crossings import without_rests

pytestmark = [pytest.mark.slow, pytest.mark.roads]
STEPS = (steps.fetch_post, steps.transform_video, steps.publish_video, steps.verify_publication)
ROUNDS = 8  # of looking and carrying; a loop would still have work after them
WORKERS = 3


class Roads:
    """Accounts by name, the connections between them, and the engine driven round by round."""

    def __init__(self, core: Core, simulator: Simulator) -> None:
        self.core, self.simulator = core, simulator
        self.accounts: dict[str, Account] = {}
        self.remote_ids: dict[str, str] = {}
        self._clips = 0

    def add_platform(self, name: str, platform: str, by: str | None = None) -> None:
        self.accounts[name], self.remote_ids[name] = simulated_account(self.core, self.simulator, platform, by=by)
        if by == "graph_api":
            place = f"/accounts/{platform}/{self.remote_ids[name]}"
            with suppress(ControlFailed):  # another world takes the time it takes
                self.simulator.call("PATCH", place, json={"secrets": {"processing_s": "0"}})

    def add_folder(self, platform: str) -> None:
        folder = self.core.settings.home / platform / "films"
        folder.mkdir(parents=True)
        new = NewAccount(
            platform=platform,
            alias=f"my {platform}",
            handle=platform,
            auth_method=registry.spec(platform).auth_methods[0].name,
            credentials={"folder": str(folder)},
            rights=Rights.OWN,
        )
        self.accounts[platform] = accounts.create(self.core, new)

    def join(self, source: str, destination: str) -> Connection:
        new = NewConnection(
            name=f"{source} to {destination}",
            source_account_id=self.accounts[source].id,
            destination_account_id=self.accounts[destination].id,
        )
        return connections.start(self.core, connections.create(self.core, new).id)

    def post(self, name: str) -> None:
        """Somebody puts a new video there, like no other in its pictures."""
        self._clips += 1
        made = clips.Clip(seed=500 + self._clips, seconds=3, width=270, height=480)
        file = clips.make(made, self.core.settings.home / f"clip-{self._clips}.mp4")
        if name == "library":
            file.rename(self._folder("library") / file.name)
        else:
            caption = f"Number {self._clips} of {name}"
            self.simulator.add_post(self.accounts[name].platform, self.remote_ids[name], caption, file=str(file))

    def go_on(self, rounds: int = ROUNDS) -> None:
        clock = self.core.clock
        assert isinstance(clock, ManualClock)
        for _ in range(rounds):
            clock.move(400)
            looked = detection.poll_due(self.core, shard=0, shards=1, budget_s=60)
            assert [polled.error for polled in looked if polled.error] == []
            with ThreadPoolExecutor(WORKERS) as workers:
                list(workers.map(self._carry, forwarding.dispatchable(self.core)))

    def _carry(self, launch: Dispatch) -> None:
        carrier = Carrier(self.core, launch.job_id, launch.dispatch_no, f"run-{launch.job_id}-{launch.dispatch_no}")
        assert carrier.claim()
        try:
            for step in STEPS:
                step(carrier)
        finally:
            carrier.let_go()

    def arrived(self) -> dict[str, int]:
        """How many videos of ours each destination has, by its own list."""
        found = {
            name: len(self.simulator.publications(self.accounts[name].platform, remote_id))
            for name, remote_id in self.remote_ids.items()
        }
        if "archive" in self.accounts:
            found["archive"] = len(list(self._folder("archive").rglob("*.mp4")))
        return found

    def decided(self, connection: Connection) -> Counter[tuple[str, str]]:
        told = rows(self.core, flow.decisions, connection_id=connection.id)
        return Counter((decision["verdict"], decision["rule"]) for decision in told)

    def _folder(self, platform: str) -> Path:
        return self.core.settings.home / platform / "films"


@pytest.fixture
def roads(real_core: Core, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Roads:
    without_rests(monkeypatch)
    quick = {"clock": None, "settle_s": 0.0, "pause": time.sleep}
    monkeypatch.setattr(LibrarySource.__init__, "__kwdefaults__", quick)
    tunables.change(real_core, {"verify.poll_s": 0.05})
    made = Roads(real_core, simulator)
    made.add_platform("app", "instagram", "private")
    made.add_platform("channel", "youtube")
    return made


def test_on_six_connections_at_once_every_new_post_crosses_and_none_loops(roads: Roads) -> None:
    roads.add_platform("page", "instagram", "graph_api")
    roads.add_platform("other channel", "youtube")
    roads.add_folder("library")
    roads.add_folder("archive")
    ways = {
        way: roads.join(*way)
        for way in (
            ("app", "channel"),
            ("page", "other channel"),
            ("channel", "app"),
            ("other channel", "page"),
            ("library", "channel"),
            ("app", "archive"),
        )
    }
    for name in ("app", "page", "channel", "other channel", "library"):
        roads.post(name)
    roads.go_on()
    forwarded, echo = ("forward", "matches"), ("duplicate", "echo")
    assert {way: roads.decided(connection) for way, connection in ways.items()} == {
        ("app", "channel"): {forwarded: 1, echo: 1},
        ("page", "other channel"): {forwarded: 1, echo: 1},
        ("channel", "app"): {forwarded: 1, echo: 2},
        ("other channel", "page"): {forwarded: 1, echo: 1},
        ("library", "channel"): {forwarded: 1},
        ("app", "archive"): {forwarded: 1, echo: 1},
    }
    assert roads.arrived() == {"app": 1, "page": 1, "channel": 2, "other channel": 1, "archive": 1}
    assert {job["status"] for job in rows(roads.core, flow.jobs)} == {"success"}
    assert {sent["state"] for sent in rows(roads.core, flow.publications)} == {"verified"}


def test_there_and_back_and_on_over_real_connectors_publishes_five_posts_as_five(roads: Roads) -> None:
    roads.add_folder("archive")
    there, back, onward = (roads.join(*way) for way in (("app", "channel"), ("channel", "app"), ("channel", "archive")))
    for _ in range(5):
        roads.post("app")
    roads.go_on(ROUNDS + 4)
    assert roads.arrived() == {"app": 0, "channel": 5, "archive": 0}
    assert roads.decided(there) == {("forward", "matches"): 5}
    assert roads.decided(back) == roads.decided(onward) == {("duplicate", "echo"): 5}
    assert {job["status"] for job in rows(roads.core, flow.jobs)} == {"success"}
