"""What the tests of library and archive share: a home of their own, accounts in it, files that pass for videos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Evidence, MediaFile, Secrets
from forwarder_core.domain.accounts import Account


class Box:
    """A credential box in memory, for one thread."""

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = dict(secrets)

    def read(self) -> Secrets:
        return dict(self.secrets)

    def change(self, renew: Callable[[Secrets], Secrets]) -> Secrets:
        self.secrets = dict(renew(self.read()))
        return self.read()


def box_of(platform: str, folder: Path) -> Box:
    """As the account form makes it; the folder is made first."""
    folder.mkdir(parents=True, exist_ok=True)
    home = next(above.parent for above in folder.parents if above.name == platform)
    return Box(registry.secrets_from_form(platform, {"folder": str(folder)}, home))


def account_of(platform: str) -> Account:
    method = registry.spec(platform).auth_methods[0]
    return Account(id=1, platform=platform, alias="tests", handle="tests", auth_method=method.name)


def media_of(path: Path, data: bytes = b"a video") -> MediaFile:
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return MediaFile(path=path, size_bytes=len(data), sha256=digest, duration_ms=2_000, width=144, height=256)


def evidence(marker: str, session: str | None = None, at: datetime | None = None) -> Evidence:
    """What the engine knows of a publication of about `at`, now unless told."""
    at, around = at or datetime.now(UTC), timedelta(minutes=10)
    return Evidence(
        session=session,
        marker=marker,
        caption="",
        duration_ms=2_000,
        not_before=at - around,
        not_after=at + around,
    )


def ignore_progress(done: int, total: int | None) -> None:
    """A fetch nobody watches."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FORWARDER_HOME of this test."""
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("FORWARDER_HOME", str(made))
    return made
