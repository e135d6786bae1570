"""How fast the sender goes: Telegram's limits, the pause it asks for, and longer and longer pauses while it is away.

In memory of the one process that sends; a restart forgets it, and Telegram's own 429 then says what is too much.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder_core.alerts.delivery import Address

# About 20 a minute are allowed in a group or channel, one a second to a person (not guaranteed); edits count.
GROUP_PER_MINUTE = 18
PERSON_PER_MINUTE = 50
_WINDOW = timedelta(seconds=60)
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0


@dataclass(slots=True)
class Pace:
    address: Address | None = None
    failures: int = 0
    closed_until: datetime | None = None
    pinged_at: datetime | None = None
    _sent: dict[str, deque[datetime]] = field(default_factory=dict)

    def meet(self, address: Address, *, is_mended: bool = False) -> None:
        """Another bot or chat starts afresh, and so does one whose trouble somebody else saw the end of."""
        if address != self.address or (is_mended and self.failures):
            self.address, self.failures, self.closed_until = address, 0, None

    def may_send(self, now: datetime) -> bool:
        return (self.closed_until is None or now >= self.closed_until) and self.room(now) > 0

    def room(self, now: datetime) -> int:
        """How many more calls the present minute takes."""
        if self.address is None:
            return 0
        sent = self._sent.setdefault(self.address.chat_id, deque())
        while sent and now - sent[0] >= _WINDOW:
            sent.popleft()
        return (GROUP_PER_MINUTE if self.address.is_shared else PERSON_PER_MINUTE) - len(sent)

    def count(self, now: datetime) -> None:
        """One more call of this chat."""
        if self.address is not None:
            self._sent.setdefault(self.address.chat_id, deque()).append(now)

    def succeeded(self) -> None:
        self.failures, self.closed_until = 0, None

    def failed(self, now: datetime) -> datetime:
        """Nothing is sent before the instant returned: 5 s, doubling up to 10 min."""
        self.closed_until = now + timedelta(seconds=pause_s(self.failures))
        self.failures += 1
        return self.closed_until

    def wait(self, until: datetime) -> datetime:
        """Telegram said for how long."""
        self.closed_until = until
        return until


def pause_s(failures: int) -> float:
    """The pause after so many failures before this one."""
    return min(_FIRST_PAUSE_S * 2.0 ** min(failures, 20), _LONGEST_PAUSE_S)
