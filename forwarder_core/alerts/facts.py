"""What a message is made from: the stored facts of an event, and the frame every message of this installation has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from forwarder_core.errors import failure_classes

_SHORT = {"instagram": "Insta"}  # as in Insta→YouTube
_LONG = {"instagram": "Instagram", "youtube": "YouTube", "tiktok": "TikTok"}


@dataclass(frozen=True, slots=True)
class Frame:
    """`base_url` without a slash at its end. `mention`: @names added below, or nothing.

    `has_buttons`: somebody hears when one is pressed.
    """

    app_name: str
    base_url: str
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    mention: str = ""
    has_buttons: bool = False

    def url(self, path: str) -> str:
        return self.base_url + path

    def time(self, at: datetime | None) -> str | None:
        """`2025-10-17 10:45:00 IST`"""
        return None if at is None else at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")


class Facts:
    """A payload, read without trust: a fact that is missing or of another shape is None."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload

    def __contains__(self, name: str) -> bool:
        return self._payload.get(name) not in (None, "", [], {})

    def get(self, name: str) -> Any:
        return self._payload.get(name)

    def text(self, name: str, default: str = "") -> str:
        value = self._payload.get(name)
        return default if value is None else str(value)

    def number(self, name: str) -> float | None:
        value = self._payload.get(name)
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def count(self, name: str) -> int | None:
        value = self.number(name)
        return None if value is None else int(value)

    def time(self, name: str) -> datetime | None:
        try:
            at = datetime.fromisoformat(str(self._payload.get(name)))
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    def part(self, name: str) -> Facts:
        value = self._payload.get(name)
        return Facts(value if isinstance(value, Mapping) else {})

    def items(self, name: str) -> Sequence[Any]:
        value = self._payload.get(name)
        return value if isinstance(value, (list, tuple)) else ()

    @property
    def error_title(self) -> str:
        """The error's class in words."""
        code = self.text("code")
        known = failure_classes().get(code)
        return known.title if known else code.replace("_", " ").capitalize()


def platform_name(platform: str) -> str:
    return _LONG.get(platform, platform.replace("_", " ").title())


def route(source: str, destination: str) -> str:
    """`Insta→YouTube`"""
    return f"{_SHORT.get(source, platform_name(source))}→{platform_name(destination)}"


def span(seconds: float) -> str:
    """`10 s`, `5 min`, `2 h`, `3 days`"""
    for unit, length, name in ((timedelta(days=2), 86_400, "days"), (timedelta(hours=2), 3_600, "h")):
        if seconds >= unit.total_seconds():
            return f"{seconds / length:.0f} {name}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
