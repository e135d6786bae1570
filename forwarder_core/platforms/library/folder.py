"""The watched folder: which files in it are videos, what identifies each, and opening one safely.

What lives here: everything that touches the folder but its words (words.py). What does not: what a post is (source.py).
The fact to know: a file's change time (ctime) is set by the kernel with every write, rename and move, and nothing sets
it back. A file whose ctime is two seconds old has had neither its size nor its time changed since; and as a file moved
here keeps its old modification time, only the ctime says when it came.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from forwarder_core.connectors.base import CredentialBox
from forwarder_core.errors import AuthInvalid, LocalFailed, SourceGone
from forwarder_core.platforms.library.errors import reading

ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp"})
_EDGE_BYTES = 1024 * 1024  # of the beginning and of the end that count towards the id
_CHOOSE_AGAIN = "Choose the folder again in Accounts."


class Facts(NamedTuple):
    """What changes when a file is written to or replaced. Times in nanoseconds since 1970."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Facts:
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def changed_at(self) -> datetime:
        return datetime.fromtimestamp(self.ctime_ns / 1e9, UTC)


@dataclass(frozen=True, slots=True)
class Video:
    """A video file as it stood when the folder was looked at. `id` is of its content: a rename keeps it."""

    path: Path
    facts: Facts
    id: str

    def open(self) -> BinaryIO:
        """Raises SourceGone when it is not there any more, or is another file now."""
        try:
            file = open_file(self.path)
        except FileNotFoundError as e:
            raise SourceGone("The file of this post is not in the library any more.") from e
        if Facts.of(os.fstat(file.fileno())) != self.facts:
            file.close()
            raise SourceGone("The file of this post was changed; as it is now it is another post.")
        return file


def folder_of(box: CredentialBox) -> Path:
    """The folder of an account. Raises AuthInvalid where it leads elsewhere than when it was chosen: a part of the
    way was replaced by a link."""
    kept = box.read().get("folder", "")
    if not kept:
        raise AuthInvalid("The account has no folder.", action=_CHOOSE_AGAIN)
    folder = Path(kept)
    with reading("The library folder"):
        if not folder.exists():
            raise LocalFailed("The library folder is not there.", action="Put it back, or choose another in Accounts.")
        if os.path.realpath(folder) != kept or not folder.is_dir():
            raise AuthInvalid("The library folder is a link to another place now.", action=_CHOOSE_AGAIN)
    return folder


def videos(folder: Path) -> Iterator[Video]:
    """The video files directly in the folder, in no order. Links, hidden and empty files are none.

    A file that cannot be read is left out and named in the log: it must not keep the others back.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _is_wanted(entry):
                continue
            try:
                facts = Facts.of(entry.stat(follow_symlinks=False))
                if facts.size_bytes:
                    yield Video(Path(entry.path), facts, content_id(entry.path, facts))
            except FileNotFoundError:
                continue  # taken away while we looked
            except OSError as e:
                logging.getLogger(__name__).warning("%r in the library cannot be read: %s", entry.name, e.strerror)


def open_file(path: Path | str) -> BinaryIO:
    """A regular file. A link is taken for no file, and a pipe of that name blocks nobody. Raises OSError."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        if e.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, "a link is no file here") from e
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise FileNotFoundError(errno.ENOENT, "no regular file")
    return os.fdopen(number, "rb")


@lru_cache(maxsize=20_000)
def content_id(path: str, facts: Facts) -> str:
    """32 hex digits of the size and both ends of the content. Read once for each state of a file.

    Whole files are not hashed: a folder of a hundred gigabytes is looked at every few minutes.
    """
    digest = hashlib.sha256(f"{facts.size_bytes}\n".encode())
    with open_file(path) as file:
        if Facts.of(os.fstat(file.fileno())) != facts:
            raise FileNotFoundError(errno.ENOENT, "replaced while it was looked at")
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(facts.size_bytes - _EDGE_BYTES, 0))
        digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()[:32]


def _is_wanted(entry: os.DirEntry[str]) -> bool:
    is_video = Path(entry.name).suffix.lower() in ENDINGS and not entry.name.startswith(".")
    return is_video and entry.is_file(follow_symlinks=False)
