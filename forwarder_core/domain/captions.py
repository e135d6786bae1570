"""Captions: from the words of the source post to the words of the destination, within its limits. Pure.

What lives here: the templates and rules of a connection, and how text is cut. What does not: reading the rules of a
form (`caption_rules`), and what a platform counts in a way of its own (its own room).
The fact to know: the order. Rules change the caption, the template puts it among other words, and only then the result
is cut; the caption within it gives way first, so that a credit line at the end is never what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forwarder_core.domain.graphemes import fitting
from forwarder_core.domain.limits import TextLimits

CAPTION, CREDIT = "{caption}", "Source: {source_url}"
VARIABLES = {
    "caption": "the caption, after the rules for hashtags, mentions and links",
    "title": "its first line without hashtags",
    "hashtags": "its hashtags, with the hash",
    "source_url": "the address of the post at its source",
    "source_handle": "the account it was posted on",
    "source_platform": "where that is",
    "date": "the day it was posted there, YYYY-MM-DD",
    "connection": "the name of the connection",
}
SHORTS_TAG = "Shorts"
_HASHTAG = re.compile(r"(?<![\w#])#(\w+)")
_MENTION = re.compile(r"(?<![\w@.])@(\w[\w.]*\w|\w)")
_LINK = re.compile(r"(?<!\w)(?:https?://|www\.)[^\s<>]+", re.IGNORECASE)
_VARIABLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ELLIPSIS = "…"


class Mentions(StrEnum):
    """What becomes of “@name”, which names another person at the destination than at the source."""

    KEEP = "keep"
    PLAIN = "plain"  # the name without its @
    STRIP = "strip"


class Links(StrEnum):
    KEEP = "keep"
    STRIP = "strip"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRules:
    """How a connection words its posts. Templates with the names of `VARIABLES` in braces; `{{` is a brace itself.

    `title` empty = the caption's first line. `credit`: a line put below everything, "" = none. Hashtags without the
    hash. `shorts_tag`: “#Shorts” in the title, where the destination has titles.
    """

    title: str = ""
    caption: str = CAPTION
    credit: str = ""
    add_hashtags: tuple[str, ...] = ()
    remove_hashtags: tuple[str, ...] = ()
    remove_all_hashtags: bool = False
    mentions: Mentions = Mentions.KEEP
    links: Links = Links.KEEP
    shorts_tag: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the words come from: what the templates' variables say."""

    url: str = ""
    handle: str = ""
    platform: str = ""
    connection: str = ""
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """`title` is empty where the destination has none; `tags` come without the hash."""

    title: str
    caption: str
    tags: tuple[str, ...]


_AS_IT_IS, _NOWHERE = CaptionRules(), Origin()


def compose(
    caption: str,
    limits: TextLimits,
    *,
    fallback_title: str,
    rules: CaptionRules = _AS_IT_IS,
    origin: Origin = _NOWHERE,
) -> Words:
    """The destination's title, caption and tags for a source caption.

    The title is the caption's first line without its hashtags. Control characters, lone surrogates and characters
    that reverse the direction of text are dropped, as are those the destination refuses.
    """
    clean = _by_rules(_clean(caption, limits.forbidden), rules)
    first_line = " ".join(_HASHTAG.sub("", clean.strip().partition("\n")[0]).split())
    said = _variables(clean, first_line, origin)
    title = _clean(fill(rules.title, said), limits.forbidden) if rules.title else first_line
    title = " ".join(title.split()) or _clean(fallback_title, limits.forbidden)
    return Words(
        title=_title(title, limits.title_chars, has_tag=rules.shorts_tag),
        caption=_whole(clean, rules, said, limits),
        tags=_tags(clean, limits.tags_chars),
    )


def fill(template: str, said: dict[str, str]) -> str:
    """The template with its variables replaced, once: what they say is never read as a template again."""

    def word(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else said.get(match[1].strip(), match[0])

    return _VARIABLE.sub(word, template)


def unknown_variables(template: str) -> list[str]:
    """What stands in braces and is the name of nothing."""
    named = (match[1] for match in _VARIABLE.finditer(template) if match[1] is not None)
    return [name for name in named if name.strip() not in VARIABLES]


def cut(text: str, chars: int, max_bytes: int = 0) -> str:
    """`text` shortened to at most `chars` characters, at a word border where there is one near the end.

    `max_bytes`: of UTF-8, where the destination counts those too; 0 = it does not.
    """
    text = text.strip()
    if chars < 1:
        return ""
    whole = fitting(text, max_chars=chars, max_bytes=max_bytes)
    if whole == text:
        return text
    bytes_left = max(1, max_bytes - len(_ELLIPSIS.encode())) if max_bytes else 0
    room = fitting(text, max_chars=chars - len(_ELLIPSIS), max_bytes=bytes_left)
    at_word = max(room.rfind(" "), room.rfind("\n"))
    shortened = (room[:at_word] if at_word > chars // 2 else room).rstrip() + _ELLIPSIS
    return shortened if not max_bytes or len(shortened.encode()) <= max_bytes else whole


def _by_rules(text: str, rules: CaptionRules) -> str:
    if rules.links is Links.STRIP:
        text = _LINK.sub("", text)
    if rules.mentions is Mentions.PLAIN:
        text = _MENTION.sub(r"\1", text)
    elif rules.mentions is Mentions.STRIP:
        text = _MENTION.sub("", text)
    gone = {tag.casefold() for tag in rules.remove_hashtags}
    if rules.remove_all_hashtags or gone:
        text = _HASHTAG.sub(lambda m: "" if rules.remove_all_hashtags or m[1].casefold() in gone else m[0], text)
    there = {tag.casefold() for tag in _HASHTAG.findall(text)}
    added = [f"#{tag}" for tag in _once(rules.add_hashtags) if tag.casefold() not in there]
    if rules != _AS_IT_IS:
        text = "\n".join(re.sub(r"[ \t]{2,}", " ", line).rstrip() for line in text.split("\n")).strip()
    return f"{text}\n\n{' '.join(added)}".strip() if added else text


def _once(tags: Iterable[str]) -> list[str]:
    return list({tag.casefold(): tag for tag in reversed(list(tags))}.values())[::-1]


def _variables(clean: str, first_line: str, origin: Origin) -> dict[str, str]:
    return {
        "caption": clean,
        "title": first_line,
        "hashtags": " ".join(f"#{tag}" for tag in _HASHTAG.findall(clean)),
        "source_url": origin.url,
        "source_handle": origin.handle,
        "source_platform": origin.platform,
        "date": f"{origin.posted_at:%Y-%m-%d}" if origin.posted_at else "",
        "connection": origin.connection,
    }


def _whole(clean: str, rules: CaptionRules, said: dict[str, str], limits: TextLimits) -> str:
    """Template, caption and credit within the limit. The caption gives way, then everything."""
    credit = _clean(fill(rules.credit, said), limits.forbidden).strip()
    template = f"{rules.caption}\n\n" if credit else rules.caption

    def put(caption: str) -> str:
        made = _clean(fill(template, said | {"caption": caption}), limits.forbidden)
        return _limit_hashtags((made.rstrip() + ("\n\n" if made.strip() else "") + credit).strip(), limits.hashtags)

    if not credit and rules.caption == CAPTION:
        return cut(_limit_hashtags(clean, limits.hashtags), limits.caption_chars, limits.caption_bytes)
    whole = put(clean)
    over_chars = len(whole) - limits.caption_chars
    over_bytes = len(whole.encode()) - limits.caption_bytes if limits.caption_bytes else 0
    if max(over_chars, over_bytes) <= 0:
        return whole
    room = len(clean) - max(over_chars, 0)
    bytes_room = len(clean.encode()) - max(over_bytes, 0) if limits.caption_bytes else 0
    if room > 1 and (not limits.caption_bytes or bytes_room > len(_ELLIPSIS.encode())):
        whole = put(cut(clean, room, bytes_room))
    return cut(whole, limits.caption_chars, limits.caption_bytes)


def _title(title: str, chars: int, *, has_tag: bool) -> str:
    if not chars:
        return ""
    tag = f" #{SHORTS_TAG}"
    if not has_tag or SHORTS_TAG.casefold() in {t.casefold() for t in _HASHTAG.findall(title)} or chars <= len(tag):
        return cut(title, chars)
    return cut(title, chars - len(tag)) + tag


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
