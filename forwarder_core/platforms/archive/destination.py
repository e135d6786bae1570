"""The archive as a destination: `open → send → verify`, and `reconcile` whenever the outcome is unclear.

What lives here: the order of the steps and what each outcome means to the engine. What does not: the disk (shelf.py).
The fact to know: the name is settled in `open` and is the session; the rename to it is what publishes. However often it
is sent in one session, there is one file, and `reconcile` need only look whether it is there.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from forwarder_core.clock import Clock, SystemClock
from forwarder_core.connectors.base import (
    CredentialBox,
    Draft,
    Evidence,
    MediaFile,
    Published,
    Reconciled,
    SendHooks,
    Trace,
    Visibility,
)
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import LocalFailed, MediaRejected, SessionGone, StepFailed
from forwarder_core.platforms.archive import names, shelf
from forwarder_core.platforms.archive.errors import FREE_SPACE, translated

KEEP_FREE_BYTES = 512 * 1024 * 1024  # the disk may be the database's too
_WHAT = "The archive"


class ArchiveDestination:
    """One folder. The exit is not used: nothing leaves this server."""

    def __init__(self, account: Account, box: CredentialBox, exit_: Exit, *, clock: Clock | None = None) -> None:
        self._box = box
        self._clock = clock or SystemClock()

    def open(self, draft: Draft, media: MediaFile) -> str:
        """The session: the file's name below the archive, as JSON. Nothing is on the disk yet."""
        with translated(_WHAT):
            folder = shelf.folder_of(self._box)
            shelf.sweep(folder, self._clock.now())
            free = shutil.disk_usage(folder).free
        if free < media.size_bytes + KEEP_FREE_BYTES:
            raise LocalFailed(
                f"The disk of the archive has {free / 1e6:,.0f} MB free, too few for {media.size_bytes / 1e6:,.0f} MB.",
                action=FREE_SPACE,
            )
        marker = draft.marker or media.sha256
        return json.dumps({"name": names.relative_name(self._clock.now().date(), draft.title, marker)})

    def send(self, session: str, draft: Draft, media: MediaFile, hooks: SendHooks) -> Published:
        """Always from the beginning: a copy within this server is quicker than finding out how much of it stands."""
        name = _name_in(session)
        with translated(_WHAT):
            folder = shelf.folder_of(self._box)
            video = shelf.place(folder, name)
            if video.exists():
                return _already(video, name, media)
            part = shelf.new_part(folder)
            try:
                shelf.write_part(part, media, hooks.sent)
                video.parent.mkdir(parents=True, exist_ok=True)
                shelf.write_card(shelf.new_part(folder), video, facts_of_card(name, draft, media))
                hooks.committing()
                shelf.put_in_place(part, video)
            finally:
                part.unlink(missing_ok=True)
        return _published(name)

    def reconcile(self, evidence: Evidence) -> Reconciled:
        try:
            with translated(_WHAT):
                return self._look_for(evidence)
        except StepFailed as e:
            return Reconciled(Trace.UNKNOWN, evidence=f"The archive cannot be looked at. {e.message}")

    def verify(self, remote_id: str) -> Visibility:
        """Raises MediaRejected when the file is gone or is not the one its card describes: it can be archived anew."""
        if not names.is_relative_name(remote_id):
            raise MediaRejected("This is no name of a file in an archive.")
        with translated(_WHAT):
            video = shelf.place(shelf.folder_of(self._box), remote_id)
            if not video.is_file():
                raise MediaRejected(
                    "The file is not in the archive any more.", action="Retry the job to archive it anew."
                )
            card, size = shelf.read_card(video), video.stat().st_size
            if card is None:
                return _seen(size, None, "but the card beside it cannot be read")
            if size != card.size_bytes or shelf.sha256_of(video) != card.sha256:
                raise MediaRejected(
                    "The file in the archive is not the one that was sent.", action="Check the disk of the archive."
                )
        return _seen(size, card.duration_ms, "and its sha256 is right")

    def _look_for(self, evidence: Evidence) -> Reconciled:
        folder = shelf.folder_of(self._box)
        name = _name_in(evidence.session) if evidence.session else _find(folder, evidence)
        if name is None:
            return Reconciled(Trace.NOT_FOUND, evidence="No file in the archive has the marker.")
        video = shelf.place(folder, name)
        if not video.is_file():
            return Reconciled(Trace.RESUMABLE, evidence="The file is not in the archive; it can still be put there.")
        card = shelf.read_card(video)
        if card is None or card.marker != evidence.marker or card.size_bytes != video.stat().st_size:
            return Reconciled(Trace.UNKNOWN, evidence="A file of that name is there, but it is not what its card says.")
        return Reconciled(Trace.PUBLISHED, _published(name), "The file is there; marker and size are right.")


def _name_in(session: str) -> str:
    """Raises SessionGone for what we never gave out."""
    try:
        name = json.loads(session)["name"]
    except (ValueError, KeyError, TypeError) as e:
        raise SessionGone("The session of the archive cannot be read.") from e
    if not isinstance(name, str) or not names.is_relative_name(name):
        raise SessionGone("The session of the archive names no file.")
    return name


def _already(video: Path, name: str, media: MediaFile) -> Published:
    """Sent before, by us or by a worker that was thought dead. Another file there is left alone: a new session gets
    another name."""
    if video.stat().st_size == media.size_bytes and shelf.sha256_of(video) == media.sha256:
        return _published(name)
    raise SessionGone("Another file has this name in the archive.")


def _find(folder: Path, evidence: Evidence) -> str | None:
    wanted = names.ending(evidence.marker)
    for month in names.months(evidence.not_before, evidence.not_after):
        for path in sorted((folder / month).glob("*.mp4")):
            if path.name.endswith(wanted):
                return f"{month}/{path.name}"
    return None


def facts_of_card(name: str, draft: Draft, media: MediaFile) -> dict[str, Any]:
    """What the card says."""
    return {
        "file": name.rpartition("/")[2],
        "title": draft.title,
        "caption": draft.caption,
        "tags": list(draft.tags),
        "marker": draft.marker,
        "size_bytes": media.size_bytes,
        "sha256": media.sha256,
        "duration_ms": media.duration_ms,
        "width": media.width,
        "height": media.height,
        "options": dict(draft.options),
    }


def _published(name: str) -> Published:
    """Neither says where on the server the archive lies."""
    return Published(remote_id=name, url=f"archive:{quote(name)}")


def _seen(size: int, duration_ms: int | None, how: str) -> Visibility:
    detail = f"It is in the archive ({size / 1e6:.1f} MB), {how}."
    return Visibility(is_live=True, is_final=True, privacy="private", duration_ms=duration_ms, detail=detail)
