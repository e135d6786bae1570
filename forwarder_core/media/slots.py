"""How many transforms this machine runs at once: a semaphore over lock files, shared by every process.

What lives here: taking and giving back a slot. What does not: how many there are (the caller; as many as cores).
The fact to know: the kernel drops a lock when its process dies, so a killed worker blocks nobody. The lock files
themselves stay; deleting one while it is held would let two processes hold the same slot.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from forwarder_core.errors import LocalFailed
from forwarder_core.media.failures import Cancelled

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Slots:
    """`count` slots under `folder`, of a `kind`. More encodes than cores only raise memory and latency (measured)."""

    folder: Path
    count: int
    kind: str = "encode"

    @property
    def of_copies(self) -> Slots:
        """For what makes no picture anew: a tenth of a second of a core and 23 MB each, a dozen at once in a burst."""
        return replace(self, count=2 * self.count, kind="copy")

    @contextlib.contextmanager
    def take(
        self, *, cancelled: Callable[[], bool] | None = None, waiting: Callable[[float], None] | None = None
    ) -> Iterator[int]:
        """Hold a slot; gives its number. `waiting(seconds)` is called while none is free. Raises Cancelled."""
        started = time.monotonic()
        while (held := self._try()) is None:
            if cancelled is not None and cancelled():
                raise Cancelled("The transform was stopped while it waited for its turn.")
            if waiting is not None:
                waiting(time.monotonic() - started)
            time.sleep(_POLL_S)
        number, lock = held
        try:
            yield number
        finally:
            os.close(lock)

    def _try(self) -> tuple[int, int] | None:
        for number in range(max(1, self.count)):
            lock = self._open(number)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return number, lock
        return None

    def _open(self, number: int) -> int:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self.folder / f"{self.kind}-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise LocalFailed(f"A lock of the transforms could not be opened: {e.strerror}.") from e
