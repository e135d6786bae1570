"""Log files of child processes: appended to by the child itself, kept small by us.

The fact to know: a child writes through its own descriptor, so a log is never renamed under it. The descriptor is in
append mode: after a cut to nothing the child goes on at the beginning.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import BinaryIO

LIMIT_BYTES = 10_000_000


def open_log(path: Path) -> BinaryIO:
    """For a child to append to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trim(path)
    return path.open("ab")


def trim(path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move what is beyond the limit to `<name>.1`; lines written meanwhile may be lost."""
    try:
        if path.stat().st_size <= limit_bytes:
            return
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        with path.open("r+b") as log:
            log.truncate()
    except OSError:  # missing, or the disk is full: a log never stops the product
        return
