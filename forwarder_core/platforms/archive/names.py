"""The names of files in an archive: `2026/11/2026-11-20_sunset-over-the-harbour_fw-0123456789.mp4`.

What lives here: making such a name of a title, and knowing one. Pure. What does not: the disk (shelf.py).
The fact to know: the marker at the end is unguessable and one publication's own, so that two posts never share a name,
and a post is found again by its name alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import date, datetime, timedelta

_SLUG_BYTES = 90  # a name may have 255 in all, 143 in an encrypted folder
_MARKER = re.compile(r"[A-Za-z0-9-]{1,32}", re.ASCII)
_RELATIVE = re.compile(r"\d{4}/\d{2}/\d{4}-\d{2}-\d{2}_[^/\\_\x00]{1,90}_[A-Za-z0-9-]{1,32}\.mp4", re.ASCII)


def relative_name(day: date, title: str, marker: str) -> str:
    """Path of the file below the archive, with slashes."""
    return f"{day:%Y/%m}/{day:%Y-%m-%d}_{slug(title)}{ending(marker)}"


def card_of(name: str) -> str:
    """The name of the card beside the file of this name."""
    return f"{name.removesuffix('.mp4')}.json"


def is_relative_name(name: str) -> bool:
    return _RELATIVE.fullmatch(name) is not None


def ending(marker: str) -> str:
    """How the name of this marker's file ends."""
    known = marker if _MARKER.fullmatch(marker) else hashlib.sha256(marker.encode("utf-8", "replace")).hexdigest()[:16]
    return f"_{known}.mp4"


def slug(title: str) -> str:
    """The title's letters, digits and their accents, in any script, joined by single hyphens. Everything else goes:
    separators, control characters, what reverses the direction of text."""
    plain = unicodedata.normalize("NFC", title).lower()
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain)
    joined = "-".join(kept.split()).encode("utf-8")[:_SLUG_BYTES].decode("utf-8", "ignore")
    return joined.strip("-") or "untitled"


def months(first: datetime, last: datetime) -> list[str]:
    """The folders of the months from one instant to another."""
    found, day = [], first.date().replace(day=1)
    while day <= last.date():
        found.append(f"{day:%Y/%m}")
        day = (day + timedelta(days=31)).replace(day=1)
    return found
