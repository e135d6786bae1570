"""The library as a source: each video file that has come to rest in the folder is a post.

What lives here: what a post is, and bringing its file here. What does not: the folder (folder.py), the words
(words.py). The fact to know: a post's time is its row's date, else when the file came into the folder. Its modification
time would not do: a file moved here keeps an old one, and would count as older than the connection for ever.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import CredentialBox, FetchedFile, Page
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.posts import SeenPost
from forwarder_core.domain.sheets import SHEET, Sheet
from forwarder_core.egress import Exit
from forwarder_core.errors import ContractChanged, PlatformTransient, SourceGone
from forwarder_core.platforms.library import words
from forwarder_core.platforms.library.errors import reading, writing
from forwarder_core.platforms.library.folder import Facts, Video, folder_of, videos
from forwarder_core.platforms.library.standing import standing

SETTLE_S = 2.0  # a file that was changed later than this may still be being written
_PAGE_SIZE = 500
_CHUNK_BYTES = 1024 * 1024

Progress = Callable[[int, int | None], None]


class LibrarySource:
    """One folder. The exit is not used: nothing leaves this server."""

    def __init__(
        self,
        account: Account,
        box: CredentialBox,
        exit_: Exit,
        *,
        clock: Clock | None = None,
        settle_s: float = SETTLE_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._box = box
        self._clock = clock or SystemClock()
        self._settle = timedelta(seconds=settle_s)
        self._pause = pause

    def list_posts(self, page: str | None = None) -> Page:
        """Newest first. `page` is the place of the last post shown, so that files that come between two pages move
        nothing."""
        after = _place(page) if page else None
        folder = folder_of(self._box)
        with reading("The library folder"):
            shown = sorted(self._posts(folder), key=_order, reverse=True)
        rest = [post for post in shown if after is None or _order(post) < after]
        posts, has_more = rest[:_PAGE_SIZE], len(rest) > _PAGE_SIZE
        last = f"{posts[-1].posted_at.isoformat()} {posts[-1].platform_post_id}" if has_more else None
        return Page(tuple(posts), last)

    def fetch(self, platform_post_id: str, into: Path, progress: Progress) -> FetchedFile:
        folder = folder_of(self._box)
        with reading("The library folder"):
            found = next((video for video in videos(folder) if video.id == platform_post_id), None)
        if found is None:
            raise SourceGone("The file of this post is not in the library any more, or was changed.")
        with reading("The video in the library"), found.open() as file:
            return _copied(file, found.facts, into, progress)

    def _posts(self, folder: Path) -> list[SeenPost]:
        """One for each content: of equal files the one that came first is the post, and its row counts."""
        sheet, now = self._settled_sheet(folder), self._clock.now()
        first: dict[str, Video] = {}
        for video in sorted(videos(folder), key=lambda video: (video.facts.ctime_ns, video.path.name)):
            first.setdefault(video.id, video)
        posts = (self._post(video, sheet, now) for video in first.values())
        return [post for post in posts if post is not None]

    def _post(self, video: Video, sheet: Sheet, now: datetime) -> SeenPost | None:
        """The post of a file, or None while it is not to be shown: not at rest, its row bad, its date to come."""
        found = standing(video, sheet, now, self._settle)
        if found.waits_for is not None:
            return None
        return SeenPost(
            platform_post_id=video.id,
            url=f"library:{quote(found.name.encode('utf-8', 'surrogateescape'))}",
            caption=found.caption,
            posted_at=found.posted_at,
        )

    def _settled_sheet(self, folder: Path) -> Sheet:
        """A half-written sheet would have videos posted without their captions: it is waited for once."""
        sheet, facts = words.sheet_of(folder)
        if self._is_at_rest(facts):
            return sheet
        self._pause(self._settle.total_seconds())
        sheet, facts = words.sheet_of(folder)
        if not self._is_at_rest(facts):
            raise PlatformTransient(f"{SHEET} is being written; the library is looked at again later.")
        return sheet

    def _is_at_rest(self, facts: Facts | None) -> bool:
        return facts is None or self._clock.now() - facts.changed_at >= self._settle


def _order(post: SeenPost) -> tuple[datetime, str]:
    return post.posted_at, post.platform_post_id


def _place(page: str) -> tuple[datetime, str]:
    at, _, id_ = page.partition(" ")
    try:
        return datetime.fromisoformat(at), id_
    except ValueError as e:
        raise ContractChanged("This is no page of the library.") from e


def _copied(file: BinaryIO, facts: Facts, into: Path, progress: Progress) -> FetchedFile:
    part = into.with_name(f"{into.name}.part")
    try:
        with writing("The copy of the video"):
            out = part.open("wb")
        with out:
            digest = _pump(file, out, facts.size_bytes, progress)
        if Facts.of(os.fstat(file.fileno())) != facts:
            raise PlatformTransient("The video was changed while it was copied.")
        with writing("The copy of the video"):
            part.replace(into)
    finally:
        part.unlink(missing_ok=True)
    return FetchedFile(path=into, size_bytes=facts.size_bytes, sha256=digest)


def _pump(file: BinaryIO, out: BinaryIO, total: int, progress: Progress) -> str:
    """Copy everything; the sha256 of it. An error of the one disk is not taken for one of the other."""
    digest, done = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        with writing("The copy of the video"):
            out.write(chunk)
            out.flush()
        done += len(chunk)
        progress(done, total)
    return digest.hexdigest()
