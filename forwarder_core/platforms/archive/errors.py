"""What a failure of the disk is to the engine: every OSError of this folder ends here.

What lives here: the table from errno to class. What does not: retries, which the engine decides.
The fact to know: messages never name the folder: they reach logs, alerts and the API.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from forwarder_core.errors import AuthInvalid, LocalFailed, StepFailed

FREE_SPACE = "Free space on the disk of the archive; the job goes on by itself."
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """An OSError inside leaves as our own class. `what` opens the sentence: “The archive”."""
    try:
        yield
    except OSError as e:
        raise _failure(e, what) from e


def _failure(error: OSError, what: str) -> StepFailed:
    if error.errno in _FORBIDDEN:
        return AuthInvalid(
            f"{what} may not be read or written by this program.",
            action="Give the user this program runs as the right to write there.",
        )
    if error.errno in _FULL:
        return LocalFailed(f"{what} could not be written: the disk is full.", action=FREE_SPACE)
    return LocalFailed(
        f"{what} could not be used: {error.strerror}.",
        action="Check that the disk of the archive is there and its folder has not been moved.",
    )
