"""A post that was brought somewhere, as the media library shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """The file's figures are those of what was sent, whether it is still kept here or not."""

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
