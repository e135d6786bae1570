"""The file of a post, by either road: from Meta's file servers, under a signed address that expires.

The fact to know: such an address may expire between the answer that names it and the download, so a refused one is
asked for once more before the file counts as gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from forwarder_core import egress
from forwarder_core.connectors.base import FetchedFile
from forwarder_core.egress import Exit
from forwarder_core.errors import PlatformTransient, SourceGone

_LARGEST_BYTES = 1_000_000_000  # own cap against a file server gone mad; a 15-minute Reel stays far below


def fetch_signed(
    exit_: Exit,
    fresh_url: Callable[[], str],
    into: Path,
    progress: Callable[[int, int | None], None],
    headers: Mapping[str, str] | None = None,
) -> FetchedFile:
    """Raises SourceGone as `fresh_url` does; PlatformTransient where the post is shown and its file refused."""

    def download(url: str) -> FetchedFile:
        got = egress.download(exit_, url, into, max_bytes=_LARGEST_BYTES, progress=progress, headers=headers)
        return FetchedFile(path=got.path, size_bytes=got.size_bytes, sha256=got.sha256)

    first = fresh_url()
    try:
        return download(first)
    except SourceGone:
        second = fresh_url()
    try:
        return download(second)
    except SourceGone as e:
        raise PlatformTransient("Instagram shows the post, but its file server refuses the file.") from e
