"""What every fork that is to go on working needs: proof that its parent may be forked, and to die with its parent.

What lives here: both, for the stems (stem) and the warm launcher, and the death of any child with its parent. What does
not: whom to fork, and when. The fact to know: the kernel's parent-death signal is cleared by setuid and belongs to the
thread that is the parent, so it is set last, and children are started from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from forwarder_core.errors import StartError

_PR_SET_PDEATHSIG = 1


class NotForkable(StartError):
    code = "launcher_not_forkable"
    action = "Start with FORWARDER_LAUNCHER=default, and report which library was updated last."


def prove_forkable() -> None:
    """A lock that another thread holds at a fork stays locked in the child for ever. Raises NotForkable."""
    ours = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if ours:
        raise NotForkable(f"A library started threads when it was imported: {', '.join(ours)}.")
    tasks = Path("/proc/self/task")  # those that Python does not know of
    if tasks.is_dir() and len(list(tasks.iterdir())) > 1:
        raise NotForkable("A library started threads of its own when it was imported.")


def following(parent: int, number: int) -> Callable[[], None] | None:
    """For a child to call: it gets this signal when `parent` dies, and ends if that has happened already."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return in_child
