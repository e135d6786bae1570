"""A hundred different YouTube channels watched at their intervals: a simulated day costs one project's units at most.

The looks are the polling service's own, over real sockets, with the real client; the time between them is injected. Of
a channel's day the first look is run, and the second: at most channels it finds nothing, at some a new Short, at a few
a feed too short for two days. Every later look of the day is one of these again: between two posts nothing changes that
a look could depend on, so what it cost once it costs each time. (A whole day of looks at one: test_watching_costs.)
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.db import accounts as watch_rows
from forwarder_core.db.tables.quotas import quota_ledger
from forwarder_core.domain.accounts import Rights
from forwarder_core.domain.schedules import DEFAULT_INTERVAL_S
from forwarder_core.services import accounts, detection, quotas
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.drill_control import KeptControl
from forwarder_core.simulator.testing import Simulator
from tests.factories import add_connection, rows

pytestmark = pytest.mark.slow
SOURCES, BUSY, WITH_NEWS = 100, 3, 10  # busy: more Shorts in two days than a feed holds
LOOKS_A_DAY = int(86_400 / DEFAULT_INTERVAL_S)
NEW_A_DAY = 10  # Shorts a channel posts: three times what most do


class Channels:
    """As many as there are sources, each in a Google project of its own, so that the ledger tells who cost what."""

    def __init__(self, core: Core, control: KeptControl, clip: Path) -> None:
        self.control, self.clip = control, str(clip)
        store = NewAccount(platform="archive", alias="Films", handle="films", auth_method="folder")
        archive = accounts.create(core, store)
        self.ids: list[str] = []
        self.projects: list[str] = []
        for n in range(SOURCES):
            known = control.call("POST", "/accounts", json={"platform": "youtube", "username": f"source {n}"})
            names = {f.name for m in registry.spec("youtube").auth_methods if m.name == "oauth" for f in m.fields}
            new = NewAccount(
                platform="youtube",
                alias=f"Source {n}",
                handle=known["id"],
                auth_method="oauth",
                credentials={name: str(value) for name, value in known["credentials"].items() if name in names},
                rights=Rights.OWN,
            )
            source = accounts.create(core, new)
            add_connection(core, source, archive)
            with core.begin() as tx:
                watch_rows.watch(tx, source.id, core.clock.now())
                secrets = core.vault.unseal(watch_rows.sealed_credentials(tx, source.id))
            self.ids.append(known["id"])
            self.projects.append(secrets["client_id"].partition("-")[0])
            self.post(n, 17 if n < BUSY else 1)

    def post(self, n: int, count: int = 1) -> None:
        for _ in range(count):
            self.control.add_post("youtube", self.ids[n], "a Short", file=self.clip)


def units(core: Core) -> Counter[str]:
    """By project."""
    used = Counter[str]()
    for row in rows(core, quota_ledger):
        used[row["scope"].rpartition(":")[2]] += row["used"]
    return used


def look(core: Core, clock: ManualClock, channels: Channels) -> list[int]:
    """Once at every source that is due; the units each cost."""
    before, looked = units(core), list[int]()
    while polled := detection.poll_due(core, shard=0, shards=1, budget_s=120):
        assert [one.error for one in polled if one.error] == []
        looked += [one.account_id for one in polled]
    assert len(set(looked)) == len(looked) == SOURCES
    clock.move(DEFAULT_INTERVAL_S - 1)
    assert detection.poll_due(core, shard=0, shards=1, budget_s=1) == [], "not before its interval is over"
    clock.move(1)
    cost = units(core) - before
    return [cost[project] for project in channels.projects]


def test_a_hundred_sources_watched_for_a_day_stay_within_one_projects_units(
    real_core: Core, simulator: Simulator, tmp_path: Path
) -> None:
    core, clock = real_core, real_core.clock
    assert isinstance(clock, ManualClock)
    clip = clips.make(clips.Clip(seed=1, seconds=1, width=90, height=160, fps=5), tmp_path / "clip.mp4")
    with closing(KeptControl(simulator.control_url)) as control:
        channels = Channels(core, control, clip)
        first = look(core, clock, channels)
        for n in range(BUSY, BUSY + WITH_NEWS):
            channels.post(n)
        second = look(core, clock, channels)

    busy, with_news, quiet = second[:BUSY], second[BUSY : BUSY + WITH_NEWS], second[BUSY + WITH_NEWS :]
    assert set(quiet) == {0}, "a look that finds nothing new costs nothing"
    assert max(busy) <= 2 and set(with_news) == {1}, "it grows with what is posted, not with how often one looks"
    shown = {view.scope: view.used for view in quotas.views(core) if ":units:" in view.scope}
    assert len(shown) == SOURCES and sum(shown.values()) == sum(first) + sum(second), (
        "and the screens say what was used"
    )
    a_day = sum(first) + (LOOKS_A_DAY - 1) * sum(busy) + NEW_A_DAY * SOURCES * max(with_news)
    assert a_day <= registry.limits("youtube").quotas["units"], (sum(first), busy, with_news)
