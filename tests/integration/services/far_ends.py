"""A source and a destination of a test's own, at the border of `connectors.base`: what a platform is to the engine.

For what the simulated platforms cannot be told to do at an exact moment: die between two calls, or lose an answer after
the post is live. Everything on our side of the border is the product's own code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from forwarder_core.connectors.base import (
    Draft,
    Evidence,
    FetchedFile,
    Identity,
    MediaFile,
    Page,
    Published,
    Reconciled,
    Role,
    SendHooks,
    Trace,
    Visibility,
)
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import SeenPost
from forwarder_core.errors import MediaRejected, NetworkFailed, SessionGone, StepFailed

MEDIA = MediaFile(path=Path("/nowhere"), size_bytes=1_000, sha256="0" * 64, duration_ms=6_000, width=720, height=1280)


class Death(BaseException):
    """The worker dies here: nothing after this line of its happens."""


@dataclass
class Feed:
    """A source that lists what it is given, newest first. `error`: what it answers with instead."""

    posts: list[SeenPost] = field(default_factory=list)
    page_size: int = 50
    error: StepFailed | None = None
    asked: list[str | None] = field(default_factory=list)

    def list_posts(self, page: str | None = None) -> Page:
        self.asked.append(page)
        if self.error is not None:
            raise self.error
        first = int(page or 0)
        shown = sorted(self.posts, key=lambda post: post.posted_at, reverse=True)
        more = first + self.page_size < len(shown)
        return Page(tuple(shown[first : first + self.page_size]), str(first + self.page_size) if more else None)

    def fetch(self, platform_post_id: str, into: Path, progress: Callable[[int, int | None], None]) -> FetchedFile:
        raise AssertionError("a feed is listed, never fetched from")


@dataclass
class Somebody:
    """Whoever these credentials belong to: the account itself, unless told otherwise. `error`: what it answers with."""

    account: Account
    error: StepFailed | None = None
    remote_id: str = ""
    missing: tuple[str, ...] = ()

    def identify(self) -> Identity:
        if self.error is not None:
            raise self.error
        return Identity(self.remote_id or f"id-{self.account.id}", self.account.handle, self.account.alias)

    def missing_scopes(self, role: Role) -> tuple[str, ...]:
        return self.missing


class NoRuns:
    def close(self, run_id: str, reason: str) -> None:
        """There is no run engine here."""


class Mode(StrEnum):
    """What happens during the next upload."""

    FINE = "fine"
    REFUSED = "refused"
    CUT_BEFORE = "cut before the irreversible call"
    LOST_AND_DONE = "the answer is lost, the post is live"
    LOST_AND_NOT_DONE = "the answer is lost, nothing happened"
    SESSION_GONE = "the session is not known any more"
    DIES_OPENED = "the worker dies after the session was opened"
    DIES_COMMITTING = "the worker dies right before the call"
    DIES_DONE = "the worker dies right after the post is live"


@dataclass
class Shop:
    """A destination that keeps what it took: `videos` by marker. Its sessions can be forgotten, its posts cannot."""

    mode: Mode = Mode.FINE
    sessions: dict[str, str] = field(default_factory=dict)
    videos: list[tuple[str, str]] = field(default_factory=list)  # marker, id
    opened: int = 0
    name: str = "video"
    is_mute: bool = False

    def open(self, draft: Draft, media: MediaFile) -> str:
        self.opened += 1
        self.sessions[f"session-{self.opened}"] = ""
        return f"session-{self.opened}"

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        if self.mode is Mode.DIES_OPENED:
            raise Death
        if session not in self.sessions or self.mode is Mode.SESSION_GONE:
            self.sessions.pop(session, None)
            raise SessionGone("The session is not known any more.")
        if self.sessions[session]:
            return self._published(self.sessions[session])
        hooks.sent(media.size_bytes // 2)
        if self.mode is Mode.CUT_BEFORE:
            raise NetworkFailed("The connection failed.")
        hooks.committing()
        if self.mode is Mode.DIES_COMMITTING:
            raise Death
        if self.mode is Mode.REFUSED:
            raise MediaRejected("The file is too long.")
        if self.mode is Mode.LOST_AND_NOT_DONE:
            raise NetworkFailed("The connection failed.")
        self.sessions[session] = f"{self.name}-{len(self.videos) + 1}"
        self.videos.append((draft.marker, self.sessions[session]))
        if self.mode is Mode.DIES_DONE:
            raise Death
        if self.mode is Mode.LOST_AND_DONE:
            raise NetworkFailed("The connection failed.")
        return self._published(self.sessions[session])

    def reconcile(self, evidence: Evidence) -> Reconciled:
        if self.is_mute:
            return Reconciled(Trace.UNKNOWN, evidence="It would not say.")
        known = self.sessions.get(evidence.session or "")
        if known == "":
            return Reconciled(Trace.RESUMABLE)
        found = known or next((id_ for marker, id_ in self.videos if marker == evidence.marker), None)
        if found:
            return Reconciled(Trace.PUBLISHED, self._published(found), "Found.")
        return Reconciled(Trace.NOT_FOUND, evidence="Nothing has the marker.")

    def verify(self, remote_id: str) -> Visibility:
        return Visibility(is_live=True, is_final=True, privacy="public", duration_ms=6_000, detail="It is public.")

    def _published(self, remote_id: str) -> Published:
        return Published(remote_id, f"https://shop.example/{remote_id}")
