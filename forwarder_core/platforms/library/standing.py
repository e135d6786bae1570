"""How each video of the folder stands: its words, its time, and what still keeps it from being a post.

What lives here: that one decision, for the source, which shows posts, and the intake, which lists files. What does not:
finding files (folder.py) and words (words.py).
The fact to know: a post's time is the date its owner wrote, else when the file came into the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.domain.sheets import SHEET, Sheet
from forwarder_core.platforms.library import words
from forwarder_core.platforms.library.folder import Video


@dataclass(frozen=True, slots=True)
class Standing:
    """`waits_for` None = it is a post. `name`: what its owner calls the file."""

    caption: str
    posted_at: datetime
    name: str
    waits_for: str | None


def standing(video: Video, sheet: Sheet, now: datetime, settle: timedelta) -> Standing:
    beside = words.beside(video.path)
    changed_at = max(video.facts.changed_at, beside.facts.changed_at if beside else video.facts.changed_at)
    line = sheet.line(video.path.name)
    at = (beside.line.at if beside else None) or line.at
    waits_for = None
    if sheet.holds(video.path.name):
        waits_for = f"its row in {SHEET} is wrong"
    elif at is not None and at > now:
        waits_for = "its date is still to come"
    elif now - changed_at < settle:
        waits_for = "still being written"
    caption = beside.line.caption if beside else line.caption
    return Standing(
        caption, at or video.facts.changed_at, (beside.name if beside else "") or video.path.name, waits_for
    )
