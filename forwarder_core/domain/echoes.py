"""Is a new post one of ours? For posts whose id we were never told, and for videos put up again by hand. Pure.

An id we created is in the ledger and needs no judgement. The fact to know: several signals must agree, because the
price of a wrong yes is a post that is never forwarded.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.domain.posts import SeenPost

LOOK_BACK = timedelta(days=3)  # a publication is sought among new posts for so long
_CLOCKS_DIFFER = timedelta(minutes=10)
_SHOWN_WITHIN = timedelta(hours=6)  # after the irreversible call
_SHOWN_WITHIN_UNMEASURED = timedelta(minutes=15)  # where the source does not tell the length
_LENGTHS_DIFFER_S = 2.0
_DECORATION = re.compile(r"[#@][\w.]+|https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A publication that went out and whose id at its account we do not know."""

    publication_id: int
    root_post_id: int
    marker: str
    caption: str
    duration_ms: int | None
    committing_at: datetime


def why_ours(post: SeenPost, sent: Sent) -> str:
    """Which signals agree that the post is what was sent; "" where they do not."""
    if sent.marker and sent.marker in post.caption:
        return "it carries our mark"
    since = post.posted_at - sent.committing_at
    if not -_CLOCKS_DIFFER <= since <= _SHOWN_WITHIN or not (post.caption and same_words(post.caption, sent.caption)):
        return ""
    if post.duration_s is None or sent.duration_ms is None:
        return "caption and time agree" if since <= _SHOWN_WITHIN_UNMEASURED else ""
    same_length = abs(post.duration_s - sent.duration_ms / 1000) <= _LENGTHS_DIFFER_S
    return "caption, length and time agree" if same_length else ""


def same_words(caption: str, *ours: str) -> bool:
    """Does a caption say what one of ours says, hashtags, mentions and links aside? An empty one contradicts none."""
    said = _plain(caption)
    return not said or any(said == _plain(own) for own in ours)


def _plain(caption: str) -> str:
    composed = unicodedata.normalize("NFC", caption).casefold()
    return " ".join(_DECORATION.sub(" ", composed).split()) or " ".join(composed.split())
