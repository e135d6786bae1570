"""What a drill is made of: simulated accounts, connections between them, clips, and posts that nobody can mix up.

What lives here: the ground both drills stand on. What does not: their troubles (chaos, soak) and the judgement
(verdict).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from forwarder_core.connectors import registry
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.services import accounts, connections
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from forwarder_core.simulator.client import ControlClient

DESTINATIONS = ("youtube", "instagram")  # both kinds of destination there are: resumable, and all at once
_HANDLES = {"youtube": "id"}
_SUBJECTS = ("Sunset over the harbour", "Street food at night", "First snow", "Morning run", "Market day", "Old town")
_TAGS = ("#travel", "#reels", "#city", "#food", "#winter", "#slow")
WANTED = "#forward"  # some lanes forward only posts that say so


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An account at both its ends: in the world, and in our rows."""

    platform: str
    id: str
    username: str
    account_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One connection of a drill."""

    name: str
    connection_id: int
    source: Place
    destination: Place


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a drill takes place."""

    core: Core
    world: ControlClient
    draw: Random


def lay_lanes(
    ground: Ground,
    n: int,
    *,
    every_s: float,
    destinations: Sequence[str] = DESTINATIONS,
    picky: int = 0,
    shared: int = 0,
    at_once: int = 1,
    first: int = 1,
    shows: Sequence[Path] = (),
) -> list[Lane]:
    """`n` active connections from Instagram accounts to accounts of these platforms by turns, numbered from `first`.

    Each `picky`-th forwards only posts that carry `WANTED`; each `shared`-th has the source of the one before it.
    `at_once`: so many are started together, since a first look signs in and rests between its calls. `shows`: what each
    source shows before its connection starts, a post for each of these files.
    """
    lanes: list[Lane] = []
    for number in range(first, first + n):
        is_shared = bool(shared) and number % shared == 0 and bool(lanes)
        source = lanes[-1].source if is_shared else settle(ground, "instagram", f"drill_from_{number}")
        destination = settle(ground, destinations[(number - 1) % len(destinations)], f"drill_to_{number}")
        is_picky = bool(picky) and number % picky == 0
        for file in () if is_shared else shows:
            ground.world.add_post(source.platform, source.username, file=str(file))
        lanes.append(_connect(ground.core, number, source, destination, every_s=every_s, is_picky=is_picky))
    if at_once == 1:
        for lane in lanes:
            connections.start(ground.core, lane.connection_id)
        return lanes
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda lane: connections.start(ground.core, lane.connection_id), lanes))
    return lanes


def settle(ground: Ground, platform: str, username: str) -> Place:
    """An account of this name in the world and in our rows."""
    made = ground.world.ensure_account(platform, username)
    handle = str(made[_HANDLES.get(platform, "username")])
    known = next((a for a in _accounts(ground.core, platform) if a.handle == handle), None)
    account = known or accounts.create(ground.core, _new_account(platform, username, handle, made["credentials"]))
    return Place(platform=platform, id=str(made["id"]), username=username, account_id=account.id)


def _accounts(core: Core, platform: str) -> Sequence[Account]:
    return accounts.page(core, platform=platform, limit=10_000)


def _new_account(platform: str, username: str, handle: str, secrets: Mapping[str, Any]) -> NewAccount:
    method = registry.spec(platform).auth_methods[0]
    fields = {field.name for field in method.fields}
    return NewAccount(
        platform=platform,
        alias=username,
        handle=handle,
        auth_method=method.name,
        credentials={name: str(value) for name, value in secrets.items() if name in fields},
        rights=Rights.OWN,
        rights_note="made by a drill",
    )


def _connect(core: Core, number: int, source: Place, destination: Place, *, every_s: float, is_picky: bool) -> Lane:
    filters = {"mode": "caption_keywords", "caption_keywords": [WANTED]} if is_picky else {}
    name = f"drill {number}: {source.platform} to {destination.platform}"
    new = NewConnection(
        name=name,
        source_account_id=source.account_id,
        destination_account_id=destination.account_id,
        schedule={"type": "continuous", "check_interval_minutes": every_s / 60},
        filters=filters,
    )
    made = connections.create(core, new)
    return Lane(name=name, connection_id=made.id, source=source, destination=destination)


def make_clips(folder: Path, shapes: Sequence[clips.Clip]) -> list[Path]:
    """The files of the drill's posts, each made once."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"clip-{c.seed}-{c.width}x{c.height}-{c.seconds:g}s.mp4" for c in shapes]
    for clip, file in zip(shapes, files, strict=True):
        if not file.exists():
            clips.make(clip, file)
    return files


class Author:
    """Writes the posts of a drill: every caption has a token that no other post has."""

    def __init__(self, ground: Ground, seed: int, files: Sequence[Path]) -> None:
        self._world, self._draw = ground.world, ground.draw
        self._seed, self._files = seed, files
        self.written = 0

    def post(self, source: Place) -> str:
        """The platform's id of a new post."""
        self.written += 1
        draw = self._draw
        words = f"{draw.choice(_SUBJECTS)} drill{self._seed:x}n{self.written:05d} {' '.join(draw.sample(_TAGS, 2))}"
        caption = f"{words} {WANTED}" if draw.random() < 0.8 else words
        file = str(draw.choice(self._files))
        return str(self._world.add_post(source.platform, source.username, caption, file=file)["id"])
