"""Telegram's HTML: what it takes, what it refuses, and the plain text a reader sees. Pure.

The fact to know: Telegram refuses the whole message for one unknown tag, wrong nesting or a bare `<`, with
“can't parse entities”; an unknown entity such as `&nbsp;` it leaves as it is.
"""

from __future__ import annotations

import html
import re

_TAGS = frozenset(
    {"a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "span", "strike", "strong", "tg-emoji"}
    | {"tg-spoiler", "u"}
)
_MARKUP = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<rest>(?:\s[^<>]*)?)>|(?P<bare><)")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


class BrokenHtml(ValueError):
    """Telegram would refuse this text; the message is its description."""


def plain_text(text: str) -> str:
    """What the reader sees. Raises BrokenHtml."""
    open_tags: list[str] = []
    shown: list[str] = []
    position = 0
    for match in _MARKUP.finditer(text):
        shown.append(text[position : match.start()])
        position = match.end()
        _enter(match, open_tags)
    shown.append(text[position:])
    if open_tags:
        raise BrokenHtml(f'can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), "".join(shown))


def _enter(match: re.Match[str], open_tags: list[str]) -> None:
    """Follow one tag: push it, or pop the one it closes."""
    name = (match["name"] or "").lower()
    if match["bare"]:
        raise BrokenHtml(f'unsupported start tag "" at byte offset {match.start()}')
    if name not in _TAGS:
        raise BrokenHtml(f'unsupported start tag "{name}" at byte offset {match.start()}')
    if not match["close"]:
        if name == "span" and 'class="tg-spoiler"' not in match["rest"]:
            raise BrokenHtml(f'tag "span" must have class "tg-spoiler" at byte offset {match.start()}')
        open_tags.append(name)
    elif not open_tags:
        raise BrokenHtml(f"unexpected end tag at byte offset {match.start()}")
    elif open_tags[-1] != name:
        raise BrokenHtml(
            f'unmatched end tag at byte offset {match.start()}, expected "</{open_tags[-1]}>", found "</{name}>"'
        )
    else:
        open_tags.pop()
