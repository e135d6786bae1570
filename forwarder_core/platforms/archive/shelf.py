"""The disk of an archive: parts, cards and the one rename. A card is the JSON file beside a video that describes it.

What lives here: everything that touches the disk. What does not: when to do what (destination.py), names (names.py).
The fact to know: a part has a name of its own for each sending. A worker that was thought dead and wakes up renames its
own whole part to the very name ours gets: the same bytes either way, never half of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from forwarder_core.connectors.base import CredentialBox, MediaFile
from forwarder_core.errors import AuthInvalid, LocalFailed
from forwarder_core.platforms.archive.errors import translated

PARTS = ".parts"
_CHUNK_BYTES = 8 * 1024 * 1024
_PARTS_KEPT = timedelta(days=7)  # what a killed worker left is of no use to anybody; a day would do
_CHOOSE_AGAIN = "Choose the folder again in Accounts."


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says of its video, as far as we ask. None = it does not say."""

    marker: str
    size_bytes: int | None
    sha256: str | None
    duration_ms: int | None


def folder_of(box: CredentialBox) -> Path:
    """The folder of an account. It is never made here: where a disk is not mounted, a folder of its name on the disk
    below would fill instead. Raises AuthInvalid where a part of the way was replaced by a link."""
    kept = box.read().get("folder", "")
    if not kept:
        raise AuthInvalid("The account has no folder.", action=_CHOOSE_AGAIN)
    if not Path(kept).is_dir():
        raise LocalFailed("The folder of the archive is not there.", action="Put it back, or mount its disk.")
    if os.path.realpath(kept) != kept:
        raise AuthInvalid("The folder of the archive is a link to another place now.", action=_CHOOSE_AGAIN)
    return Path(kept)


def place(folder: Path, relative: str) -> Path:
    """Where a file of the archive stands. Raises LocalFailed when a link leads out of the archive on the way."""
    path = folder / relative
    if Path(os.path.realpath(path)) != path:
        raise LocalFailed("A link inside the archive leads to another place.", action="Remove the link.")
    return path


def new_part(folder: Path) -> Path:
    """A name of its own in a folder of the same disk, which media players do not look into."""
    parts = folder / PARTS
    parts.mkdir(exist_ok=True)
    return parts / f"{secrets.token_hex(8)}.part"


def write_part(part: Path, media: MediaFile, sent: Callable[[int], None]) -> None:
    """Copy the file, on the disk for good when this returns. Raises LocalFailed when it is not what it should be."""
    digest, done = hashlib.sha256(), 0
    with translated("The file to be archived"):
        file = media.path.open("rb")
    with file, part.open("xb") as out:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            done += len(chunk)
            sent(done)
        out.flush()
        os.fsync(out.fileno())
    if (done, digest.hexdigest()) != (media.size_bytes, media.sha256):
        raise LocalFailed("The file to be archived is not the one that was made for it.")


def write_card(part: Path, video: Path, facts: Mapping[str, Any]) -> None:
    """Whole or not at all, by way of `part`."""
    text = json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    try:
        with part.open("xb") as out:
            out.write(text + b"\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(card_of(video))
    finally:
        part.unlink(missing_ok=True)


def put_in_place(part: Path, video: Path) -> None:
    """The irreversible call: one rename, within one disk. Then the names of file, month and year are made to last."""
    part.rename(video)
    for folder in list(video.parents)[:3]:
        _keep_names(folder)


def _keep_names(folder: Path) -> None:
    """A new name is on the disk for good only when its folder was told so."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_card(video: Path) -> Card | None:
    """None where there is none, or what stands there is no card."""
    try:
        said = json.loads(card_of(video).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(said, dict):
        return None
    sizes = [said[name] if isinstance(said.get(name), int) else None for name in ("size_bytes", "duration_ms")]
    sha256 = said.get("sha256")
    return Card(str(said.get("marker", "")), sizes[0], sha256 if isinstance(sha256, str) else None, sizes[1])


def card_of(video: Path) -> Path:
    return video.with_suffix(".json")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path, now: datetime) -> None:
    """Delete parts that killed workers left long ago."""
    oldest = (now - _PARTS_KEPT).timestamp()
    for part in (folder / PARTS).glob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_mtime < oldest:
                part.unlink()
