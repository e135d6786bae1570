"""What the contract suite needs of a platform's far end, without knowing any platform: simulated, a folder, a bucket.

A platform with hostnames is reached through the simulator, by its own fake. One without has its far end on this
machine: its account form asks for a `folder`, a video put there is a post, and a publication is a video found there;
or it asks for a `bucket`, of a store by another author.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import AuthMethod, ConnectorSpec, Draft, Evidence, MediaFile, Role
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.simulator import clips
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_bucket_kit import LOOPBACK, Store
from tests.contract.test_library_kit import Box

ODD = ("http_5xx", "html_200", "empty_200", "wrong_json")
_numbers = count()


class FarEnd(Protocol):
    """One account on a platform, and what became of it there."""

    account: Account
    box: Box
    exit: Exit

    def published(self) -> list[str]:
        """The sha256 of everything that was published there."""
        ...


class SourceEnd(FarEnd, Protocol):
    """And what happens there without us."""

    def post(self, clip: MediaFile, caption: str) -> None:
        """Somebody posts a video."""
        ...

    def fail(self, how: str) -> None:
        """From now on the platform gives this odd answer to everything."""
        ...


class Simulated:
    def __init__(self, simulator: Simulator, spec: ConnectorSpec, method: AuthMethod) -> None:
        self._simulator, self._platform = simulator, spec.platform
        made = simulator.add_account(spec.platform, f"contract{next(_numbers)}")
        self._id = str(made["id"])
        asked = {f.name for f in method.fields}
        typed = {name: str(value) for name, value in made["credentials"].items() if name in asked}
        self.account = account_of(spec, method, handle=str(made["username"]), remote_id=self._id)
        self.box = Box(registry.secrets_from_form(spec.platform, typed))
        self.exit = simulator.exit

    def post(self, clip: MediaFile, caption: str) -> None:
        self._simulator.add_post(self._platform, self._id, caption, file=str(clip.path))

    def published(self) -> list[str]:
        return [str(each["sha256"]) for each in self._simulator.publications(self._platform, self._id)]

    def fail(self, how: str) -> None:
        self._simulator.arm(how, count=None, match={"platform": self._platform})


class OnThisMachine:
    def __init__(self, home: Path, spec: ConnectorSpec, method: AuthMethod) -> None:
        self._folder = home / spec.platform / "contract"
        self._folder.mkdir(parents=True)
        self.account = account_of(spec, method, handle="contract")
        self.box = Box(registry.secrets_from_form(spec.platform, {"folder": str(self._folder)}, home))
        self.exit = Exit()

    def post(self, clip: MediaFile, caption: str) -> None:
        name = f"{next(_numbers)}.mp4"
        (self._folder / name).with_suffix(".txt").write_text(caption, "utf-8")
        shutil.copyfile(clip.path, self._folder / name)

    def published(self) -> list[str]:
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in self._folder.rglob("*.mp4")]

    def fail(self, how: str) -> None:
        shutil.rmtree(self._folder)


class InBucket:
    def __init__(self, store: Store, spec: ConnectorSpec, method: AuthMethod) -> None:
        self._store, self._bucket = store, store.new_bucket()
        self.account = account_of(spec, method, handle="contract")
        self.box = Box(registry.secrets_from_form(spec.platform, store.typed(self._bucket)))
        self.exit = LOOPBACK

    def published(self) -> list[str]:
        return self._store.videos(self._bucket)


@dataclass
class Hooks:
    """Remembers what the destination announced."""

    committed: int = 0
    sent_bytes: list[int] = field(default_factory=list)

    def sent(self, total_bytes: int) -> None:
        assert self.committed == 0, "nothing is announced as sent after the irreversible call"
        self.sent_bytes.append(total_bytes)

    def committing(self) -> None:
        self.committed += 1


def account_of(
    spec: ConnectorSpec, method: AuthMethod, *, handle: str = "nobody", remote_id: str | None = None
) -> Account:
    return Account(
        id=1, platform=spec.platform, alias="contract", handle=handle, auth_method=method.name, remote_id=remote_id
    )


def roads(role: Role) -> list[object]:
    """Every way of signing in to every platform that has this role, as parameters of a test."""
    found = [(spec, method) for spec in registry.specs().values() for method in spec.auth_methods if role in spec.roles]
    return [pytest.param(spec, method, id=f"{spec.platform}-{method.name}") for spec, method in found]


def source_end(spec: ConnectorSpec, method: AuthMethod, simulator: Callable[[], Simulator], home: Path) -> SourceEnd:
    """`simulator` is asked for only where one is needed."""
    return Simulated(simulator(), spec, method) if spec.hosts else OnThisMachine(home, spec, method)


def far_end(
    spec: ConnectorSpec,
    method: AuthMethod,
    simulator: Callable[[], Simulator],
    home: Path,
    store: Callable[[], Store],
) -> FarEnd:
    """`simulator` and `store` are asked for only where one is needed."""
    if any(field.name == "bucket" for field in method.fields):
        return InBucket(store(), spec, method)
    return source_end(spec, method, simulator, home)


def evidence_of(draft: Draft, media: MediaFile, session: str | None, since: datetime) -> Evidence:
    return Evidence(
        session=session,
        marker=draft.marker,
        caption=draft.caption,
        duration_ms=media.duration_ms,
        not_before=since - timedelta(minutes=10),
        not_after=datetime.now(UTC) + timedelta(minutes=10),
    )


def make_clip(folder: Path, seed: int) -> MediaFile:
    """A video every platform takes: three seconds, upright. No two seeds are alike."""
    path = clips.make(clips.Clip(seed=seed, seconds=3, width=540, height=960), folder / f"clip{seed}.mp4")
    data = path.read_bytes()
    return MediaFile(
        path=path,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        duration_ms=3_000,
        width=540,
        height=960,
        cover=_cover_beside(path),
    )


def _cover_beside(path: Path) -> Path:
    """A JPEG, as the engine always hands one over."""
    cover = path.with_suffix(".jpg")
    Image.new("RGB", (540, 960), "teal").save(cover)
    return cover


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rests that clients take out of politeness cost nothing on loopback."""
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(min(seconds, 0.02)))
