"""Rehearsals: what must be true before a connection starts, each check with what was found and what to do. Pure.

The fact to know: `failed` refuses a start, `warning` never does, and what could not be found out is not `ok`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """`text`: what was found, one sentence. `action`: what to do about it; empty where all is well."""

    name: str
    outcome: Outcome
    text: str
    action: str = ""

    @classmethod
    def ok(cls, name: str, text: str) -> Check:
        return cls(name, Outcome.OK, text)

    @classmethod
    def warning(cls, name: str, text: str, action: str) -> Check:
        return cls(name, Outcome.WARNING, text, action)

    @classmethod
    def failed(cls, name: str, text: str, action: str) -> Check:
        return cls(name, Outcome.FAILED, text, action)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of them."""
        found = {check.outcome for check in self.checks}
        return next((o for o in (Outcome.FAILED, Outcome.WARNING) if o in found), Outcome.OK)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)


def way_back(roads: Iterable[tuple[int, int]], source: int, destination: int) -> tuple[int, ...]:
    """The accounts a post passes from `destination` back to `source` over these roads (from, to), both ends included;
    empty where no way leads back."""
    onward: dict[int, list[int]] = {}
    for begin, end in roads:
        onward.setdefault(begin, []).append(end)
    waiting, came_from = deque([destination]), {destination: destination}
    while waiting:
        at = waiting.popleft()
        if at == source:
            way = [at]
            while way[-1] != destination:
                way.append(came_from[way[-1]])
            return tuple(reversed(way))
        for next_ in onward.get(at, ()):
            if next_ not in came_from:
                came_from[next_] = at
                waiting.append(next_)
    return ()
