"""One upload through a container: opened, asked where it stands, sent, waited for.

What lives here: the protocol, each step as one function. What does not: in which order, and what is recorded in
between (`graph_destination`).
The fact to know: a container lives 24 hours and is the only memory of an upload. Meta promises that an interrupted one
may go on but documents no way to ask how far it came; its upload host answers a GET with `offset`, which is used where
it is given, and where it is not the file is sent again from its first byte, at no harm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from forwarder_core.connectors.base import Draft, MediaFile
from forwarder_core.errors import (
    AuthInvalid,
    ContractChanged,
    DestinationDailyLimit,
    LocalFailed,
    PlatformTransient,
    SessionGone,
    SourceGone,
)
from forwarder_core.platforms.instagram.graph_client import (
    UPLOAD_URI,
    GraphClient,
    Json,
    Variant,
    objects,
    text,
    upload_uri,
)
from forwarder_core.platforms.instagram.graph_errors import is_unknown_parameter, processing_failure

QUOTA_ASK_AGAIN_S = 3600.0  # the window slides: a place may be free long before 24 h are over
_CHUNK_BYTES = 256 * 1024
_NO_BYTES_TAKEN = "Connect the account with the Facebook login, through its page: Meta takes files only there."


class Status(StrEnum):
    """`status_code` of a container."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"
    GONE = ""  # ours: Meta does not know the container


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to rest before each further look at a container. Meta advises a look a minute for five minutes; a short
    Reel is ready within seconds."""

    looks_s: tuple[float, ...] = (1, 2, 3, 5, 10, 15, 30, 45, 60, 60, 60)
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Container:
    id: str
    uri: str

    @property
    def reference(self) -> str:
        return json.dumps({"id": self.id, "uri": self.uri})

    @classmethod
    def of(cls, reference: str) -> Container:
        try:
            known = json.loads(reference)
            return cls(str(known["id"]), str(known["uri"]))
        except (ValueError, KeyError, TypeError) as e:
            raise SessionGone("The stored upload is not one of the Graph API.") from e


def check_quota(client: GraphClient, ig_user_id: str) -> tuple[int, int] | None:
    """Meta's own count of the last 24 hours and its limit, believed whatever its pages say elsewhere."""
    limits = objects(client.get(f"{ig_user_id}/content_publishing_limit", fields="config,quota_usage"), "data")
    if not limits:
        return None
    used, config = limits[0].get("quota_usage"), limits[0].get("config")
    total = config.get("quota_total") if isinstance(config, dict) else None
    if not isinstance(used, int) or not isinstance(total, int) or used < 0 or total < 1:
        raise ContractChanged("Meta's answer about the posting limit came without its numbers.")
    if used >= total:
        raise DestinationDailyLimit(
            f"The account has used {used} of Instagram's {total} posts in 24 hours.",
            retry_after_s=QUOTA_ASK_AGAIN_S,
        )
    return used, total


def open_container(client: GraphClient, ig_user_id: str, draft: Draft) -> Container:
    fields = {
        "media_type": "REELS",
        "upload_type": "resumable",
        "caption": draft.caption.encode("utf-8", "ignore").decode(),  # a lone surrogate cannot be sent at all
        "share_to_feed": draft.options.get("share_to_feed", "true"),
    }
    if offset := draft.options.get("thumb_offset"):
        fields["thumb_offset"] = offset
    try:
        made = client.post(f"{ig_user_id}/media", **fields)
    except ContractChanged as e:
        if client.variant is Variant.INSTAGRAM and is_unknown_parameter(e):
            words = "Meta takes no file from an account connected with the Instagram login."
            raise AuthInvalid(words, raw=e.raw, action=_NO_BYTES_TAKEN) from e
        raise
    container = text(made, "id")
    return Container(container, upload_uri(str(made.get("uri") or UPLOAD_URI.format(container))))


def ask(client: GraphClient, container: Container) -> tuple[Status, str]:
    """Where the container stands, and Meta's words about it."""
    try:
        said = client.get(container.id, fields="id,status_code,status")
    except (SourceGone, SessionGone):
        return Status.GONE, ""
    try:
        return Status(text(said, "status_code")), str(said.get("status") or "")
    except ValueError as e:
        raise ContractChanged("Meta's upload is in a state not known here.", raw=str(said["status_code"])[:60]) from e


def kept(client: GraphClient, container: Container, total: int) -> int:
    """How many bytes Meta has, where it says so."""
    try:
        offset = client.upload_offset(container.uri).get("offset")
    except (ContractChanged, SourceGone, SessionGone):
        return 0
    return offset if isinstance(offset, int) and 0 < offset <= total else 0


def send_file(client: GraphClient, container: Container, media: MediaFile, offset: int) -> None:
    """The rest of the file in one request. Returns where Meta may have all of it: the container then says more."""
    try:
        if media.path.stat().st_size != media.size_bytes:
            raise LocalFailed("The file to be sent has changed since it was measured.")
        said = client.upload(container.uri, _bytes(media.path, offset), offset=offset, total=media.size_bytes)
    except OSError as e:
        raise LocalFailed(f"The file to be sent could not be read: {e.strerror}.") from e
    _check_taken(said)


def wait_until_ready(client: GraphClient, container: Container, patience: Patience) -> Status:
    """FINISHED or PUBLISHED. Raises the class of whatever else it came to."""
    for rest_s in (*patience.looks_s, None):
        status, words = ask(client, container)
        if status in (Status.FINISHED, Status.PUBLISHED):
            return status
        raise_if_dead(status, words)
        if rest_s is not None:
            patience.sleep(rest_s)
    raise PlatformTransient("Instagram is still processing the upload.")


def raise_if_dead(status: Status, words: str) -> None:
    if status is Status.ERROR:
        raise processing_failure(words)
    if status in (Status.EXPIRED, Status.GONE):
        raise SessionGone("The upload has expired: Instagram keeps one for 24 hours.")


def _check_taken(said: Json) -> None:
    if said.get("success") is not True:
        raise PlatformTransient("Meta did not confirm the upload.", raw=", ".join(sorted(said))[:100])


def _bytes(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(_CHUNK_BYTES):
            yield piece
