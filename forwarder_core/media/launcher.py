"""Starts a program that must die with its parent: used where `setpriv` is missing. Run as a script, never imported.

`launcher.py <parent pid> <limits> <program> <argument>…` leaves the network, takes the limits (`core=0,data=…`), asks
the kernel to kill it with its parent, lowers its own priority and becomes the program. A `preexec_fn` would do the same
inside a fork of a threaded process, where it can deadlock.
The fact to know: the kernel means the parent THREAD. Whoever starts ffmpeg waits for it in the same thread.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NICE = 10


def main(parent: str, limits: str, *argv: str) -> None:
    if sys.platform == "linux":
        import ctypes

        kernel = ctypes.CDLL(None)
        if kernel.unshare(_CLONE_NEWNET):  # only root may; others in a user namespace of their own
            kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after the namespace, which would make the kernel forget it
        if os.getppid() != int(parent):  # it died before the line above
            raise SystemExit(1)
    for name, _, value in (limit.partition("=") for limit in limits.split(",")):
        with contextlib.suppress(ValueError, OSError, AttributeError):  # a system without it, or a lower one in force
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (int(value), int(value)))
    os.nice(_NICE)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
