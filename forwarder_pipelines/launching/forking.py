"""The fork itself: a child that does one piece of work and never comes back into the server's code.

What lives here: signals, groups and descriptors between fork and work. What does not: the work (runs).
The fact to know: the kernel kills a child whose server dies (PR_SET_PDEATHSIG, KILL). A run that outlived its server
could be stopped by nobody; one that died with it is proven dead at once, and its job goes on by its lease like that
of any dead worker. The child stays in the server's session, so whoever ends that session ends it too, and leads a
group of its own, so that it can be killed together with the ffmpeg it started.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from forwarder_core.embedded.forking import following

CRASHED = 70  # the work raised; EX_SOFTWARE
_HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
log = logging.getLogger("forwarder.launcher")

Work = Callable[[], int]


class Closable(Protocol):
    def close(self) -> None: ...


def fork(work: Work, not_theirs: Sequence[Closable]) -> int:
    """Start `work` in a child and return its pid; the child's exit code is what `work` returns.

    `not_theirs` is closed in the child. The caller must be single-threaded: a lock another thread held would stay
    locked in the child for ever.
    """
    follow = following(os.getpid(), signal.SIGKILL)
    # A signal that came before the child has handlers of its own would be counted as the server's, and lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _be_child(work, not_theirs, follow)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _be_child(work: Work, not_theirs: Sequence[Closable], follow: Callable[[], None] | None) -> NoReturn:
    code = CRASHED
    try:
        if follow is not None:
            follow()
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        for held in not_theirs:
            held.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
        code = work()
    except BaseException:  # the run boundary: nothing may unwind into the server's frames
        log.exception("A run's process failed outside the run")
    finally:
        logging.shutdown()
        os._exit(code)
