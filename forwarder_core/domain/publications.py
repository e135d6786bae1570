"""A publication: the attempt to make one root post exist at one destination, once.

Everything before `committing` may be repeated. `committing` is stored immediately before the one irreversible call;
whoever finds a publication in it asks the destination first and never simply sends again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class PublicationState(StrEnum):
    PLANNED = "planned"
    OPENED = "opened"
    SENDING = "sending"
    COMMITTING = "committing"
    PUBLISHED = "published"
    VERIFIED = "verified"
    UNCONFIRMED = "unconfirmed"
    ABANDONED = "abandoned"
    FAILED = "failed"

    @property
    def is_live(self) -> bool:
        """The destination has it, as far as we know."""
        return self in (PublicationState.PUBLISHED, PublicationState.VERIFIED)

    @property
    def may_be_live(self) -> bool:
        """The irreversible call may have gone out."""
        return self.is_live or self in (PublicationState.COMMITTING, PublicationState.UNCONFIRMED)


_P = PublicationState
MOVES: dict[PublicationState, frozenset[PublicationState]] = {
    _P.PLANNED: frozenset({_P.OPENED, _P.ABANDONED, _P.FAILED}),
    _P.OPENED: frozenset({_P.SENDING, _P.COMMITTING, _P.PUBLISHED, _P.ABANDONED, _P.FAILED}),
    _P.SENDING: frozenset({_P.SENDING, _P.COMMITTING, _P.PUBLISHED, _P.ABANDONED, _P.FAILED}),
    _P.COMMITTING: frozenset({_P.SENDING, _P.COMMITTING, _P.PUBLISHED, _P.UNCONFIRMED, _P.ABANDONED, _P.FAILED}),
    _P.PUBLISHED: frozenset({_P.VERIFIED, _P.FAILED}),
    _P.UNCONFIRMED: frozenset({_P.PUBLISHED, _P.ABANDONED, _P.COMMITTING}),
    _P.VERIFIED: frozenset(),
    _P.ABANDONED: frozenset(),
    _P.FAILED: frozenset(),
}
CLOSED = (_P.ABANDONED, _P.FAILED)  # these no longer hold the place (destination, root post)

UNSENT = (_P.PLANNED, _P.OPENED, _P.SENDING)  # the irreversible call has not gone out: nothing can be live

# Bytes may have arrived under an id we have not been told.
NAMELESS = (_P.SENDING, _P.COMMITTING, _P.UNCONFIRMED)


def before(state: PublicationState) -> frozenset[PublicationState]:
    """The states from which `state` may be reached."""
    return frozenset(origin for origin, targets in MOVES.items() if state in targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    id: int
    job_id: int
    destination_account_id: int
    root_post_id: int
    state: PublicationState
    marker: str
    session: str | None = field(default=None, repr=False)
    bytes_sent: int = 0
    size_bytes: int | None = None
    content_sha256: str | None = None
    duration_ms: int | None = None
    caption: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)  # title, caption, tags as planned
    remote_id: str | None = None
    remote_url: str | None = None
    clean_reads: int = 0
    created_at: datetime
    committing_at: datetime | None = None
    unclear_since: datetime | None = None
    unconfirmed_at: datetime | None = None  # a person was asked then; the destination may be asked again since
    published_at: datetime | None = None


def marker_of(key: str, destination_account_id: int, source_account_id: int, platform_post_id: str) -> str:
    """Ten characters by which we find our own post again; without the key nobody can forge them.

    The same for the same post at the same place, also for an installation restored from a backup of long ago: our own
    number of a post is another there, the platform's is not.
    """
    said = f"{destination_account_id}|{source_account_id}|{platform_post_id}"
    return "fw-" + hmac.new(key.encode(), said.encode(), hashlib.sha256).hexdigest()[:10]


ASK = "ask"
_AGAIN = "publish_again_after_s"
_MOST_AGAIN_S = 30 * 86_400


def publish_again_after_s(on_ambiguous: str | Mapping[str, Any]) -> float | None:
    """A connection's word about a post nobody knows the fate of: None = ask a person, and only that.

    `{"publish_again_after_s": n}` asks the person too, and the destination again every n seconds: it is published anew
    only when that proves it absent, by the same rule as ever. No word can make it count as live. Raises ValueError.
    """
    if on_ambiguous in (ASK, {}):
        return None
    if not isinstance(on_ambiguous, Mapping) or on_ambiguous.keys() != {_AGAIN}:
        raise ValueError(f'must be "{ASK}", or an object with {_AGAIN}')
    seconds = on_ambiguous[_AGAIN]
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 1 <= seconds <= _MOST_AGAIN_S:
        raise ValueError(f"{_AGAIN} must be a number of seconds from 1 to {_MOST_AGAIN_S:,}")
    return float(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """The fetched file of a job, or its rendition, as the database has it. `plan`: what was decided about it."""

    path: str
    size_bytes: int
    sha256: str
    duration_ms: int
    width: int
    height: int
    plan: Mapping[str, Any]
