"""Fetching: bring the source's file into the job's folder, or find that an earlier attempt brought it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Row

from forwarder_core import crashpoints
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Source
from forwarder_core.db import publications
from forwarder_core.domain.jobs import Errand
from forwarder_core.media.probe import probe
from forwarder_core.media.store import MediaStore
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


def fetch(carrier: Carrier, report: StepReport, errand: Errand, source: Source) -> StoredFile:
    """The post's file, as the source has it."""
    kept = stored_file(carrier.core, errand.job.id, FETCHED)
    if kept is not None:
        report.info("Already downloaded in an earlier attempt (%.1f MB)", kept.size_bytes / 1e6)
        return kept
    folder = MediaStore(carrier.core.media_root).open(errand.job.id, expected_bytes=50_000_000)
    folder.clear_work()
    report.info("Downloading video from %s...", registry.spec(errand.source.platform).title)

    def progress(done: int, total: int | None) -> None:
        report.progress(done / total if total else 0.0, f"{done / 1e6:.1f} MB")

    crashpoints.at("fetch.before")
    fetched = source.fetch(errand.platform_post_id, folder.source, progress)
    crashpoints.at("fetch.after_file")
    facts = probe(fetched.path)
    stored = StoredFile(
        path=fetched.path,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        duration_ms=round(facts.duration_s * 1000),
        width=facts.width,
        height=facts.height,
    )
    keep_file(carrier, FETCHED, asdict(stored) | {"path": str(stored.path)})
    crashpoints.at("fetch.after_row")
    report.fact(bytes_fetched=fetched.size_bytes)
    report.info("Download complete (%.1f MB, %.0f seconds)", fetched.size_bytes / 1e6, facts.duration_s)
    return stored


def stored_file(core: Core, job_id: int, kind: str) -> StoredFile | None:
    """The job's file of this kind, where both its row and the file are there and as long as the row says."""
    with core.begin() as tx:
        row = publications.file_of(tx, job_id, kind)
    if row is None or not _is_whole(row):
        return None
    return StoredFile(
        path=Path(row.path),
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        duration_ms=row.duration_ms,
        width=row.width,
        height=row.height,
    )


def keep_file(carrier: Carrier, kind: str, values: dict[str, object]) -> None:
    with carrier.core.begin() as tx:
        publications.keep_file(tx, carrier.lease.job_id, kind, values | {"created_at": carrier.core.clock.now()})


def _is_whole(row: Row[tuple[object, ...]]) -> bool:
    try:
        return bool(Path(row.path).stat().st_size == row.size_bytes)
    except FileNotFoundError:
        return False
