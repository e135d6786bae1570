"""Starts a program that must die with its parent: used where `setpriv` is missing. Run as a script, never imported.

`launcher.py <parent pid> <program> <argument>…` asks the kernel to kill it with its parent, lowers its own priority
and becomes the program. A `preexec_fn` would do the same inside a fork of a threaded process, where it can deadlock.
The fact to know: the kernel means the parent THREAD. Whoever starts ffmpeg waits for it in the same thread.
"""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NICE = 10


def main(parent: str, *argv: str) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before the line above
            raise SystemExit(1)
    os.nice(_NICE)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
