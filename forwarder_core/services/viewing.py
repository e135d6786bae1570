"""Viewing: the kept files of a job, for the player beside it, and how good its rendition is, when somebody asks.

What lives here: which files there are (source, rendition, cover) until retention takes them, and the comparison of two
of them. What does not: serving bytes (the API), what quality is (media.quality).
The fact to know: a path comes from the job's folder and a fixed name, never from a request; a file whose length is not
its row's is one that is being written, and is not shown.
"""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from forwarder_core.db import media_library, overviews, people, publications
from forwarder_core.domain.media_library import Brought
from forwarder_core.errors import Conflict, NotFound, StepFailed
from forwarder_core.media import quality
from forwarder_core.media.plan import Plan
from forwarder_core.media.slots import Slots
from forwarder_core.media.store import MediaStore
from forwarder_core.services import jobs, templates
from forwarder_core.services.context import Core
from forwarder_core.services.fetching import FETCHED, stored_file
from forwarder_core.services.journal import about
from forwarder_core.services.transforming import RENDITION, ffmpeg_of


class Part(StrEnum):
    """A file of a job that can be looked at."""

    SOURCE = "source"
    RENDITION = "rendition"
    COVER = "cover"


MEDIA_TYPES = {Part.SOURCE: "video/mp4", Part.RENDITION: "video/mp4", Part.COVER: "image/jpeg"}
_GONE = "Files are kept for `retention.media_days` after a job's end; those of a job that failed for good go at once."


def part_of(core: Core, job_id: int, part: Part) -> Path:
    """The file. Raises NotFound where the job, or this file of it, is not there (any more)."""
    jobs.get(core, job_id)
    found = _part(core, job_id, part)
    if found is None:
        raise NotFound(f"The {part} of job {job_id} is not kept.", action=_GONE)
    return found


def parts(core: Core, job_id: int) -> list[Part]:
    """What can be looked at now."""
    return [part for part in Part if _part(core, job_id, part) is not None]


def addresses(core: Core, job_id: int) -> dict[str, str]:
    """Where each kept file is served."""
    return {part: f"/api/jobs/{job_id}/media/{part}" for part in parts(core, job_id)}


def library(
    core: Core,
    *,
    before: int,
    limit: int,
    q: str | None = None,
    account_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[tuple[Brought, dict[str, str]]]:
    """Everything that arrived somewhere, the latest first, each with the addresses of its files that are still kept."""
    wish = media_library.Wish(q=q, account_id=account_id, since=since, until=until)
    with core.begin() as tx:
        found = media_library.page(tx, wish, before_id=before, limit=limit)
    return [(one, addresses(core, one.job_id)) for one in found]


def judge(core: Core, job_id: int, *, who: str) -> dict[str, Any]:
    """Compare the rendition with its source, keep the figures in the receipt, and return the receipt.

    Raises NotFound, Conflict where a file is not kept any more or cannot be compared.
    """
    source, made = (stored_file(core, job_id, kind) for kind in (FETCHED, RENDITION))
    with core.begin() as tx:
        jobs.found(tx, job_id)
        kept = overviews.plan_of(tx, job_id)
    if source is None or made is None or "receipt" not in kept:
        raise Conflict(f"Job {job_id} has no source and rendition to compare.", action=_GONE)
    chosen = Plan.of_dict(kept)
    image = templates.path_of(core, chosen.image) if chosen.image else None
    slots = Slots(MediaStore(core.media_root).slots, os.cpu_count() or 1)
    try:
        with slots.take():
            found = quality.measure(
                chosen,
                source.path,
                made.path,
                (made.width, made.height),
                ffmpeg=ffmpeg_of(core.settings.ffmpeg),
                image=image,
            )
    except StepFailed as e:
        raise Conflict(f"The two files could not be compared. {e.message}", action=e.action) from e
    with core.begin() as tx:
        publications.note_quality(tx, job_id, found.to_dict())
        people.audit(tx, who=who, what="quality_measured", target=f"job:{job_id}", now=core.clock.now())
    about(job_id=job_id).info("Job %s: quality measured: %s", job_id, found.words)
    receipt: dict[str, Any] = kept["receipt"] | {"quality": found.to_dict()}
    return receipt


def _part(core: Core, job_id: int, part: Part) -> Path | None:
    if part is not Part.COVER:
        found = stored_file(core, job_id, FETCHED if part is Part.SOURCE else RENDITION)
        return found.path if found else None
    cover = MediaStore(core.media_root).folder(job_id).cover
    return cover if cover.is_file() else None
