"""Ids and addresses in the platforms' own forms. Pure; the counters that make ids unique live in `world`.

The fact to know: an Instagram shortcode is its 19-digit number in base 64, so clients compute one from the other.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

_INSTAGRAM_EPOCH = datetime(2011, 8, 24, 21, 7, 1, 721000, tzinfo=UTC)  # of its published id scheme
_URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def floor(platform: str, now: datetime) -> int:
    """The least number an id made at `now` may have, so that ids rise in time."""
    if platform == "instagram":
        return int((now - _INSTAGRAM_EPOCH).total_seconds() * 1000) << 23
    return 1


def post_id(platform: str, number: int, seed: str) -> str:
    if platform == "youtube":
        return _letters(f"{seed}/post/{number}", 8)
    return str(number) if platform == "instagram" else f"{number:012d}"


def account_id(platform: str, number: int, seed: str) -> str:
    if platform == "youtube":
        return "UC" + _letters(f"{seed}/channel/{number}", 16)
    return str(40_000_000_000 + number * 7919)


def post_url(platform: str, id_: str, username: str) -> str:
    if platform == "instagram":
        return f"https://www.instagram.com/reel/{shortcode(int(id_))}/"
    if platform == "youtube":
        return f"https://www.youtube.com/shorts/{id_}"
    return f"https://{platform}.example/{username}/{id_}"


def shortcode(number: int) -> str:
    code = ""
    while number:
        number, digit = divmod(number, 64)
        code = _URL_SAFE[digit] + code
    return code


def _letters(text: str, size: int) -> str:
    digest = hashlib.sha256(text.encode()).digest()[:size]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
