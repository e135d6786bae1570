"""Searching: what a person types into a search field, as a question to PostgreSQL's text search. Pure.

Every part between blanks is the beginning of a word, and all of them must occur. The fact to know: a part stands in
quotes, so that the database cuts it up the way it cut up the text: `my-video` finds “my-video”, and no sign is special.
"""

from __future__ import annotations

_MOST_PARTS = 10
_BIGGEST_ID = 2**63 - 1


def prefix_query(typed: str) -> str | None:
    """For `to_tsquery('simple', …)`; None where nothing is asked."""
    parts = ["".join(c for c in part if c not in "'\\\x00") for part in typed.split()[:_MOST_PARTS]]
    asked = [f"'{part}':*" for part in parts if any(c.isalnum() for c in part)]
    return " & ".join(asked) or None


def exact_id(typed: str) -> int | None:
    """The number somebody typed, where it may be an id of ours."""
    text = typed.strip().removeprefix("#")
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return int(text) if int(text) <= _BIGGEST_ID else None
