"""What a failure of the disk is to the engine: every OSError of this folder ends here.

What lives here: the table from errno to class. What does not: retries, which the engine decides.
The fact to know: messages name the file, never the folder it lies in: they reach logs, alerts and the API.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from forwarder_core.errors import AuthInvalid, LocalFailed, StepFailed

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """An OSError inside leaves as our own class. `what` opens the sentence: “The library folder”."""
    try:
        yield
    except OSError as e:
        raise _not_read(e, what) from e


@contextmanager
def writing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise _not_written(e, what) from e


def _not_read(error: OSError, what: str) -> StepFailed:
    if error.errno in _FORBIDDEN:
        return AuthInvalid(
            f"{what} may not be read by this program.",
            action="Give the user this program runs as the right to read it.",
        )
    return LocalFailed(
        f"{what} could not be read: {error.strerror}.",
        action="Check that the disk is there and the folder has not been moved.",
    )


def _not_written(error: OSError, what: str) -> StepFailed:
    if error.errno in _FULL:
        return LocalFailed(
            f"{what} could not be written: the disk is full.",
            action="Free space on the disk that holds FORWARDER_HOME; the job goes on by itself.",
        )
    return LocalFailed(f"{what} could not be written: {error.strerror}.")
