"""One resumable upload: opened, asked where it stands, sent chunk by chunk, finished.

What lives here: the protocol, each step as one method. What does not: in which order, how often, and what is
recorded in between (destination.py).
The fact to know: the session's address is a bearer secret and the only memory of an upload. Our reference to it is
that address with the file's size behind a `#`, so that a later process can ask for it knowing nothing else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest, MediaFileUpload

from forwarder_core.connectors.base import Draft, MediaFile, Published
from forwarder_core.errors import ContractChanged, LocalFailed, OutcomeUnknown, PlatformTransient
from forwarder_core.platforms.youtube.client import YouTubeClient
from forwarder_core.platforms.youtube.errors import VENDOR_ERRORS, is_refusal, redacted

STEP_BYTES = 256 * 1024  # YouTube keeps whole steps of this size, and takes only whole ones before the end
CHUNK_BYTES = 32 * STEP_BYTES  # 8 MiB

_GONE = (404, 410)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a session stands: `offset` bytes are kept. Done without `published`: its answer names no video."""

    offset: int = 0
    is_done: bool = False
    is_gone: bool = False
    published: Published | None = None

    @property
    def is_open(self) -> bool:
        return not self.is_done and not self.is_gone


def open_session(client: YouTubeClient, draft: Draft, media: MediaFile) -> str:
    """Ask for a session and return its reference. No byte of the file is sent."""
    request = client.insert_request(draft, _chunks(media))
    headers = {
        **request.headers,
        "X-Upload-Content-Type": request.resumable.mimetype(),
        "X-Upload-Content-Length": str(media.size_bytes),
    }
    answer, content = client.ask(request.uri, request.method, headers, request.body)
    if answer.status != 200:
        raise client.refusal(answer, content)
    if "location" not in answer:
        raise PlatformTransient("YouTube accepted the upload but named no session for it.")
    return f"{_checked(answer['location'])}#size={media.size_bytes}"


def ask_session(client: YouTubeClient, reference: str) -> Standing:
    """Where the session stands. Raises only where YouTube would not say."""
    uri, _, size = reference.partition("#size=")
    answer, content = client.ask(uri, "PUT", {"Content-Range": f"bytes */{size or '*'}", "Content-Length": "0"})
    if answer.status in (200, 201):
        return Standing(is_done=True, published=_published(content))
    if answer.status == 308:
        return Standing(offset=next_offset(answer.get("range")))
    if answer.status in _GONE:
        return Standing(is_gone=True)
    raise client.refusal(answer, content)


class Upload:
    """The file's way into an open session, in this or any later process."""

    def __init__(self, client: YouTubeClient, reference: str, draft: Draft, media: MediaFile) -> None:
        self._client = client
        self._reference = reference
        self._size = media.size_bytes
        self._request: HttpRequest = client.insert_request(draft, _chunks(media))
        self._uri = reference.partition("#")[0]

    def ask(self) -> Standing:
        return ask_session(self._client, self._reference)

    def is_last(self, offset: int) -> bool:
        """Does the chunk at `offset` end the file, and so publish the video?"""
        return offset + CHUNK_BYTES >= self._size

    def send_chunk(self, offset: int) -> Standing:
        """Send the chunk at `offset`, which must not be the last. Raises where nothing of it was taken."""
        try:
            standing = self._put(offset)
        except VENDOR_ERRORS as e:
            raise self._client.failure(e) from e
        if standing.is_open and standing.offset <= offset:
            raise PlatformTransient("YouTube took nothing of what was sent.")
        return standing

    def finish(self, offset: int) -> Published:
        """Send the last chunk, once. Whatever is not a plain yes or a plain no is an OutcomeUnknown."""
        try:
            standing = self._put(self._within(offset))
        except VENDOR_ERRORS as e:
            if is_refusal(e):
                raise self._client.failure(e) from e
            raise OutcomeUnknown("YouTube's answer to the end of the upload was lost.", raw=redacted(str(e))) from e
        if standing.published:
            return standing.published
        if standing.is_open:
            raise PlatformTransient(f"YouTube kept only {standing.offset} of {self._size} bytes.")
        raise OutcomeUnknown("YouTube took the end of the upload but named no video.")

    def _put(self, offset: int) -> Standing:
        """One chunk through the library; its `resumable_progress` says where to begin and, after, how far it came."""
        self._request.resumable_progress = offset
        self._request.resumable_uri = self._uri  # the library would follow an answer that names another one
        try:
            _, video = self._request.next_chunk()
        except HttpError as e:
            if e.resp.status in _GONE:
                return Standing(is_gone=True)
            raise
        if video is None:
            return Standing(offset=self._request.resumable_progress)
        return Standing(is_done=True, published=_named(video))

    def _within(self, offset: int) -> int:
        """A session that keeps every byte and has not ended is sent its last step again: an empty one is no chunk."""
        return min(offset, (self._size - 1) // STEP_BYTES * STEP_BYTES)


class _Chunks(MediaFileUpload):  # type: ignore[misc]
    def has_stream(self) -> bool:
        """False: chunks are bytes. The library's stream is spent by the first try, and a second would hang."""
        return False


def next_offset(kept: str | None) -> int:
    """The first byte YouTube lacks, from the `Range` header of a 308; no header means it keeps nothing."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d+)", (kept or "").strip())
    return int(match[1]) + 1 if match else 0


def _chunks(media: MediaFile) -> MediaFileUpload:
    try:
        chunks = _Chunks(str(media.path), mimetype="video/mp4", chunksize=CHUNK_BYTES, resumable=True)
    except OSError as e:
        raise LocalFailed(f"The file to be sent could not be read: {e.strerror}.") from e
    if chunks.size() != media.size_bytes:
        raise LocalFailed(f"The file to be sent has {chunks.size()} bytes instead of {media.size_bytes}.")
    return chunks


def _checked(uri: str) -> str:
    """We send our sign-in there, so it must be Google's."""
    parts = urlsplit(uri)
    if parts.scheme != "https" or not (parts.hostname or "").endswith(".googleapis.com"):
        raise ContractChanged("YouTube named a session that is not at Google.", raw=redacted(uri))
    return uri


def _published(content: bytes) -> Published | None:
    try:
        return _named(json.loads(content))
    except ValueError:
        return None


def _named(video: Any) -> Published | None:
    """The publication a `video` resource is about; None where it is no such resource."""
    if not isinstance(video, dict) or not isinstance(video.get("id"), str):
        return None
    return Published(video["id"], f"https://www.youtube.com/shorts/{video['id']}")
