"""The text of a message: lines of spans, made safe, cut to Telegram's length, written as HTML and as plain text. Pure.

What a message says is in `messages` and its neighbours. The fact to know: Telegram counts 4,096 UTF-16 units after
entities are parsed, and refuses the whole message for one broken tag, so spans are cut before anything is escaped.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

MOST_UNITS = 4096
NAME_CHARS = 120
DETAIL_CHARS = 900
_LONGEST_URL = 500
# Marks that turn the direction of the text after them: a name with one could rewrite the line it stands in.
_DIRECTIONS = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
# What Telegram turns into a link, a mention or a command by itself; in <code> it stays what it is.
_LIVE = re.compile(r"://|\w\.\w{2,}|[@#/$]\w", re.ASCII)
_JOINERS = "\u200d\ufe0e\ufe0f"


@dataclass(frozen=True, slots=True)
class Button:
    """Below a message; `data` (at most 64 bytes) comes back when it is pressed."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Message:
    """`plain` reads the same without markup, for a Telegram that refuses the HTML."""

    html: str
    plain: str
    is_silent: bool = False
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    text: str
    tag: str = ""  # b | code
    href: str = ""

    def html(self) -> str:
        escaped = html.escape(self.text, quote=False)
        if self.href:
            return f'<a href="{html.escape(self.href)}">{escaped}</a>'
        return f"<{self.tag}>{escaped}</{self.tag}>" if self.tag else escaped


def safe(value: object, most: int = NAME_CHARS) -> str:
    """One line of text from anywhere: no control or direction mark, no half of a character, at most `most` long."""
    text = str(value).encode("utf-8", "replace").decode("utf-8").translate(_DIRECTIONS)
    text = " ".join("".join(c if c.isprintable() or c in _JOINERS else " " for c in text).split())
    return text if len(text) <= most else text[: most - 1].rstrip(_JOINERS) + "…"


def _foreign(text: str) -> Span:
    """What somebody else wrote: never a live link or mention."""
    return Span(text, tag="code") if _LIVE.search(text) else Span(text)


@dataclass(slots=True)
class Page:
    """A message under construction, line by line."""

    lines: list[list[Span]] = field(default_factory=list)

    def head(self, text: str) -> Page:
        self.lines.append([Span(text, tag="b")])
        return self.gap()

    def line(self, text: str = "") -> Page:
        """A line of our own words."""
        self.lines.append([Span(text)])
        return self

    def gap(self) -> Page:
        """An empty line, never two."""
        if self.lines and any(span.text for span in self.lines[-1]):
            self.lines.append([Span("")])
        return self

    def field(self, name: str, value: object, most: int = NAME_CHARS) -> Page:
        """`name: value`; nothing where there is no value."""
        text = "" if value is None else safe(value, most)
        if text:
            self.lines.append([Span(f"{name}: "), _foreign(text)])
        return self

    def detail(self, name: str, value: object) -> Page:
        return self.field(name, value, DETAIL_CHARS)

    def bullets(self, *items: object, numbered: bool = False) -> Page:
        for number, item in enumerate(items, 1):
            sign = f"{number}. " if numbered else "- "
            self.lines.append([Span(sign), _foreign(safe(item, DETAIL_CHARS))])
        return self

    def link(self, name: str, url: str, *, sign: str = "🔗 ") -> Page:
        """`name: url`, the address itself to be seen; an address that is none is shown as text."""
        shown = safe(url, _LONGEST_URL)
        is_address = shown.startswith(("https://", "http://")) and not shown.endswith("…")
        self.lines.append([Span(f"{sign}{name}: "), Span(shown, href=shown) if is_address else _foreign(shown)])
        return self

    def message(self, *, mention: str = "", is_silent: bool = False) -> Message:
        if mention:
            self.gap().line(safe(mention))
        while self.lines and not any(span.text for span in self.lines[-1]):
            self.lines.pop()
        lines = cut(self.lines, MOST_UNITS)
        return Message(
            html="\n".join("".join(span.html() for span in line if span.text) for line in lines),
            plain="\n".join("".join(span.text for span in line) for line in lines),
            is_silent=is_silent,
        )


def units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(lines: list[list[Span]], most: int) -> list[list[Span]]:
    """The lines as far as `most` units reach, ending in “…” where something was left out."""
    if sum(units(span.text) for line in lines for span in line) + len(lines) - 1 <= most:
        return lines
    kept: list[list[Span]] = []
    room = most - 1  # for the ellipsis
    for line in lines:
        kept.append([])
        for span in line:
            if units(span.text) > room:
                kept[-1] += [Span(_first(span.text, room), span.tag, span.href), Span("…")]
                return kept
            kept[-1].append(span)
            room -= units(span.text)
        if room < 1:
            break
        room -= 1  # the line break
    kept[-1].append(Span("…"))
    return kept


def _first(text: str, room: int) -> str:
    """The beginning that fits, whole characters only."""
    while units(text) > room:
        text = text[: room if len(text) > room else -1]
    return text.rstrip(_JOINERS)
