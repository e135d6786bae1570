"""Filters as the API and the database write them, read into `Filters` and written back. Pure.

The one place that knows both forms. What cannot be read raises ValueError with a sentence, and the API's 422 says that
sentence; a stored rule was read once before it was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from forwarder_core.domain import patterns
from forwarder_core.domain.backlog import Order
from forwarder_core.domain.filters import FilterMode, Filters, HashtagRule, LicensedMusic, PopularityRule

MOST_WORDS = 100
MOST_HOURS = 24 * 365
MOST_SECONDS = 43_200
MOST_COUNT = 10**12

Stored = Mapping[str, Any]


def read(stored: Stored) -> Filters:
    """Raises ValueError for rules that make no sense, TypeError or AttributeError for ones of another shape."""
    days, age, length = (_part(stored, name) for name in ("date_range", "age", "duration"))
    old = _part(stored, "old_posts")
    from_, to = _day(days, "from"), _day(days, "to")
    if from_ and to and from_ > to:
        raise ValueError(f"date_range: from ({from_}) must not be later than to ({to})")
    least_s, most_s = _number(length, "min_s", most=MOST_SECONDS), _number(length, "max_s", most=MOST_SECONDS)
    if least_s is not None and most_s is not None and least_s > most_s:
        raise ValueError("duration: min_s must not be more than max_s")
    least_h = _number(age, "min_h", most=MOST_HOURS)
    most_h = _number(age, "max_h", most=MOST_HOURS)
    if most_h is None:
        most_h = _number(stored, "max_age_h", most=MOST_HOURS)
    if least_h is not None and most_h is not None and least_h >= most_h:
        raise ValueError("age: min_h must be less than max_h")
    return Filters(
        mode=FilterMode(stored.get("mode", FilterMode.ALL_NEW)),
        caption_keywords=_words(stored, "caption_keywords"),
        caption_pattern=_pattern(stored, "caption_pattern"),
        excluded_keywords=_words(stored, "excluded_keywords"),
        excluded_pattern=_pattern(stored, "excluded_pattern"),
        hashtags=_hashtags(_part(stored, "hashtags")),
        min_duration_s=least_s,
        max_duration_s=most_s,
        min_age_h=least_h,
        max_age_h=most_h,
        popularity=_popularity(_part(stored, "popularity")),
        has_audio=_switch(stored, "has_audio"),
        licensed_music=LicensedMusic(stored.get("licensed_music", LicensedMusic.FORWARD)),
        newest_n=_count(stored, "newest_n", least=1),
        include_old_posts=bool(stored.get("include_old_posts", False)),
        old_from=from_,
        old_to=to,
        old_newest_n=_count(old, "newest_n", least=1),
        old_per_day=_count(old, "per_day", least=1, most=1_000),
        old_order=Order(old.get("order", Order.OLDEST)),
    )


def write(filters: Filters) -> dict[str, Any]:
    """Every rule by its name on the wire, those that are off included."""
    f = filters
    days = {"from": f.old_from, "to": f.old_to}
    return {
        "mode": f.mode,
        "caption_keywords": list(f.caption_keywords),
        "caption_pattern": f.caption_pattern.text if f.caption_pattern else None,
        "excluded_keywords": list(f.excluded_keywords),
        "excluded_pattern": f.excluded_pattern.text if f.excluded_pattern else None,
        "hashtags": {
            "any": list(f.hashtags.any_of),
            "all": list(f.hashtags.all_of),
            "none": list(f.hashtags.none_of),
        },
        "duration": {"min_s": f.min_duration_s, "max_s": f.max_duration_s},
        "age": {"min_h": f.min_age_h, "max_h": f.max_age_h},
        "popularity": {
            "after_h": f.popularity.after_h,
            "min_views": f.popularity.min_views,
            "min_likes": f.popularity.min_likes,
        },
        "has_audio": f.has_audio,
        "licensed_music": f.licensed_music,
        "newest_n": f.newest_n,
        "include_old_posts": f.include_old_posts,
        "date_range": {name: day.isoformat() if day else None for name, day in days.items()}
        if any(days.values())
        else None,
        "old_posts": {"newest_n": f.old_newest_n, "per_day": f.old_per_day, "order": f.old_order},
    }


def _hashtags(stored: Stored) -> HashtagRule:
    any_of, all_of, none_of = (_tags(stored, name) for name in ("any", "all", "none"))
    if both := {t.casefold() for t in none_of} & {t.casefold() for t in (*any_of, *all_of)}:
        raise ValueError(f"hashtags: #{min(both)} is both wanted and refused")
    return HashtagRule(any_of=any_of, all_of=all_of, none_of=none_of)


def _popularity(stored: Stored) -> PopularityRule:
    after_h = _number(stored, "after_h", most=MOST_HOURS)
    return PopularityRule(
        after_h=PopularityRule().after_h if after_h is None else after_h,
        min_views=_count(stored, "min_views"),
        min_likes=_count(stored, "min_likes"),
    )


def _part(stored: Stored, name: str) -> Stored:
    part = stored.get(name) or {}
    if not isinstance(part, Mapping):
        raise ValueError(f"{name} must be an object")
    return part


def _words(stored: Stored, name: str) -> tuple[str, ...]:
    value = stored.get(name) or ()
    if (
        isinstance(value, str)
        or len(value) > MOST_WORDS
        or not all(isinstance(word, str) and word.strip() for word in value)
    ):
        raise ValueError(f"{name} must be a list of at most {MOST_WORDS} words")
    return tuple(value)


def _tags(stored: Stored, name: str) -> tuple[str, ...]:
    """With or without the hash."""
    tags = tuple(tag.strip().removeprefix("#") for tag in _words(stored, name))
    if bad := [tag for tag in tags if not tag or any(c.isspace() or c == "#" for c in tag)]:
        raise ValueError(f"hashtags: “{bad[0]}” is no hashtag")
    return tags


def _pattern(stored: Stored, name: str) -> patterns.Pattern | None:
    value = stored.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return patterns.read(value)


def _day(stored: Stored, name: str) -> date | None:
    return date.fromisoformat(stored[name]) if stored.get(name) else None


def _number(stored: Stored, name: str, *, most: float) -> float | None:
    value = stored.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most:,}")
    return float(value)


def _count(stored: Stored, name: str, *, least: int = 0, most: int = MOST_COUNT) -> int | None:
    value = stored.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least:,} to {most:,}")
    return value


def _switch(stored: Stored, name: str) -> bool | None:
    value = stored.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} must be true, false or null")
    return value
