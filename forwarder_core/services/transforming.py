"""Transforming: make the rendition the destination takes, with the fewest steps, and a cover beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from forwarder_core import crashpoints
from forwarder_core.connectors.base import MediaFile
from forwarder_core.db.connections import transform_of
from forwarder_core.domain.jobs import Errand
from forwarder_core.domain.limits import MediaLimits
from forwarder_core.domain.publications import JobFile
from forwarder_core.domain.questions import Choice
from forwarder_core.domain.transforms import TooLong, TransformOptions
from forwarder_core.media import quality, reader, receipt
from forwarder_core.media.plan import Plan, plan
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.progress import Progress
from forwarder_core.media.render import Rendered, render
from forwarder_core.media.slots import Slots
from forwarder_core.media.store import JobFolder, MediaStore
from forwarder_core.media.tools import Ffmpeg, find_ffmpeg
from forwarder_core.services import approving, templates
from forwarder_core.services import limits as limits_service
from forwarder_core.services.carrying import Carrier, StepReport
from forwarder_core.services.context import Core
from forwarder_core.services.fetching import StoredFile, keep_file, row_of, whole

RENDITION = "rendition"
TOO_LONG = "too_long"  # the topic of the question about a video longer than its destination takes
_IF_TOO_LONG = (
    Choice(TooLong.TRIM, "Cut it to the length allowed"),
    Choice(TooLong.REJECT, "Do not forward it", ends=True),
)


@cache
def ffmpeg_of(configured: Path | None) -> Ffmpeg:
    """Looked for once per process: asking a binary what it can do takes longer than most steps."""
    return find_ffmpeg(configured)


def make_ready(core: Core) -> None:
    """Start and ask the programs of this machine once for all forks. Raises FfmpegMissing."""
    with suppress(OSError):  # then each file gets a reader of its own
        reader.keep()
    ffmpeg_of(core.settings.ffmpeg)


def transform(carrier: Carrier, report: StepReport, errand: Errand, source: StoredFile) -> MediaFile:
    """The rendition, made now or in an earlier attempt."""
    core = carrier.core
    store = MediaStore(core.media_root)
    kept = whole(carrier.outset.files.get(RENDITION))
    if kept is not None and (media := _media_file(kept)).cover is not None:
        report.info("Already transformed in an earlier attempt (%.1f MB)", kept.size_bytes / 1e6)
        return media
    folder = store.open(errand.job.id, expected_bytes=source.size_bytes)
    ffmpeg = ffmpeg_of(core.settings.ffmpeg)
    facts = source.probe or probe(source.path)
    limits = limits_service.of_platform(core, errand.destination.platform).media
    options = _options(carrier, errand, facts, limits)
    chosen = plan(facts, options, limits, can_tone_map=ffmpeg.can_tone_map)
    image = templates.layout_image(core, chosen.image) if chosen.image else None
    _say_plan(report, facts, chosen)
    crashpoints.at("transform.before")
    made = render(
        chosen,
        source.path,
        folder.rendition,
        ffmpeg=ffmpeg,
        progress=lambda at: report.progress(at.fraction, _note(at)),
        cover=folder.cover,
        slots=Slots(store.slots, os.cpu_count() or 1),
        image=image,
    )
    crashpoints.at("transform.after_file")
    judged = None
    if options.measure_quality:
        size = made.width, made.height
        judged = quality.measure(chosen, source.path, made.path, size, ffmpeg=ffmpeg, image=image)
        report.info("Quality: %s", judged.words)
    kept_plan = chosen.to_dict() | {"cpu_s": round(made.cpu_s, 3), "receipt": receipt.of(facts, made, judged)}
    media = _media_of(made)
    keep_file(carrier, RENDITION, row_of(media) | {"plan": kept_plan})
    crashpoints.at("transform.after_row")
    if made.seen is not None:
        report.info("Output checked: %s", _seen(made.seen))
    report.info(
        "Transformation complete (%.1f MB → %.1f MB, %s×%s, %.1f seconds)",
        source.size_bytes / 1e6,
        made.size_bytes / 1e6,
        made.width,
        made.height,
        made.seconds,
    )
    return media


def _note(at: Progress) -> str:
    left = f", about {at.eta_s:.0f} s left" if at.eta_s else ""
    return f"{at.fraction:.0%}{left}"


def _media_of(made: Rendered) -> MediaFile:
    return MediaFile(
        path=made.path,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        duration_ms=made.duration_ms,
        width=made.width,
        height=made.height,
        cover=made.cover,
    )


def _options(carrier: Carrier, errand: Errand, facts: Probe, limits: MediaLimits) -> TransformOptions:
    """The connection's; where it asks about a video that is too long, with a person's answer in them.

    Raises AwaitingAnswer while there is none.
    """
    options = replace(transform_of(errand.transform_options), mute=errand.is_muted)
    if options.too_long is not TooLong.ASK or facts.duration_s <= limits.max_duration_s:
        return options
    question = f"The video runs {facts.duration_s:.0f} s; {errand.destination.alias} takes {limits.max_duration_s:g} s."
    answer = approving.ask(carrier.core, carrier.lease, question, _IF_TOO_LONG, topic=TOO_LONG)
    return replace(options, too_long=TooLong(answer))


def rendition_of(files: Mapping[str, JobFile]) -> MediaFile | None:
    """The one among the job's files, where it is whole."""
    kept = whole(files.get(RENDITION))
    return None if kept is None else _media_file(kept)


def _media_file(kept: StoredFile) -> MediaFile:
    """With the cover that lies beside it; an upload that is gone on with asks for one as the first did."""
    cover = JobFolder(kept.path.parent).cover
    return MediaFile(
        path=kept.path,
        size_bytes=kept.size_bytes,
        sha256=kept.sha256,
        duration_ms=kept.duration_ms,
        width=kept.width,
        height=kept.height,
        cover=cover if cover.exists() else None,
    )


def _seen(facts: Probe) -> str:
    sound = facts.audio_codec or "no sound"
    size = f"{facts.width}×{facts.height}, {float(facts.fps_avg):.5g} fps, {facts.video_codec}, {sound}"
    return f"{size}, {facts.duration_s:.1f} s, {facts.size_bytes / 1e6:.1f} MB"


def _say_plan(report: StepReport, facts: Probe, chosen: Plan) -> None:
    report.info("Input: %s", _seen(facts))
    report.info("Applying transformations: %s", chosen.words)
    for reason in chosen.reasons:
        report.info("Why: %s", reason)
    for note in chosen.notes:
        report.info("Note: %s", note)
