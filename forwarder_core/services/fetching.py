"""Fetching: bring the source's file into the job's folder, or find that an earlier attempt brought it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forwarder_core import crashpoints
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import FetchedFile, MediaFile, Source
from forwarder_core.db import jobs, publications
from forwarder_core.domain.jobs import Errand
from forwarder_core.domain.publications import JobFile
from forwarder_core.media.probe import Probe, probe
from forwarder_core.media.store import MediaStore
from forwarder_core.services import recognizing
from forwarder_core.services.carrying import Carrier, StepReport
from forwarder_core.services.context import Core

FETCHED = "fetched"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a job as its row describes it."""

    path: Path
    size_bytes: int
    sha256: str
    duration_ms: int
    width: int
    height: int
    probe: Probe | None = None  # what was read of a fetched file, so that nobody reads it again


def fetch(carrier: Carrier, report: StepReport, errand: Errand, source: Source) -> StoredFile:
    """The post's file, as the source has it."""
    kept = whole(carrier.outset.files.get(FETCHED))
    if kept is not None:
        report.info("Already downloaded in an earlier attempt (%.1f MB)", kept.size_bytes / 1e6)
        return kept
    folder = MediaStore(carrier.core.media_root).open(errand.job.id, expected_bytes=50_000_000)
    folder.clear_work()
    report.info("Downloading video from %s...", registry.spec(errand.source.platform).title)

    def progress(done: int, total: int | None) -> None:
        report.progress(done / total if total else 0.0, f"{done / 1e6:.1f} MB")

    def bring() -> tuple[FetchedFile, Probe]:
        fetched = source.fetch(errand.platform_post_id, folder.source, progress)
        crashpoints.at("fetch.after_file")
        return fetched, probe(fetched.path)

    crashpoints.at("fetch.before")
    fetched, facts = bring()
    if errand.has_audio and not _is_heard(facts):
        report.info("The source says this post has sound, and the file has none: fetched once more")
        fetched, facts = bring()
        if not _is_heard(facts):
            report.info("Silent again: taken as it is")
    stored = StoredFile(
        path=fetched.path,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        duration_ms=round(facts.duration_s * 1000),
        width=facts.width,
        height=facts.height,
        probe=facts,
    )
    pictures = recognizing.fingerprint_of(carrier.core, errand, fetched.path, facts)
    keep_file(carrier, FETCHED, row_of(stored) | {"plan": {"probe": facts.to_dict()}, "fingerprint": pictures})
    crashpoints.at("fetch.after_row")
    report.fact(bytes_fetched=fetched.size_bytes)
    report.info("Download complete (%.1f MB, %.0f seconds)", fetched.size_bytes / 1e6, facts.duration_s)
    return stored


def row_of(stored: StoredFile | MediaFile) -> dict[str, object]:
    """A file of a job as its row has it."""
    names = ("size_bytes", "sha256", "duration_ms", "width", "height")
    return {name: getattr(stored, name) for name in names} | {"path": str(stored.path)}


def _is_heard(facts: Probe) -> bool:
    """Platforms at times serve a Reel without its sound, and the next time with it."""
    return facts.has_audio and not facts.is_silent


def stored_file(core: Core, job_id: int, kind: str) -> StoredFile | None:
    """The job's file of this kind, where it is `whole`."""
    with core.begin() as tx:
        return whole(publications.files_of(tx, job_id).get(kind))


def whole(row: JobFile | None) -> StoredFile | None:
    """Where both its row and the file are there, and that is as long as the row says."""
    if row is None or not _is_whole(row):
        return None
    return StoredFile(
        path=Path(row.path),
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        duration_ms=row.duration_ms,
        width=row.width,
        height=row.height,
        probe=_read(row.plan.get("probe")),
    )


def _read(kept: object) -> Probe | None:
    """None for a file kept by a version that wrote other facts: then it is read again."""
    try:
        return Probe.of_dict(kept) if isinstance(kept, dict) else None
    except (KeyError, TypeError, ValueError):
        return None


def keep_file(carrier: Carrier, kind: str, values: dict[str, object]) -> None:
    """Raises Fenced when the job is another's meanwhile: its file is not ours to replace."""
    with carrier.core.begin() as tx:
        if not jobs.is_held(tx, carrier.lease, lock=True):
            raise carrier.fence()
        publications.keep_file(tx, carrier.lease.job_id, kind, values | {"created_at": carrier.core.clock.now()})


def _is_whole(row: JobFile) -> bool:
    try:
        return Path(row.path).stat().st_size == row.size_bytes
    except FileNotFoundError:
        return False
