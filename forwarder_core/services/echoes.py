"""Echoes: what we published ourselves is never a new post, also where nobody told us its id.

The ledger of ids (`origins`) is asked first, in detection; here it learns the ids it lacks, and here is what is said of
a video somebody put up again by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from forwarder_core.db import posts, publications
from forwarder_core.db.engine import Tx
from forwarder_core.domain import echoes
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.jobs import Errand
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.errors import AlreadyPublished
from forwarder_core.services.journal import about

SAME_VIDEO, BY_HAND = "fingerprint", "by_hand"


class SameVideo(AlreadyPublished):
    """The file is a video we brought to this very account, put up again by hand."""

    action = "Nothing, or press Retry on the job when it should be forwarded all the same."

    def __init__(self, message: str, *, root_post_id: int) -> None:
        super().__init__(message)
        self.root_post_id = root_post_id


def learn(tx: Tx, account: Account, new: Sequence[SourcePost], now: datetime) -> dict[str, int]:
    """Find among new posts of the account what we sent there without being told its id, and enter it in the ledger.

    Returns the root post by the platform's id, like the ledger itself.
    """
    waiting = publications.sent_without_id(tx, account.id, now - echoes.LOOK_BACK)
    found: dict[str, int] = {}
    for post in new if waiting else ():
        sent, why = next(((s, why) for s in waiting if (why := echoes.why_ours(post.post, s))), (None, ""))
        if sent is None:
            continue
        waiting.remove(sent)
        remote_id = post.post.platform_post_id
        posts.add_origin(
            tx,
            platform=account.platform,
            remote_id=remote_id,
            root_post_id=sent.root_post_id,
            publication_id=sent.publication_id,
            now=now,
            address=post.post.url,
        )
        publications.learn_id(tx, sent.publication_id, remote_id, post.post.url)
        found[remote_id] = sent.root_post_id
        about(account_id=account.id).warning("Post %s of '%s' is our own: %s", remote_id, account.alias, why)
    return found


def decide_again(tx: Tx, failed: Errand, error: SameVideo, now: datetime) -> None:
    """The decision to forward was taken without the pictures; with them it is another."""
    value = f"the video of post {error.root_post_id}, published here before"
    _decide(tx, failed, Decision(Verdict.DUPLICATE, SAME_VIDEO, value), over=Verdict.FORWARD, now=now)


def is_wanted_all_the_same(tx: Tx, errand: Errand, now: datetime) -> bool:
    """Has a person retried the job after it was called the same video? That is on record then as their decision."""
    decided = posts.decision_of(tx, errand.job.connection_id, errand.job.source_post_id)
    if decided is None or decided.rule not in (SAME_VIDEO, BY_HAND):
        return False
    if decided.rule == SAME_VIDEO:
        again = Decision(Verdict.FORWARD, BY_HAND, f"retried by hand; it is {decided.value}")
        _decide(tx, errand, again, over=Verdict.DUPLICATE, now=now)
    return True


def _decide(tx: Tx, errand: Errand, decision: Decision, *, over: Verdict, now: datetime) -> None:
    posts.decide(tx, errand.job.connection_id, {errand.job.source_post_id: decision}, now, over=(over,))
