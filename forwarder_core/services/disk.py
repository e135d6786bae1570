"""The disk of FORWARDER_HOME: how much is free, and whether that is too little to fetch anything more."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from forwarder_core.domain.jobs import Dispatch
from forwarder_core.media.store import MediaStore
from forwarder_core.services.context import Core
from forwarder_core.services.tunables import Tuned

GB = 1e9


def free_bytes(core: Core) -> int:
    """Of the disk that holds FORWARDER_HOME, or will."""
    home = core.settings.home
    there: Path = next(path for path in (home, *home.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def gated(core: Core, tuned: Tuned, may: Callable[[Dispatch], bool]) -> Callable[[Dispatch], bool]:
    """`may`, and on a full disk only jobs whose file is here already: publishing them makes room, fetching none."""
    if may_fetch(core, tuned):
        return may
    store = MediaStore(core.media_root)
    return lambda job: store.folder(str(job.job_id)).source.exists() and may(job)


def may_fetch(core: Core, tuned: Tuned) -> bool:
    """False below `disk.stop_gb`: a full disk stops the database too, and then nothing can be told any more."""
    return free_bytes(core) >= tuned.number("disk.stop_gb") * GB
