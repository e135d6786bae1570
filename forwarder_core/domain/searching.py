"""Searching: what a person types into a search field, as a question to PostgreSQL's text search. Pure.

Every part between blanks is the beginning of a word, and all of them must occur. The fact to know: a part stands in
quotes, so that the database cuts it up the way it cut up the text: `my-video` finds “my-video”, and no sign is special.
"""

from __future__ import annotations

from collections.abc import Sequence

_MOST_PARTS = 10
_COMMON = 20  # a part that one row in so many has is not looked up
_BIGGEST_ID = 2**63 - 1


def parts_of(typed: str) -> tuple[str, ...]:
    """Each part for `to_tsquery('simple', …)`; none where nothing is asked."""
    parts = ("".join(c for c in part if c not in "'\\\x00") for part in typed.split()[:_MOST_PARTS])
    return tuple(f"'{part}':*" for part in parts if any(c.isalnum() for c in part))


def prefix_query(typed: str) -> str | None:
    """All parts in one; None where nothing is asked."""
    return " & ".join(parts_of(typed)) or None


def worth_listing(hits: Sequence[int], looked: int) -> set[int]:
    """Which parts an index of words is to be asked for: those that few of the rows looked at have, or all where none is
    rare. `hits`: of each part. Of a common beginning the lists are long, and what the others leave is soon checked."""
    rare = {n for n, hit in enumerate(hits) if hit * _COMMON <= looked}
    return rare or set(range(len(hits)))


def exact_id(typed: str) -> int | None:
    """The number somebody typed, where it may be an id of ours."""
    text = typed.strip().removeprefix("#")
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return int(text) if int(text) <= _BIGGEST_ID else None
