"""What happened beside the forwarding, as the charts mark it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class HappeningKind(StrEnum):
    TOKEN = "token"  # a credential was renewed
    PROXY = "proxy"  # changed by hand, down, up again, or with another exit
    SETTING = "setting"
    RELEASE = "release"
    INCIDENT = "incident"
    ANOMALY = "anomaly"


# Made of failures themselves: to ask whether failures follow them would be a circle.
CAUSELESS = (HappeningKind.INCIDENT, HappeningKind.ANOMALY)


@dataclass(frozen=True, slots=True)
class Happening:
    at: datetime
    kind: HappeningKind
    text: str

    @classmethod
    def of(cls, at: datetime, kind: str, text: str) -> Happening:
        return cls(at, HappeningKind(kind), text)
