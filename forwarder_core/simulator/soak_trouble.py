"""What happens in a soak's simulated days, drawn from the seed before they begin: posts, faults, and a person's help.

What lives here: the timetable and each event's act. What does not: dying workers (soak_work).
The fact to know: every fault here ends by itself or by the person, so that at the end nothing has an excuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from forwarder_core.services import challenges
from forwarder_core.services.context import Core
from forwarder_core.simulator.drill import Author, Lane, Place
from forwarder_core.simulator.drill_control import KeptControl

_HELP_EVERY_MIN = 45
_CUTS = (0, 700, 100_000)  # bytes: before the handshake, within it, within an upload; far from where a byte decides
_CONFIGURE = "/api/v1/media/configure_to_clips/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of fault: where it may strike, how often in a row at most, and what else it says."""

    name: str
    platform: str
    most: int = 1
    route: str | None = None
    seconds: tuple[int, int] | None = None
    retry_after: tuple[int, int] | None = None


KINDS = (
    Kind("http_429", "instagram", 3, retry_after=(30, 900)),
    Kind("http_429", "youtube", 2, retry_after=(30, 600)),
    Kind("http_5xx", "instagram", 2),
    Kind("http_5xx", "youtube", 2),
    Kind("html_200", "instagram", 2),
    Kind("html_200", "youtube"),
    Kind("empty_200", "instagram", 2),
    Kind("empty_200", "youtube"),
    Kind("truncated", "instagram"),
    Kind("truncated", "youtube"),
    Kind("answer_lost", "instagram", route=_CONFIGURE),
    Kind("answer_lost", "youtube"),
    Kind("listing_lag", "instagram", route=_CONFIGURE, seconds=(20, 200)),
    Kind("listing_lag", "youtube", seconds=(20, 400)),
    Kind("never_finishes", "instagram", 3, route=_CONFIGURE),
    Kind("token_expired", "instagram"),
    Kind("token_expired", "youtube"),
    Kind("challenge", "instagram"),
    Kind("proxy_refuse", "instagram", 2),
    Kind("proxy_refuse", "youtube"),
    Kind("proxy_407", "instagram"),
    Kind("proxy_cut", "instagram"),
    Kind("proxy_cut", "youtube"),
)


@dataclass(frozen=True, slots=True, order=True)
class Event:
    at: datetime
    number: int  # of two at the same instant the first drawn comes first
    act: Callable[[], None] = field(compare=False)


@dataclass(slots=True)
class Trouble:
    core: Core
    world: KeptControl
    draw: Random
    lanes: Sequence[Lane]
    author: Author
    counts: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)

    def plan(self, start: datetime, hours: float, *, posts: int, faults: int) -> None:
        """Draw the timetable of this span."""
        drawn: list[tuple[float, Callable[[], None]]] = []
        sources = list({lane.source for lane in self.lanes})
        sources.sort(key=lambda source: source.account_id)
        for _ in range(posts):
            source = self.draw.choice(sources)
            drawn.append((self.draw.uniform(0, hours), partial(self._post, source)))
        for kind in self._kinds(faults):
            drawn.append((self.draw.uniform(0, hours), partial(self._strike, kind)))
        minutes = range(_HELP_EVERY_MIN, int(hours * 60) + 1, _HELP_EVERY_MIN)
        drawn += [(minute / 60, self.help) for minute in minutes]
        made = [Event(start + timedelta(hours=at), n, act) for n, (at, act) in enumerate(drawn)]
        self.events = sorted(made)

    @property
    def next_at(self) -> datetime | None:
        return self.events[0].at if self.events else None

    def happen(self, now: datetime) -> None:
        while self.events and self.events[0].at <= now:
            self.events.pop(0).act()

    def help(self) -> None:
        """A person comes by: completes the checks that platforms asked for, and says so."""
        for challenge in challenges.open_challenges(self.core):
            challenges.resolve(self.core, challenge.account.id, notes="done in the app", who="drill")
            self.counts["challenges resolved"] += 1

    def end(self) -> None:
        """No more trouble."""
        self.world.disarm()
        self.help()

    def _post(self, source: Place) -> None:
        self.author.post(source)
        self.counts["posts written"] += 1

    def _kinds(self, faults: int) -> Iterator[Kind]:
        """Every kind as often as any other, give or take one."""
        while faults > 0:
            yield from self.draw.sample(KINDS, min(faults, len(KINDS)))
            faults -= len(KINDS)

    def _strike(self, kind: Kind) -> None:
        match: dict[str, str] = {"platform": kind.platform}
        if not kind.name.startswith("proxy_"):
            match["account"] = self._somebody(kind.platform).id
        if kind.route:
            match["route"] = kind.route
        value: dict[str, Any] = {}
        if kind.seconds:
            value["seconds"] = self.draw.randint(*kind.seconds)
        if kind.retry_after:
            value["retry_after"] = self.draw.randint(*kind.retry_after)
        if kind.name == "proxy_cut":
            value["after_bytes"] = self.draw.choice(_CUTS)
        self.world.arm(kind.name, count=self.draw.randint(1, kind.most), match=match, **value)
        self.counts[f"fault: {kind.name}"] += 1

    def _somebody(self, platform: str) -> Place:
        places = {end.id: end for lane in self.lanes for end in (lane.source, lane.destination)}
        able = sorted((p for p in places.values() if p.platform == platform), key=lambda p: p.account_id)
        return self.draw.choice(able)
