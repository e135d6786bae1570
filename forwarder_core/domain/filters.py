"""Filters: what a connection forwards and what it leaves, and for every post the reason in words.

Pure: a post, the rules, and two instants in; a `Decision` out. The first rule that speaks decides, and its name and
the value it looked at are kept, because "why was this not forwarded?" must always have an answer. Reading the rules of
a form is in `filter_rules`.
The fact to know: what the source does not tell is never taken for good. A rule about a length, a count or a sound the
platform keeps to itself leaves the post, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from forwarder_core.domain.backlog import BacklogRule, Order, is_in_range
from forwarder_core.domain.patterns import Pattern
from forwarder_core.domain.posts import Decision, SeenPost, Verdict

UNTOLD = "the source does not say"
_HASHTAG = re.compile(r"(?<![\w#])#(\w+)")


class FilterMode(StrEnum):
    ALL_NEW = "forward_all_new"
    KEYWORDS = "caption_keywords"
    ASKED_ONLY = "only_asked_for"  # nothing by itself: what a backfill, a download or a person names


class LicensedMusic(StrEnum):
    """What becomes of a post whose platform says that it plays music under licence."""

    FORWARD = "forward"
    SKIP = "skip"
    MUTE = "mute"


@dataclass(frozen=True, slots=True, kw_only=True)
class HashtagRule:
    """Words without the hash, in any case of letters: one of `any_of`, every one of `all_of`, not one of `none_of`."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularityRule:
    """Looked at once the post is `after_h` hours old, and never before; each count given must be reached."""

    after_h: float = 24.0
    min_views: int | None = None
    min_likes: int | None = None

    @property
    def is_on(self) -> bool:
        return self.min_views is not None or self.min_likes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """`caption_keywords`: one of them must stand in the caption, in any case of letters.

    Old posts are those from before the connection's start; they come only when asked for, and only from the days of
    `old_from`..`old_to` (both inclusive, None = open) where those are given. Hours are of the post's age.
    """

    mode: FilterMode = FilterMode.ALL_NEW
    caption_keywords: tuple[str, ...] = ()
    caption_pattern: Pattern | None = None
    excluded_keywords: tuple[str, ...] = ()
    excluded_pattern: Pattern | None = None
    hashtags: HashtagRule = field(default_factory=HashtagRule)
    min_duration_s: float | None = None
    max_duration_s: float | None = None
    min_age_h: float | None = None  # a younger post waits until it is that old
    max_age_h: float | None = None  # a post found later than this is too late
    popularity: PopularityRule = field(default_factory=PopularityRule)
    has_audio: bool | None = None  # True: only with sound; False: only without
    licensed_music: LicensedMusic = LicensedMusic.FORWARD
    newest_n: int | None = None  # of posts found together, as after an outage, only so many
    include_old_posts: bool = False
    old_from: date | None = None
    old_to: date | None = None
    old_newest_n: int | None = None
    old_per_day: int | None = None
    old_order: Order = Order.OLDEST

    @property
    def of_what_is_asked_for(self) -> Filters:
        """These, for a post that somebody asked for."""
        return replace(self, mode=FilterMode.ALL_NEW) if self.mode is FilterMode.ASKED_ONLY else self

    @property
    def backlog(self) -> BacklogRule:
        """Which old posts, how many a day, in which order."""
        return BacklogRule(
            from_=self.old_from,
            to=self.old_to,
            newest_n=self.old_newest_n,
            per_day=self.old_per_day,
            order=self.old_order,
        )


def decide(post: SeenPost, filters: Filters, *, started_at: datetime, now: datetime | None = None) -> Decision:
    """What a connection started at `started_at` does with `post` at `now` (the moment it was posted, if not given)."""
    at = now or post.posted_at
    for rule in _RULES:
        decision = rule(post, filters, started_at)
        if decision is not None:
            return decision
    for wait in (_is_old_enough, _is_liked):
        decision = wait(post, filters, at)
        if decision is not None:
            return decision
    is_muted = post.has_licensed_music and filters.licensed_music is LicensedMusic.MUTE
    return Decision(Verdict.FORWARD, "matches", "without its sound, which is under licence" if is_muted else "")


def catch_up(
    posts: Mapping[int, SeenPost],
    verdicts: Mapping[int, Decision],
    filters: Filters,
    *,
    now: datetime,
    started_at: datetime | None = None,
) -> dict[int, Decision]:
    """The decisions that change because these posts were found late or many at once: never a flood after an outage.

    By default nothing changes: everything that was missed is forwarded, one after the other. Old posts that were asked
    for are none of this: which of them are wanted, the rule for old posts says.
    """
    changed = _old_ones_left(posts, verdicts, filters, started_at) if started_at else {}
    wanted = sorted(
        (
            key
            for key, decision in verdicts.items()
            if decision.verdict is Verdict.FORWARD and (started_at is None or posts[key].posted_at >= started_at)
        ),
        key=lambda key: posts[key].posted_at,
        reverse=True,
    )
    for place, key in enumerate(wanted):
        age_h = _age_h(posts[key], now)
        if filters.max_age_h is not None and age_h > filters.max_age_h:
            changed[key] = Decision(Verdict.TOO_LATE, "max_age_h", f"{age_h:.1f} h")
        elif filters.newest_n is not None and place >= filters.newest_n:
            changed[key] = Decision(Verdict.TOO_LATE, "newest_n", str(filters.newest_n))
    return changed


def hashtags_of(caption: str) -> frozenset[str]:
    """The caption's hashtags without the hash, so that they compare in any case of letters."""
    return frozenset(tag.casefold() for tag in _HASHTAG.findall(caption))


# ---- rules that look at the post alone --------------------------------------------------------------------------

Rule = Callable[[SeenPost, Filters, datetime], Decision | None]


def _is_video(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    return None if post.is_video else Decision(Verdict.FILTERED, "not_a_video")


def _is_wanted_time(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if post.posted_at >= started_at:
        return None
    posted = post.posted_at.date()
    if not filters.include_old_posts:
        return Decision(Verdict.BEFORE_START, "posted_before_start", post.posted_at.isoformat())
    if not is_in_range(posted, filters.old_from, filters.old_to):
        return Decision(Verdict.FILTERED, "date_range", posted.isoformat())
    return None


def _is_asked_for(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    return Decision(Verdict.FILTERED, "not_asked_for") if filters.mode is FilterMode.ASKED_ONLY else None


def _has_keyword(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if filters.mode is not FilterMode.KEYWORDS or _word_in(post.caption, filters.caption_keywords):
        return None
    if filters.caption_pattern is None:
        return Decision(Verdict.FILTERED, "caption_keywords", ", ".join(filters.caption_keywords))
    if filters.caption_pattern.is_in(post.caption):
        return None
    words = [*filters.caption_keywords, f"/{filters.caption_pattern.text}/"]
    return Decision(Verdict.FILTERED, "caption_keywords", ", ".join(words))


def _has_no_excluded_word(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if word := _word_in(post.caption, filters.excluded_keywords):
        return Decision(Verdict.FILTERED, "caption_excluded", word)
    if filters.excluded_pattern is not None and filters.excluded_pattern.is_in(post.caption):
        return Decision(Verdict.FILTERED, "caption_excluded", f"/{filters.excluded_pattern.text}/")
    return None


def _has_hashtags(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    rule, there = filters.hashtags, hashtags_of(post.caption)
    forbidden = [tag for tag in rule.none_of if tag.casefold() in there]
    missing = [tag for tag in rule.all_of if tag.casefold() not in there]
    if forbidden:
        return Decision(Verdict.FILTERED, "hashtags_none", _tags(forbidden))
    if missing:
        return Decision(Verdict.FILTERED, "hashtags_all", f"without {_tags(missing)}")
    if rule.any_of and not any(tag.casefold() in there for tag in rule.any_of):
        return Decision(Verdict.FILTERED, "hashtags_any", f"none of {_tags(rule.any_of)}")
    return None


def _has_length(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    least, most = filters.min_duration_s, filters.max_duration_s
    if least is None and most is None:
        return None
    if post.duration_s is None:
        return Decision(Verdict.FILTERED, "duration", UNTOLD)
    if (least is not None and post.duration_s < least) or (most is not None and post.duration_s > most):
        return Decision(Verdict.FILTERED, "duration", f"{post.duration_s:g} s")
    return None


def _has_sound(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    if filters.has_audio is None or post.has_audio is filters.has_audio:
        return None
    told = {None: UNTOLD, True: "has sound", False: "has no sound"}[post.has_audio]
    return Decision(Verdict.FILTERED, "has_audio", told)


def _may_play(post: SeenPost, filters: Filters, started_at: datetime) -> Decision | None:
    """Only where the source says so: most platforms say nothing of the music in a post."""
    if post.has_licensed_music and filters.licensed_music is LicensedMusic.SKIP:
        return Decision(Verdict.FILTERED, "licensed_music", "plays music under licence")
    return None


_RULES: tuple[Rule, ...] = (
    _is_video,
    _is_wanted_time,
    _is_asked_for,
    _has_keyword,
    _has_no_excluded_word,
    _has_hashtags,
    _has_length,
    _has_sound,
    _may_play,
)


# ---- rules that wait --------------------------------------------------------------------------------------------


def _is_old_enough(post: SeenPost, filters: Filters, now: datetime) -> Decision | None:
    if filters.min_age_h is None or _age_h(post, now) >= filters.min_age_h:
        return None
    until = post.posted_at + timedelta(hours=filters.min_age_h)
    return Decision(Verdict.HELD, "min_age_h", f"waits until it is {filters.min_age_h:g} h old", until)


def _is_liked(post: SeenPost, filters: Filters, now: datetime) -> Decision | None:
    rule = filters.popularity
    if not rule.is_on:
        return None
    if _age_h(post, now) < rule.after_h:
        until = post.posted_at + timedelta(hours=rule.after_h)
        return Decision(Verdict.HELD, "popularity", f"counted when it is {rule.after_h:g} h old", until)
    for name, least, count in (("min_views", rule.min_views, post.views), ("min_likes", rule.min_likes, post.likes)):
        if least is not None and (count is None or count < least):
            told = UNTOLD if count is None else str(count)
            return Decision(Verdict.FILTERED, name, f"{told}, wanted {least} after {rule.after_h:g} h")
    return None


def _old_ones_left(
    posts: Mapping[int, SeenPost], verdicts: Mapping[int, Decision], filters: Filters, started_at: datetime
) -> dict[int, Decision]:
    """Of the old posts only the newest so many, where the rule says so."""
    if filters.old_newest_n is None:
        return {}
    old = [k for k, v in verdicts.items() if v.verdict is Verdict.FORWARD and posts[k].posted_at < started_at]
    newest = sorted(old, key=lambda key: posts[key].posted_at, reverse=True)
    value = f"only the newest {filters.old_newest_n} old posts"
    return {key: Decision(Verdict.FILTERED, "old_newest_n", value) for key in newest[filters.old_newest_n :]}


def _word_in(caption: str, words: tuple[str, ...]) -> str | None:
    folded = caption.casefold()
    return next((word for word in words if word.casefold() in folded), None)


def _tags(words: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"#{word}" for word in words)


def _age_h(post: SeenPost, now: datetime) -> float:
    return (now - post.posted_at).total_seconds() / 3600
