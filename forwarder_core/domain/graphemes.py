"""Where a text may be cut without splitting what a person sees as one character. Pure.

An emoji of several parts, a letter with its accents, a flag: each is several characters to Python and one to a reader.
The rules are those of Unicode's annex 29 as far as captions need them; a syllable of an unusual script may be kept
together where the annex would let it be cut, which only makes a cut a little earlier.
"""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_JOINED_BEFORE = frozenset({_JOINER, "\u200c", "\ufe0e", "\ufe0f"})
_FLAGS = range(0x1F1E6, 0x1F200)  # regional indicators, two of which make one flag
_SKINS = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)  # spell out the flags of England, Scotland and Wales
_JAMO = range(0x1100, 0x1200)  # parts of Korean syllables
_LOOK_BACK = 64  # characters of one grapheme at most: more of them is decoration, and is cut


def safe_end(text: str, end: int) -> int:
    """The last place at or before `end` where `text` may be cut; `end` itself where nothing better is near."""
    if end <= 0 or end >= len(text):
        return max(0, min(end, len(text)))
    for at in range(end, max(0, end - _LOOK_BACK), -1):
        if is_border(text, at):
            return at
    return 0 if end <= _LOOK_BACK else end


def fitting(text: str, *, max_chars: int, max_bytes: int = 0) -> str:
    """The beginning of `text` that fits both limits and ends at a border; 0 bytes = no such limit."""
    end = min(len(text), max_chars)
    if max_bytes:
        end = min(end, len(text.encode("utf-8", "ignore")[:max_bytes].decode("utf-8", "ignore")))
    return text[: safe_end(text, end)]


def is_border(text: str, at: int) -> bool:
    """May `text` be cut before its character number `at`?"""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if (before, after) == ("\r", "\n") or before == _JOINER or after in _JOINED_BEFORE:
        return False
    code = ord(after)
    if unicodedata.category(after).startswith("M") or code in _SKINS or code in _TAGS:
        return False
    if code in _JAMO and ord(before) in _JAMO:
        return False
    return not (code in _FLAGS and _flags_before(text, at) % 2)


def _flags_before(text: str, at: int) -> int:
    start = at
    while start > 0 and ord(text[start - 1]) in _FLAGS:
        start -= 1
    return at - start
