"""Which of an account's posts is the one whose upload ended in silence? Pure.

What lives here: comparing posts with the evidence, and the words for the admin. What does not: asking Instagram.
The fact to know: length and time alone prove nothing on an account that posts a lot, and Instagram sometimes drops a
caption. A post without any caption that fits otherwise is therefore neither ours nor not ours: the answer is UNKNOWN.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import timedelta

from forwarder_core.connectors.base import Evidence, Published, Reconciled, Trace
from forwarder_core.domain.posts import SeenPost

_LENGTH_TOLERANCE_MS = 1000  # Instagram converts the file and rounds
CLOCKS_DIFFER = timedelta(minutes=2)


def conclude(posts: Iterable[SeenPost], evidence: Evidence) -> Reconciled:
    fitting = list({p.platform_post_id: p for p in posts if _fits(p, evidence)}.values())
    ours = [post for post in fitting if _has_our_words(post, evidence)]
    bare = [post for post in fitting if not post.caption.strip()]
    if len(ours) == 1:
        found = ours[0]
        return Reconciled(
            Trace.PUBLISHED,
            Published(found.platform_post_id, found.url),
            f"caption, length and time agree with post {found.platform_post_id}",
        )
    if ours:
        return Reconciled(Trace.UNKNOWN, None, f"{len(ours)} posts agree in caption, length and time: {_ids(ours)}")
    if bare:
        return Reconciled(Trace.UNKNOWN, None, f"length and time agree, but there is no caption: {_ids(bare)}")
    return Reconciled(Trace.NOT_FOUND, None, "no post agrees in length and time with our caption")


def _fits(post: SeenPost, evidence: Evidence) -> bool:
    if post.duration_s is None or abs(post.duration_s * 1000 - evidence.duration_ms) > _LENGTH_TOLERANCE_MS:
        return False
    return evidence.not_before - CLOCKS_DIFFER <= post.posted_at <= evidence.not_after + CLOCKS_DIFFER


def _has_our_words(post: SeenPost, evidence: Evidence) -> bool:
    if evidence.marker and evidence.marker in post.caption:
        return True
    wanted = plain(evidence.caption)
    return bool(wanted) and plain(post.caption) == wanted


def plain(text: str) -> str:
    """As Instagram may give a caption back: composed characters, runs of white space as one."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _ids(posts: Iterable[SeenPost]) -> str:
    return ", ".join(post.platform_post_id for post in posts)
