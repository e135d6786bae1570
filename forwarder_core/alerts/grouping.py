"""When alerts of one cause go out alone and when together: the pure decision of the sender.

The promise: a lone alert goes at once; a storm of one cause makes at most three messages a minute, however it comes.
The first one or two go alone. When more come, they wait: a few seconds to see how many they are; then a handful goes
one by one, and what is more than a handful becomes one digest, as soon as a minute has passed since the last message
of that cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)
AT_ONCE = 2
HANDFUL = 5
GATHER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Due:
    """A message that may go out, of a cause; `created_at` of the event."""

    id: int
    cause: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes out as one message."""

    ids: tuple[int, ...]

    @property
    def is_digest(self) -> bool:
        return len(self.ids) > 1


def parcels(due: Sequence[Due], sent_by_cause: Mapping[str, int], now: datetime) -> list[Parcel]:
    """What to send now, oldest first. `sent_by_cause`: messages of each cause within the last WINDOW."""
    by_cause: dict[str, list[Due]] = {}
    for message in due:
        by_cause.setdefault(message.cause, []).append(message)
    made = [
        parcel for cause, waiting in by_cause.items() for parcel in _of_cause(waiting, sent_by_cause.get(cause, 0), now)
    ]
    return sorted(made, key=lambda parcel: parcel.ids[0])


def _of_cause(waiting: list[Due], sent: int, now: datetime) -> list[Parcel]:
    total = sent + len(waiting)
    if total <= AT_ONCE:
        return [Parcel((message.id,)) for message in waiting]
    if now - min(message.created_at for message in waiting) < GATHER:
        return []
    if total <= HANDFUL:
        return [Parcel((message.id,)) for message in waiting]
    return [Parcel(tuple(message.id for message in waiting))] if not sent else []
