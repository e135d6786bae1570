"""Words of the screens: states with their icon and colour, times with their zone, and text from outside made harmless.

Pure. A state is always an icon and a word, never a colour alone. The fact to know: Streamlit reads Markdown in most
texts, so what people wrote elsewhere (captions, names, errors) passes `plain` before it is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from forwarder_core.domain.accounts import AccountStatus, Rights
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus, Step, WaitReason

_LIMIT = {"max": "most", "min": "least", "s": "(s)", "hz": "(Hz)", "kbps": "(kbit/s)", "fps": "frames a second",
          "chars": "(characters)", "bytes": "size (bytes)"}  # fmt: skip
_UNITS = ("B", "kB", "MB", "GB", "TB")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&=@])")


Colour = Literal["gray", "blue", "green", "orange", "red"]


@dataclass(frozen=True, slots=True)
class Look:
    """`colour` is one of Streamlit's badge colours."""

    word: str
    icon: str
    colour: Colour


JOB = {
    JobStatus.QUEUED: Look("Queued", ":material/schedule:", "gray"),
    JobStatus.RUNNING: Look("Running", ":material/play_arrow:", "blue"),
    JobStatus.RETRY_WAIT: Look("Retrying", ":material/replay:", "orange"),
    JobStatus.CAPTCHA: Look("CAPTCHA", ":material/front_hand:", "orange"),
    JobStatus.PAUSED: Look("Paused", ":material/pause:", "orange"),
    JobStatus.UNCONFIRMED: Look("Unconfirmed", ":material/help:", "orange"),
    JobStatus.SUCCESS: Look("Published", ":material/check_circle:", "green"),
    JobStatus.DEAD: Look("Failed", ":material/error:", "red"),
    JobStatus.CANCELLED: Look("Cancelled", ":material/cancel:", "gray"),
}
LEVEL = {
    "info": Look("Info", ":material/info:", "blue"),
    "warning": Look("Warning", ":material/warning:", "orange"),
    "error": Look("Error", ":material/error:", "red"),
    "critical": Look("Critical", ":material/emergency:", "red"),
}
CONNECTION = {
    ConnectionStatus.ACTIVE: Look("Active", ":material/check_circle:", "green"),
    ConnectionStatus.PAUSED: Look("Paused", ":material/pause:", "orange"),
    ConnectionStatus.STOPPED: Look("Stopped", ":material/stop_circle:", "gray"),
}
STEP = {
    Step.FETCH: "Fetching",
    Step.TRANSFORM: "Transforming",
    Step.PUBLISH: "Publishing",
    Step.VERIFY: "Verifying",
}
WAIT = {
    WaitReason.BACKOFF: "after an error",
    WaitReason.RATE: "the platform asked to wait",
    WaitReason.QUOTA: "API quota used up",
    WaitReason.DAILY_LIMIT: "daily post limit reached",
    WaitReason.WINDOW: "until its connection publishes again",
    WaitReason.SPACING: "after the post before it",
    WaitReason.DRIP: "old post, its day has not come",
    WaitReason.SETTLING: "asking the destination what happened",
    WaitReason.ACCOUNT: "an account needs you",
    WaitReason.BREAKER: "too many failures in a row; resting",
    WaitReason.HOLD: "on hold",
    WaitReason.APPROVAL: "waits for approval",
}


RIGHTS = {
    Rights.UNDECLARED: "not said yet (needed before a connection starts)",
    Rights.OWN: "my own posts",
    Rights.LICENSED: "licensed to me",
}


def account_look(status: AccountStatus) -> Look:
    if status is AccountStatus.ACTIVE:
        return Look("Active", ":material/check_circle:", "green")
    words = str(status).replace("_", " ").replace("captcha", "CAPTCHA")
    colour: Colour = "orange" if status.is_usable else "red"
    return Look(words[0].upper() + words[1:], ":material/warning:", colour)


def limit(name: str) -> str:
    """The name of a platform's limit as a person says it: `media.max_duration_s` is `Media: most duration (s)`."""
    group, _, rest = name.partition(".")
    said = [_LIMIT.get(part, part) for part in rest.split("_")]
    return f"{group.capitalize()}: {' '.join(said)}"


def plain(text: str) -> str:
    """Text from outside as text: nothing in it is Markdown, a link, an icon or HTML any more. One line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def short(text: str, chars: int = 70) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1].rstrip() + "…"


def clock_time(at: datetime | None, zone: ZoneInfo) -> str:
    """With its zone, always: `5 Jan 2026, 17:30:00 IST`."""
    if at is None:
        return "–"
    here = at.astimezone(zone)
    return f"{here.day} {here:%b %Y, %H:%M:%S %Z}"


def count(n: int, noun: str, more: str = "") -> str:
    """`1 job`, `2 jobs`, `12,000 jobs`; `more` where the plural has more than an s."""
    return f"{n:,} {noun if n == 1 else more or noun + 's'}"


def size(n_bytes: float) -> str:
    """In the unit a person would say it in: `740 kB`, `4.5 MB`, `523 GB`."""
    step = next((step for step in range(4) if n_bytes < 999.5 * 1_000**step), 4)
    left = n_bytes / 1_000**step
    return f"{left:.1f} {_UNITS[step]}" if step > 1 and left < 99.95 else f"{left:.0f} {_UNITS[step]}"


def span(seconds: float) -> str:
    """A span in its two largest units."""
    left = max(0, round(seconds))
    for size, unit, smaller, small_unit in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size} {unit} {rest} {small_unit}" if rest else f"{left // size} {unit}"
    return f"{left} s"


def ago(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{span((now - at).total_seconds())} ago"
