"""Filters: what a connection forwards and what it leaves, and for every post the reason in words.

Pure: a post, the rules, and two instants in; a `Decision` out. The first rule that speaks decides, and its name and
the value it looked at are kept, because "why was this not forwarded?" must always have an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from forwarder_core.domain.posts import Decision, SeenPost, Verdict


class FilterMode(StrEnum):
    ALL_NEW = "forward_all_new"
    KEYWORDS = "caption_keywords"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """`caption_keywords`: one of them must stand in the caption, in any case of letters.

    Old posts are those from before the connection's start; they come only when asked for, and only from the days of
    `old_from`..`old_to` (both inclusive, None = open) where those are given.
    """

    mode: FilterMode = FilterMode.ALL_NEW
    caption_keywords: tuple[str, ...] = ()
    include_old_posts: bool = False
    old_from: date | None = None
    old_to: date | None = None


def decide(post: SeenPost, filters: Filters, *, started_at: datetime) -> Decision:
    """What a connection started at `started_at` does with `post`."""
    for rule in (_is_video, _is_wanted_time, _has_keyword):
        decision = rule(post, filters, started_at)
        if decision is not None:
            return decision
    return Decision(Verdict.FORWARD, "matches")


def _is_video(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    return None if post.is_video else Decision(Verdict.FILTERED, "not_a_video")


def _is_wanted_time(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if post.posted_at >= started_at:
        return None
    posted = post.posted_at.date()
    if not filters.include_old_posts:
        return Decision(Verdict.BEFORE_START, "posted_before_start", post.posted_at.isoformat())
    if (filters.old_from and posted < filters.old_from) or (filters.old_to and posted > filters.old_to):
        return Decision(Verdict.FILTERED, "date_range", posted.isoformat())
    return None


def _has_keyword(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if filters.mode is not FilterMode.KEYWORDS:
        return None
    caption = post.caption.casefold()
    if any(word.casefold() in caption for word in filters.caption_keywords):
        return None
    return Decision(Verdict.FILTERED, "caption_keywords", ", ".join(filters.caption_keywords))
