"""Handing files to the library: copied whole into a hidden place of the folder's own disk, then shown by a rename.

What lives here: that copying, the random names, the list of what is there. What does not: whether a file is a video at
all (the service probes what was staged) and when it is a post (standing.py).
The fact to know: a card with the words goes first and the video last, so that no look at the folder sees one without
its words. Nothing that was there before is touched: a name that is random is never taken.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import CredentialBox
from forwarder_core.connectors.intakes import KeptFile, Offered, Staged
from forwarder_core.domain.accounts import Account
from forwarder_core.errors import FieldError, Invalid, LocalFailed
from forwarder_core.platforms.library import words
from forwarder_core.platforms.library.errors import reading, writing
from forwarder_core.platforms.library.folder import ENDINGS, Facts, content_id, folder_of, videos
from forwarder_core.platforms.library.source import SETTLE_S
from forwarder_core.platforms.library.standing import standing

_HIDDEN = ".incoming"
_LEFT_S = 24 * 3600.0  # what a killed process left is of no use to anybody; an hour would do
_KEEP_FREE_BYTES = 500_000_000  # the database lives on this disk, as a rule
_CHUNK_BYTES = 1024 * 1024
_WHAT = "The library folder"


class LibraryIntake:
    def __init__(
        self, account: Account, box: CredentialBox, *, clock: Clock | None = None, settle_s: float = SETTLE_S
    ) -> None:
        self._box = box
        self._clock = clock or SystemClock()
        self._settle = timedelta(seconds=settle_s)

    def stage(self, offered: Offered) -> Staged:
        ending = Path(offered.name).suffix.lower()
        if ending not in ENDINGS:
            why = f"{offered.name!r} has none of the endings {', '.join(sorted(ENDINGS))}"
            raise Invalid("This is no video the library takes.", FieldError("files", why))
        folder = folder_of(self._box)
        hidden = _hidden(folder)
        _check_space(folder, offered.size_bytes)
        part = hidden / f"{secrets.token_hex(16)}{ending}"
        try:
            with writing(_WHAT):
                _copy(offered, part)
            with reading(_WHAT):
                id_ = content_id(str(part), Facts.of(part.stat()))
                twin = next((video for video in videos(folder) if video.id == id_), None)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        same_as = _owners_name(twin.path) if twin else None
        return Staged(name=offered.name, path=part, id=id_, line=offered.line, same_as=same_as)

    def keep(self, staged: Sequence[Staged]) -> list[str]:
        folder = folder_of(self._box)
        with writing(_WHAT):
            for one in staged:
                video = folder / one.path.name
                _write_whole(words.card_of(one.path), words.card(one.name, one.line))
                words.card_of(one.path).rename(words.card_of(video))
            for one in staged:
                one.path.rename(folder / one.path.name)
            _sync(folder)
        return [one.path.name for one in staged]

    def drop(self, staged: Sequence[Staged]) -> None:
        for one in staged:
            video = one.path.parent.parent / one.path.name
            for path in (video, words.card_of(video), words.card_of(one.path), one.path):
                with contextlib.suppress(OSError):
                    path.unlink()

    def listed(self) -> list[KeptFile]:
        folder, now = folder_of(self._box), self._clock.now()
        with reading(_WHAT):
            sheet, _ = words.sheet_of(folder)
            found = [(video, standing(video, sheet, now, self._settle)) for video in videos(folder)]
        kept = [
            KeptFile(
                id=video.id,
                name=said.name,
                stored_as=video.path.name,
                size_bytes=video.facts.size_bytes,
                caption=said.caption,
                at=said.posted_at,
                waits_for=said.waits_for,
            )
            for video, said in found
        ]
        return sorted(kept, key=lambda one: (one.at, one.stored_as), reverse=True)


def _hidden(folder: Path) -> Path:
    """The place for copies nobody sees yet, rid of what a killed process left there."""
    hidden = folder / _HIDDEN
    with writing(_WHAT):
        hidden.mkdir(mode=0o700, exist_ok=True)
        if hidden.is_symlink():
            raise LocalFailed("A link inside the library leads to another place.", action="Remove the link.")
        for part in hidden.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < time.time() - _LEFT_S:
                    part.unlink()
    return hidden


def _check_space(folder: Path, size_bytes: int) -> None:
    with reading(_WHAT):
        free = shutil.disk_usage(folder).free
    if free < size_bytes + _KEEP_FREE_BYTES:
        raise LocalFailed(
            f"The disk of the library has {free / 1e6:,.0f} MB free, too few for {size_bytes / 1e6:,.0f} MB.",
            action="Free space on the disk that holds the library.",
        )


def _copy(offered: Offered, part: Path) -> None:
    offered.content.seek(0)
    with part.open("xb") as out:
        shutil.copyfileobj(offered.content, out, _CHUNK_BYTES)
        out.flush()
        os.fsync(out.fileno())


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    """A new name is on the disk for good only when its folder was told so."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _owners_name(video: Path) -> str:
    beside = words.beside(video)
    return (beside.name if beside else "") or video.name
