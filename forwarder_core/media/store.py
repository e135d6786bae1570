"""Where the files of a job lie: one folder per job, private, alone.

What lives here: names, the guard of free space, cleaning up. What does not: how long files are kept (services).
The fact to know: one folder per job is a defence, not tidiness: a hostile file that made ffmpeg read a name beside
itself would find nothing of anybody else's there.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forwarder_core.errors import LocalFailed

KEEP_FREE_BYTES = 512 * 1024 * 1024
_TIMES_EXPECTED = 4  # source, part file, rendition, and as much again for the neighbours at work
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESULTS = frozenset({"source.mp4", "rendition.mp4", "cover.jpg"})


@dataclass(frozen=True, slots=True)
class JobFolder:
    """The files of one job. A path named here need not exist yet."""

    path: Path

    @property
    def source(self) -> Path:
        return self.path / "source.mp4"

    @property
    def rendition(self) -> Path:
        return self.path / "rendition.mp4"

    @property
    def cover(self) -> Path:
        return self.path / "cover.jpg"

    def clear_work(self) -> None:
        """Delete what a broken attempt left: everything but the source, the rendition and the cover."""
        with contextlib.suppress(FileNotFoundError):
            for entry in self.path.iterdir():
                if entry.name not in _RESULTS:
                    _delete(entry)

    @property
    def size_bytes(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return sum(entry.stat().st_size for entry in self.path.iterdir() if entry.is_file())
        return 0


@dataclass(frozen=True, slots=True)
class MediaStore:
    """All job folders, under `<root>/jobs`. `root` is absolute."""

    root: Path

    @property
    def slots(self) -> Path:
        """The folder of the encoders' lock files."""
        return self.root / "slots"

    def folder(self, job_id: int | str) -> JobFolder:
        """The folder of a job, without making it. Raises ValueError on an id that is no plain name."""
        name = str(job_id)
        if not _JOB_ID.fullmatch(name):
            raise ValueError(f"{name!r} is no job id")
        return JobFolder(self.root / "jobs" / name)

    def open(self, job_id: int | str, *, expected_bytes: int = 0) -> JobFolder:
        """Make the folder, for its owner only. Raises LocalFailed when the disk is too full for `expected_bytes`."""
        folder = self.folder(job_id)
        try:
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.path.chmod(0o700)
            free = shutil.disk_usage(folder.path).free
        except OSError as e:
            raise LocalFailed(f"The folder of job {job_id} could not be made: {e.strerror}.") from e
        need = max(KEEP_FREE_BYTES, _TIMES_EXPECTED * expected_bytes)
        if free < need:
            raise LocalFailed(
                f"The disk has {free / 1e6:,.0f} MB free; this video needs {need / 1e6:,.0f} MB.",
                action="Free space on the disk that holds FORWARDER_HOME, or keep media for fewer days.",
            )
        return folder

    def remove(self, job_id: int | str) -> None:
        """Delete a job's folder. Harmless when there is none."""
        _delete(self.folder(job_id).path)

    def bytes_of(self, job_id: int | str) -> int:
        """What a job's folder holds; 0 where there is none."""
        return sum(path.stat().st_size for path in self.folder(job_id).path.rglob("*") if path.is_file())

    def job_ids(self) -> Iterator[str]:
        """The ids that have a folder, for retention."""
        with contextlib.suppress(FileNotFoundError):
            for entry in sorted((self.root / "jobs").iterdir()):
                if entry.is_dir() and _JOB_ID.fullmatch(entry.name):
                    yield entry.name


def _delete(path: Path) -> None:
    """A folder is renamed first: a crash in between leaves a marked ruin, never a folder that looks whole."""
    try:
        if path.is_dir() and not path.is_symlink():
            ruin = path.with_name(f".{path.name}.deleted")
            shutil.rmtree(ruin, ignore_errors=True)
            path.rename(ruin)
            shutil.rmtree(ruin)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as e:
        raise LocalFailed(f"{path.name} could not be deleted: {e.strerror}.") from e
