"""The wording of a connection's posts as the API and the database write it, within `publish_options`. Pure.

Read here and nowhere else; what makes no sense raises ValueError with a sentence, and the API's 422 says that sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forwarder_core.domain.captions import CAPTION, CREDIT, CaptionRules, Links, Mentions, unknown_variables

MOST_CHARS = 5_000  # of a template
MOST_HASHTAGS = 60

Stored = Mapping[str, Any]


def read(stored: Stored) -> CaptionRules:
    """From `publish_options`; its other keys say nothing here. `credit` true = the usual line."""
    credit = stored.get("credit_line", "")
    removed = stored.get("remove_hashtags", ())
    return CaptionRules(
        title=_template(stored, "title_template", ""),
        caption=_template(stored, "caption_template", CAPTION) or CAPTION,
        credit=CREDIT if credit is True else _template({"credit_line": credit or ""}, "credit_line", ""),
        add_hashtags=_tags("add_hashtags", stored.get("add_hashtags", ())),
        remove_hashtags=() if removed == "all" else _tags("remove_hashtags", removed),
        remove_all_hashtags=removed == "all",
        mentions=Mentions(stored.get("mentions", Mentions.KEEP)),
        links=Links(stored.get("links", Links.KEEP)),
        shorts_tag=bool(stored.get("shorts_tag", False)),
    )


def _template(stored: Stored, name: str, usual: str) -> str:
    value = stored.get(name, usual)
    if not isinstance(value, str) or len(value) > MOST_CHARS:
        raise ValueError(f"{name} must be text of at most {MOST_CHARS:,} characters")
    if unknown := unknown_variables(value):
        raise ValueError(f"{name}: there is no variable {{{unknown[0]}}}")
    return value


def _tags(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or len(value) > MOST_HASHTAGS:
        raise ValueError(f"{name} must be a list of at most {MOST_HASHTAGS} hashtags")
    tags = tuple(str(tag).strip().removeprefix("#") for tag in value)
    if bad := [tag for tag in tags if not tag or not all(c.isalnum() or c == "_" for c in tag)]:
        raise ValueError(f"{name}: “{bad[0]}” is no hashtag")
    return tags
