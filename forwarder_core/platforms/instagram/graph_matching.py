"""Which of an account's Reels came out of a container that ended in silence? Pure.

What lives here: comparing listed posts and the container's own word with the evidence. What does not: asking Meta.
The fact to know: the listing tells no length, so the container's status is the second signal beside caption and time.
Where the two contradict each other, or several posts fit, the answer is UNKNOWN and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from forwarder_core.connectors.base import Evidence, Published, Reconciled, Trace
from forwarder_core.domain.posts import SeenPost
from forwarder_core.platforms.instagram.matching import CLOCKS_DIFFER, plain


class Said(StrEnum):
    """What the container says of itself."""

    PUBLISHED = "it was published"
    NOT_PUBLISHED = "it was not published"
    BUSY = "it is still at work"
    NOTHING = "it is not known any more"


def conclude(posts: Iterable[SeenPost], evidence: Evidence, said: Said) -> Reconciled:
    around = list({post.platform_post_id: post for post in posts if _is_in_time(post, evidence)}.values())
    ours = [post for post in around if _has_our_words(post, evidence)]
    container = f"the upload says that {said}"
    if said is Said.BUSY:
        return Reconciled(Trace.UNKNOWN, None, container)
    if said is Said.NOT_PUBLISHED:
        if ours:
            words = f"{container}, yet a post agrees in caption and time: {_ids(ours)}"
            return Reconciled(Trace.UNKNOWN, None, words)
        return Reconciled(Trace.NOT_FOUND, None, f"{container}, and no post has our caption")
    if len(ours) == 1 and (said is Said.PUBLISHED or plain(evidence.caption)):
        found = ours[0]
        words = f"{container}; caption and time agree with post {found.platform_post_id}"
        return Reconciled(Trace.PUBLISHED, Published(found.platform_post_id, found.url), words)
    if ours:
        return Reconciled(Trace.UNKNOWN, None, f"{container}; {len(ours)} posts agree: {_ids(ours)}")
    if said is Said.PUBLISHED:
        return Reconciled(Trace.UNKNOWN, None, f"{container}, but no post with our caption is listed (yet)")
    bare = [post for post in around if not post.caption.strip()]
    if bare:
        return Reconciled(Trace.UNKNOWN, None, f"{container}; in time, but without a caption: {_ids(bare)}")
    return Reconciled(Trace.NOT_FOUND, None, f"{container}, and no post has our caption")


def _is_in_time(post: SeenPost, evidence: Evidence) -> bool:
    return evidence.not_before - CLOCKS_DIFFER <= post.posted_at <= evidence.not_after + CLOCKS_DIFFER


def _has_our_words(post: SeenPost, evidence: Evidence) -> bool:
    if evidence.marker and evidence.marker in post.caption:
        return True
    return plain(post.caption) == plain(evidence.caption)


def _ids(posts: Iterable[SeenPost]) -> str:
    return ", ".join(post.platform_post_id for post in posts)
