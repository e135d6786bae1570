"""Files handed to a library over the wire and what became of each; and the media library of all that arrived."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from admin_app.api.schemas.base import Instant, Out, PageQuery, RowId, Words
from forwarder_core.domain.media_library import Brought
from forwarder_core.domain.posts import Fate
from forwarder_core.services.handing_in import HandedIn, LibraryFile


class FilesQuery(PageQuery):
    """`cursor` counts files."""

    limit: int = Field(100, ge=1, le=500)


class MediaQuery(PageQuery):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    q: Words | None = Field(None, max_length=200, description="Beginnings of words of the caption")
    account: RowId | None = Field(None, description="At either end")
    since: Instant | None = Field(None, alias="from")
    until: Instant | None = Field(None, alias="to")


class MediaOut(Out):
    """A post that arrived somewhere. `files`: where each file that is still kept is served, to players too (`Range`);
    the figures are of the file that was sent."""

    job_id: int
    connection_id: int
    connection: str
    source_account_id: int
    destination_account_id: int
    caption: str
    source_url: str
    destination_post_id: str | None
    destination_url: str | None
    completed_at: datetime | None
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    sha256: str
    files: dict[str, str]

    @classmethod
    def of(cls, one: Brought, files: dict[str, str]) -> MediaOut:
        return cls(**asdict(one), files=files)


class HandedInOut(Out):
    """`stored_as` null: a file of the same content, called `same_as`, was there already."""

    name: str
    account_id: int
    account: str
    id: str
    stored_as: str | None
    same_as: str | None

    @classmethod
    def of(cls, one: HandedIn) -> HandedInOut:
        return cls(
            name=one.name,
            account_id=one.account_id,
            account=one.account,
            id=one.id,
            stored_as=one.stored_as,
            same_as=one.same_as,
        )


class HandedInDone(Out):
    status: Literal["success"] = "success"
    files: list[HandedInOut]
    message: str


class FateOut(Out):
    connection_id: int
    connection: str
    verdict: str
    rule: str
    job_id: int | None
    job_status: str | None

    @classmethod
    def of(cls, fate: Fate) -> FateOut:
        return cls(
            connection_id=fate.connection_id,
            connection=fate.connection,
            verdict=fate.verdict,
            rule=fate.rule,
            job_id=fate.job_id,
            job_status=fate.job_status,
        )


class LibraryFileOut(Out):
    """`waiting`: no post yet, `waits_for` says why. `unseen`: nobody has looked since. `seen`: `connections` tells
    what each connection made of it."""

    id: str
    name: str
    stored_as: str
    size_bytes: int
    caption: str
    at: datetime
    state: Literal["waiting", "unseen", "seen"]
    waits_for: str | None
    connections: list[FateOut]

    @classmethod
    def of(cls, one: LibraryFile) -> LibraryFileOut:
        return cls(
            id=one.file.id,
            name=_readable(one.file.name),
            stored_as=_readable(one.file.stored_as),
            size_bytes=one.file.size_bytes,
            caption=one.file.caption,
            at=one.file.at,
            state="seen" if one.state == "seen" else "waiting" if one.state == "waiting" else "unseen",
            waits_for=one.file.waits_for,
            connections=[FateOut.of(fate) for fate in one.fates],
        )


def _readable(name: str) -> str:
    """A name on a disk may be no text."""
    return name.encode("utf-8", "replace").decode()
