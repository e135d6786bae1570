"""What looking at 100 and at 1,000 sources costs: the real polling service against the simulated platforms.

Half the sources are Instagram accounts (private sign-in), half YouTube channels (feed), each with posts that are known
already, so a look finds nothing new. Ours: CPU seconds of this process and of PostgreSQL, queries, and units of the
Data API's quota, each of one look. Baseline: a plain loop that asks the same questions with the same libraries, reads
the answers and keeps nothing. The fact to know: no Dagster is here; what its ticks cost at rest is in `idle`.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any
from xml.etree import ElementTree

import httpx
from instagrapi import Client
from sqlalchemy import event, text

from bench import stack
from bench.figures import row
from bench.script import make_clip
from forwarder_core.services import connections, detection
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import open_core
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.simulator.drill import Author, Ground, Place, settle

SOURCES = (100, 1_000)
_PLATFORMS = ("instagram", "youtube")
_POSTS = 2
_AT_ONCE = 12  # a first look signs in and rests between its calls
_BUDGET_S = 60.0
_FEED = "https://www.youtube.com/feeds/videos.xml"
_DUE = text("UPDATE watches SET next_poll_at = :now, polling_until = NULL")
_UNITS = text("SELECT coalesce(sum(used), 0) FROM quota_ledger")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one look."""

    cpu_s: float
    database_cpu_s: float = 0.0
    queries: float = 0.0
    units: float = 0.0


def measure(rounds: int = 3) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round looks at every source once."""
    found: dict[str, Any] = {}
    with stack.running(stack.WORLD_ONLY) as up:
        bench = _Bench(up)
        for sources in SOURCES:
            bench.grow_to(sources)
            bench.look_at_all()  # warms
            pairs = [(bench.look_at_all(), bench.plain_loop()) for _ in range(rounds)]
            ours, plain = [o for o, _ in pairs], [p.cpu_s for _, p in pairs]
            name = f"{sources}_sources"
            cpu, database = [o.cpu_s for o in ours], [o.database_cpu_s for o in ours]
            found |= {
                f"{name}_cpu_of_a_look_beside_a_plain_loop": row(cpu, plain, "CPU-s", digits=4),
                f"{name}_database_cpu_of_a_look_beside_the_look": row(database, cpu, "CPU-s", digits=4),
                f"{name}_queries_of_a_look_beside_one": row([o.queries for o in ours], [1.0], "queries"),
                f"{name}_units_of_a_look_beside_a_page_of_the_playlist": row(
                    [o.units for o in ours], [2.0], "units", digits=4
                ),
            }
    return found


class _Bench:
    def __init__(self, up: stack.Stack) -> None:
        self._up = up
        self._core = open_core(up.running.settings, pool_size=2 * _AT_ONCE)  # a sign-in takes two sessions
        self._ground = Ground(self._core, up.world, Random(1))
        self._author = Author(self._ground, 1, [make_clip(up.running.settings.home / "clip.mp4", 540, 960, seed=1)])
        self._destination = settle(self._ground, "youtube", "detect_to")
        self._sources: list[Place] = []
        self._queries = 0
        event.listen(self._core.engine, "before_cursor_execute", self._count)

    def grow_to(self, sources: int) -> None:
        """So many sources, each with posts and an active connection; its first look is over."""
        made = []
        for number in range(len(self._sources), sources):
            place = settle(self._ground, _PLATFORMS[number % len(_PLATFORMS)], f"detect_from_{number}")
            for _ in range(_POSTS):
                self._author.post(place)
            made.append(place)
        self._sources += made
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._connect, made))

    def look_at_all(self) -> Cost:
        """As the watch sensors do, shard by shard. Raises ValueError where a look failed."""
        core, left = self._core, len(self._sources)
        with core.begin() as tx:
            tx.execute(_DUE, {"now": core.clock.now()})
            units = int(tx.execute(_UNITS).scalar_one())
        queries, before, begun = self._queries, self._up.usage(), time.process_time()
        while left > 0:
            polled = detection.poll_due(core, shard=0, shards=1, budget_s=_BUDGET_S)
            if errors := {one.error for one in polled if one.error} or (not polled and "nothing due"):
                raise ValueError(f"looks ended with {errors}, {left} sources left")
            left -= len(polled)
        spent, database = time.process_time() - begun, self._up.usage().since(before).cpu_s[stack.POSTGRES]
        queries, looks = self._queries - queries, len(self._sources)
        with core.begin() as tx:
            units = int(tx.execute(_UNITS).scalar_one()) - units
        return Cost(spent / looks, database / looks, queries / looks, units / looks)

    def plain_loop(self) -> Cost:
        """The same questions, one after the other, the answers read and forgotten."""
        told = [(place, self._secrets(place)) for place in self._sources]
        settings = self._up.running.settings
        proxy, ca = str(settings.outbound_proxy), str(settings.ca_bundle)
        begun = time.process_time()
        for place, secrets in told:
            found = _ask_instagram(secrets, proxy, ca) if place.platform == "instagram" else _ask_feed(place, proxy, ca)
            if found < _POSTS:
                raise ValueError(f"{place.username} shows {found} posts")
        return Cost((time.process_time() - begun) / len(told))

    def _connect(self, place: Place) -> None:
        new = NewConnection(
            name=f"detect {place.username}",
            source_account_id=place.account_id,
            destination_account_id=self._destination.account_id,
            schedule={"type": "continuous", "check_interval_minutes": 60},
        )
        connections.start(self._core, connections.create(self._core, new).id)

    def _secrets(self, place: Place) -> dict[str, str]:
        return dict(StoredCredentials(self._core, place.account_id).read())

    def _count(self, *_: object) -> None:
        self._queries += 1


def _ask_instagram(secrets: dict[str, str], proxy: str, ca: str) -> int:
    client = Client(json.loads(secrets["settings"]), proxy=proxy, tls_verify=ca, request_timeout=0)
    client.private.trust_env = client.public.trust_env = False
    asked = {"target_user_id": client.user_id, "page_size": 12, "max_id": "", "include_feed_video": "true"}
    return len(client.private_request("clips/user/", data=asked)["items"])


def _ask_feed(place: Place, proxy: str, ca: str) -> int:
    with httpx.Client(proxy=proxy, verify=ca, trust_env=False) as http:
        answer = http.get(_FEED, params={"channel_id": place.id})
    return len(ElementTree.fromstring(answer.content).findall("{http://www.w3.org/2005/Atom}entry"))
