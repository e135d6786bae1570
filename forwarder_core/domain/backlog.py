"""The backlog: which posts from before a connection's start are forwarded, in which order, and when each may go. Pure.

What lives here: choosing and spreading. What does not: the jobs made of it, which wait until their instant with the
reason `drip` (`is_old` beside them, so that new posts always pass first).
The fact to know: the instants are the earliest ones; windows, daily limits and quotas are asked again at dispatch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from forwarder_core.domain.schedules import Span, Windows, day_of

_A_DAY = timedelta(days=1)


class Order(StrEnum):
    OLDEST = "oldest_first"
    NEWEST = "newest_first"
    TOP = "top_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPost:
    """`views`: as the source last said; None where it does not, and then the post counts as the least seen."""

    id: int
    posted_at: datetime
    views: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogRule:
    """Which old posts, how many a day, in which order.

    `from_` and `to`: days in UTC, both included, None = open. `newest_n`: only the newest so many of those.
    `per_day`: at most so many a calendar day; None = all as soon as may be.
    """

    from_: date | None = None
    to: date | None = None
    newest_n: int | None = None
    per_day: int | None = None
    order: Order = Order.OLDEST


@dataclass(frozen=True, slots=True)
class Planned:
    """`not_before`: the earliest instant the post may go, UTC."""

    post_id: int
    not_before: datetime


def choose(posts: Iterable[OldPost], rule: BacklogRule) -> list[OldPost]:
    """The posts the rule wants, in the order they are to go."""
    wanted = [post for post in posts if is_in_range(post.posted_at.date(), rule.from_, rule.to)]
    newest = sorted(wanted, key=lambda post: (post.posted_at, post.id), reverse=True)[: rule.newest_n]
    if rule.order is Order.NEWEST:
        return newest
    if rule.order is Order.TOP:
        return sorted(newest, key=lambda post: -1 if post.views is None else post.views, reverse=True)
    return newest[::-1]


def plan(posts: Iterable[OldPost], rule: BacklogRule, *, windows: Windows, now: datetime) -> list[Planned]:
    """When each wanted post may go, in order. With `per_day` they are spread evenly over each day's open time.

    For a second batch behind a first one, give the last planned instant of the first as `now`.
    """
    chosen = choose(posts, rule)
    return [Planned(post.id, at) for post, at in zip(chosen, _slots(rule.per_day, windows, now), strict=False)]


def is_in_range(day: date, from_: date | None, to: date | None) -> bool:
    return (from_ is None or day >= from_) and (to is None or day <= to)


def _slots(per_day: int | None, windows: Windows, now: datetime) -> Iterator[datetime]:
    """Endless: one instant per post."""
    if per_day is None:
        while True:
            yield windows.opens_at(now)
    if not windows.daily:
        at = now
        while True:
            yield at
            at += _A_DAY / per_day
    day = day_of(now, windows.zone) - _A_DAY  # a window of yesterday may reach over midnight
    while True:
        yield from (at for at in _spread(windows.spans_of(day), per_day) if at >= now)
        day += _A_DAY


def _spread(spans: Sequence[Span], count: int) -> Iterator[datetime]:
    """So many instants, evenly over the time these spans are open together."""
    total = sum((span.end - span.start for span in spans), timedelta())
    for n in range(count):
        into = total * n / count
        for span in spans:
            length = span.end - span.start
            if into < length:
                yield span.start + into
                break
            into -= length
