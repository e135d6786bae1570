"""Captions: from the words of the source post to the words of the destination, within its limits. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forwarder_core.domain.limits import TextLimits

_HASHTAG = re.compile(r"(?<![\w#])#(\w+)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Words:
    """`title` is empty where the destination has none; `tags` come without the hash."""

    title: str
    caption: str
    tags: tuple[str, ...]


def compose(caption: str, limits: TextLimits, *, fallback_title: str) -> Words:
    """The destination's title, caption and tags for a source caption.

    The title is the caption's first line without its hashtags. Control characters, lone surrogates and characters
    that reverse the direction of text are dropped, as are those the destination refuses.
    """
    clean = _clean(caption, limits.forbidden)
    first_line = clean.strip().partition("\n")[0]
    title = " ".join(_HASHTAG.sub("", first_line).split()) or _clean(fallback_title, limits.forbidden)
    return Words(
        title=cut(title, limits.title_chars) if limits.title_chars else "",
        caption=cut(_limit_hashtags(clean, limits.hashtags), limits.caption_chars),
        tags=_tags(clean, limits.tags_chars),
    )


def cut(text: str, chars: int) -> str:
    """`text` shortened to at most `chars` characters, at a word border where there is one near the end."""
    text = text.strip()
    if len(text) <= chars:
        return text
    room = text[: chars - len(_ELLIPSIS)]
    at_word = room.rfind(" ")
    return (room[:at_word] if at_word > chars // 2 else room).rstrip() + _ELLIPSIS


def _clean(text: str, forbidden: str) -> str:
    text = _UNPRINTABLE.sub("", text.replace("\r\n", "\n"))
    return text.translate({ord(c): None for c in forbidden})


def _limit_hashtags(text: str, most: int) -> str:
    """Keep the first `most` hashtags and turn the others into plain words; 0 = no limit."""
    if not most:
        return text
    seen = 0

    def keep(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return match[0] if seen <= most else match[1]

    return _HASHTAG.sub(keep, text)


def _tags(text: str, chars: int) -> tuple[str, ...]:
    """The hashtags as tags, first ones first, while they fit `chars` together with the commas between them."""
    tags: dict[str, None] = {}
    room = chars
    for tag in _HASHTAG.findall(text):
        if tag not in tags and room >= len(tag) + 1:
            tags[tag] = None
            room -= len(tag) + 1
    return tuple(tags)
