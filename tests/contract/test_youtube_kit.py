"""What the YouTube contract tests share: a channel with its credentials, a video of any size, hooks that remember."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.connectors.base import Draft, Evidence, MediaFile, Secrets
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.platforms.youtube.auth import secrets_from_form
from forwarder_core.platforms.youtube.destination import YouTubeDestination
from forwarder_core.platforms.youtube.wire import Timeouts
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator

_numbers = count()


class MemoryBox:
    """A credential box whose lock is a thread's."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = dict(secrets)
        self._lock = threading.Lock()

    def read(self) -> Secrets:
        return dict(self.secrets)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        with self._lock:
            self.secrets = dict(renew(dict(self.secrets)))
            return dict(self.secrets)


class Killed(BaseException):
    """Stands for a process that ends there."""


@dataclass
class Hooks:
    """Remembers what it was told; `kill_at` names the event after which the process is gone."""

    kill_at: int | str | None = None
    told: list[int | str] = field(default_factory=list)

    def sent(self, total_bytes: int) -> None:
        self._note(total_bytes)

    def committing(self) -> None:
        self._note("committing")

    def _note(self, event: int | str) -> None:
        self.told.append(event)
        if event == self.kill_at:
            raise Killed


class Channel:
    """One channel of the simulated YouTube, and us as its owner."""

    def __init__(self, simulator: Simulator, **more: Any) -> None:
        self.simulator = simulator
        self._failures_before = len(simulator.failures())  # of other tests, in the same world
        made = simulator.add_account("youtube", f"channel{next(_numbers)}", **more)
        self.id = str(made["id"])
        self.box = MemoryBox(secrets_from_form(made["credentials"]))
        self.account = Account(id=1, platform="youtube", alias="tests", handle=self.id, auth_method="oauth")
        self.pauses: list[float] = []
        self.since = datetime.now(UTC)

    def destination(self, exit_: Exit | None = None, **timeouts: float) -> YouTubeDestination:
        """A new one, as a new process would have it."""
        return YouTubeDestination(
            self.account,
            self.box,
            exit_ or self.simulator.exit,
            timeouts=Timeouts(**timeouts),
            pause=self.pauses.append,
        )

    def failures(self) -> list[dict[str, Any]]:
        """What went to a place the simulated world does not have, since this channel was made."""
        return self.simulator.failures()[self._failures_before :]

    def arm(self, fault: str, route: str = "/", **value: Any) -> None:
        count = value.pop("count", 1)
        self.simulator.arm(
            fault, count=count, match={"platform": "youtube", "account": self.id, "route": route}, **value
        )

    def published(self) -> list[dict[str, Any]]:
        return self.simulator.publications("youtube", self.id)

    def calls(self, method: str, path: str) -> list[dict[str, Any]]:
        found = [each for each in self.simulator.requests() if each["account"] == self.id]
        return [each for each in found if (each["method"], each["path"]) == (method, path)]

    def evidence(self, draft: Draft, media: MediaFile, session: str | None) -> Evidence:
        return Evidence(
            session=session,
            marker=draft.marker,
            caption=draft.caption,
            duration_ms=media.duration_ms,
            not_before=self.since,
            not_after=datetime.now(UTC) + timedelta(minutes=1),
        )


@pytest.fixture
def channel(simulator: Simulator) -> Iterator[Channel]:
    yield Channel(simulator)
    simulator.disarm()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], MediaFile]:
    """A playable video of exactly so many bytes, by a box at its end that players skip."""
    folder = tmp_path_factory.mktemp("videos")
    clip = clips.make(clips.Clip(seed=3, seconds=2, width=540, height=960), folder / "clip.mp4").read_bytes()

    def sized(size: int) -> MediaFile:
        file = folder / f"{size}.mp4"
        padding = size - len(clip)
        if not file.exists():
            file.write_bytes(clip + padding.to_bytes(4, "big") + b"free" + _noise(padding - 8))
        data = file.read_bytes()
        return MediaFile(
            path=Path(file),
            size_bytes=size,
            sha256=hashlib.sha256(data).hexdigest(),
            duration_ms=2000,
            width=540,
            height=960,
        )

    return sized


@pytest.fixture
def draft() -> Draft:
    """With a marker of its own, as each job has."""
    return Draft(
        title="मानसून in the hills",
        caption="Rain & light #monsoon",
        tags=("monsoon", "two words"),
        marker=f"fw-{next(_numbers):010d}",
    )


def _noise(size: int) -> bytes:
    """Bytes of which no two chunks are alike, so that one sent twice or left out changes the hash."""
    return hashlib.shake_256(b"video").digest(size)
