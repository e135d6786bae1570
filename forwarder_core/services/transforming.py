"""Transforming: make the rendition the destination takes, with the fewest steps, and a cover beside it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from forwarder_core import crashpoints
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import MediaFile
from forwarder_core.db.connections import transform_of
from forwarder_core.domain.jobs import Errand
from forwarder_core.media import receipt
from forwarder_core.media.plan import Plan, plan
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.progress import Progress
from forwarder_core.media.render import render
from forwarder_core.media.slots import Slots
from forwarder_core.media.store import MediaStore
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from forwarder_core.services import templates
from forwarder_core.services.carrying import Carrier, StepReport
from forwarder_core.services.fetching import StoredFile, keep_file, stored_file

RENDITION = "rendition"


@cache
def ffmpeg_of(configured: Path | None) -> Ffmpeg:
    """Looked for once per process: asking a binary what it can do takes longer than most steps."""
    return find_ffmpeg(configured)


def transform(carrier: Carrier, report: StepReport, errand: Errand, source: StoredFile) -> MediaFile:
    """The rendition, made now or in an earlier attempt."""
    core = carrier.core
    store = MediaStore(core.media_root)
    kept = stored_file(core, errand.job.id, RENDITION)
    if kept is not None:
        report.info("Already transformed in an earlier attempt (%.1f MB)", kept.size_bytes / 1e6)
        return _media_file(kept, store.folder(errand.job.id).cover)
    folder = store.open(errand.job.id, expected_bytes=source.size_bytes)
    ffmpeg = ffmpeg_of(core.settings.ffmpeg)
    facts = probe(source.path)
    limits = registry.limits(errand.destination.platform).media
    chosen = plan(facts, transform_of(errand.transform_options), limits, can_tone_map=ffmpeg.can_tone_map)
    image = templates.layout_image(core, chosen.image) if chosen.image else None
    _say_plan(report, facts, chosen)

    def progress(at: Progress) -> None:
        report.progress(at.fraction or 0.0, f"{(at.fraction or 0.0):.0%}")

    crashpoints.at("transform.before")
    made = render(
        chosen,
        source.path,
        folder.rendition,
        ffmpeg=ffmpeg,
        progress=progress,
        cover=folder.cover,
        slots=Slots(store.slots, os.cpu_count() or 1),
        image=image,
    )
    crashpoints.at("transform.after_file")
    values: dict[str, object] = {
        "path": str(made.path),
        "size_bytes": made.size_bytes,
        "sha256": made.sha256,
        "duration_ms": made.duration_ms,
        "width": made.width,
        "height": made.height,
    }
    kept_plan = chosen.to_dict() | {"cpu_s": round(made.cpu_s, 3), "receipt": receipt.of(facts, made)}
    keep_file(carrier, RENDITION, values | {"plan": kept_plan})
    crashpoints.at("transform.after_row")
    report.info(
        "Transformation complete (%.1f MB → %.1f MB, %s×%s, %.1f seconds)",
        source.size_bytes / 1e6,
        made.size_bytes / 1e6,
        made.width,
        made.height,
        made.seconds,
    )
    return MediaFile(
        path=made.path,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        duration_ms=made.duration_ms,
        width=made.width,
        height=made.height,
        cover=made.cover,
    )


def rendition_of(carrier: Carrier, job_id: int) -> MediaFile | None:
    kept = stored_file(carrier.core, job_id, RENDITION)
    return None if kept is None else _media_file(kept, MediaStore(carrier.core.media_root).folder(job_id).cover)


def _media_file(kept: StoredFile, cover: Path) -> MediaFile:
    return MediaFile(
        path=kept.path,
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        duration_ms=kept.duration_ms,
        width=kept.width,
        height=kept.height,
        cover=cover if cover.exists() else None,
    )


def _say_plan(report: StepReport, facts: Probe, chosen: Plan) -> None:
    report.info(
        "Input: %s×%s, %.0f fps, %s, %.1f MB",
        facts.width,
        facts.height,
        facts.fps_avg,
        facts.video_codec,
        facts.size_bytes / 1e6,
    )
    report.info("Applying transformations: %s", chosen.words)
    for reason in chosen.reasons:
        report.info("Why: %s", reason)
    for note in chosen.notes:
        report.info("Note: %s", note)
