"""Filters: what a connection forwards and what it leaves, and for every post the reason in words.

Pure: a post, the rules, and two instants in; a `Decision` out. The first rule that speaks decides, and its name and
the value it looked at are kept, because "why was this not forwarded?" must always have an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    newest_n: int | None = None  # of posts found together, as after an outage, only so many
    max_age_h: float | None = None  # a post found later than this is too late
    old_from: date | None = None
    old_to: date | None = None


def decide(post: SeenPost, filters: Filters, *, started_at: datetime) -> Decision:
    """What a connection started at `started_at` does with `post`."""
    for rule in (_is_video, _is_wanted_time, _has_keyword):
        decision = rule(post, filters, started_at)
        if decision is not None:
            return decision
    return Decision(Verdict.FORWARD, "matches")


def catch_up(
    posts: Mapping[int, SeenPost], verdicts: Mapping[int, Decision], filters: Filters, *, now: datetime
) -> dict[int, Decision]:
    """The decisions that change because these posts were found late or many at once: never a flood after an outage.

    By default nothing changes: everything that was missed is forwarded, one after the other.
    """
    wanted = sorted(
        (key for key, decision in verdicts.items() if decision.verdict is Verdict.FORWARD),
        key=lambda key: posts[key].posted_at,
        reverse=True,
    )
    changed = {}
    for place, key in enumerate(wanted):
        age_h = (now - posts[key].posted_at).total_seconds() / 3600
        if filters.max_age_h is not None and age_h > filters.max_age_h:
            changed[key] = Decision(Verdict.TOO_LATE, "max_age_h", f"{age_h:.1f} h")
        elif filters.newest_n is not None and place >= filters.newest_n:
            changed[key] = Decision(Verdict.TOO_LATE, "newest_n", str(filters.newest_n))
    return changed


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
