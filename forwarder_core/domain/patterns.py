"""Patterns: regular expressions a person typed, matched in time that grows with the text alone. Pure.

Python's own engine goes back and tries again, so that `(a+)+$` on forty characters takes hours. Here a pattern becomes
a small machine that reads each character once and is in several states together (Thompson, 1968), so no pattern can
take long: characters × states steps at most. What such a machine cannot do (backreferences, looking ahead or behind)
is refused when the pattern is written.
The fact to know: the grammar is read by Python's own parser, so a pattern means what it means everywhere in Python;
letters match in either case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from re import _constants as op  # type: ignore[attr-defined]  # isort: skip  # the parser's own names
from re import _parser as parser  # type: ignore[attr-defined]  # isort: skip

MOST_CHARS = 200  # of a pattern
MOST_STATES = 1_000  # of its machine: a repetition counts as often as it may be
MOST_TEXT = 5_000  # characters of a text that are looked at: the longest caption a platform takes

Test = Callable[[str], bool]
Place = Callable[[str, int], bool]

_CATEGORIES: dict[Any, Test] = {
    op.CATEGORY_DIGIT: str.isdecimal,
    op.CATEGORY_NOT_DIGIT: lambda c: not c.isdecimal(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    op.CATEGORY_WORD: lambda c: _is_word(c),
    op.CATEGORY_NOT_WORD: lambda c: not _is_word(c),
}
_PLACES: dict[Any, Place] = {
    op.AT_BEGINNING: lambda text, at: at == 0 or text[at - 1] == "\n",
    op.AT_BEGINNING_STRING: lambda text, at: at == 0,
    op.AT_END: lambda text, at: at == len(text) or text[at] == "\n",
    op.AT_END_STRING: lambda text, at: at == len(text),
    op.AT_BOUNDARY: lambda text, at: _is_border(text, at),
    op.AT_NON_BOUNDARY: lambda text, at: bool(text) and not _is_border(text, at),
}


@dataclass(slots=True)
class _State:
    """With a `test` it reads one character and goes to all of `to`; without, it goes there at once where `place`
    allows. `to` empty = the end: the text matches."""

    test: Test | None = None
    place: Place | None = None
    to: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was accepted. `text` is as it was typed."""

    text: str
    _states: tuple[_State, ...] = field(repr=False, compare=False)
    _start: int = field(repr=False, compare=False)

    def is_in(self, text: str) -> bool:
        """Does it match anywhere in the first `MOST_TEXT` characters? Line by line for ^ and $."""
        text = text[:MOST_TEXT]
        here: set[int] = set()
        for at in range(len(text) + 1):
            here = self._closed({*here, self._start}, text, at)
            if any(not self._states[n].to for n in here):
                return True
            if at == len(text):
                break
            reading = (self._states[n] for n in here)
            here = {to for state in reading if state.test is not None and state.test(text[at]) for to in state.to}
        return False

    def _closed(self, states: Iterable[int], text: str, at: int) -> set[int]:
        """With every state that is reached from these without reading a character."""
        found: set[int] = set()
        ahead = list(states)
        while ahead:
            number = ahead.pop()
            if number in found:
                continue
            found.add(number)
            state = self._states[number]
            if state.test is None and (state.place is None or state.place(text, at)):
                ahead.extend(state.to)
        return {number for number in found if self._states[number].test or not self._states[number].to}


@lru_cache(maxsize=256)
def read(text: str) -> Pattern:
    """Raises ValueError, with a sentence, for what is no pattern or one that cannot be matched in bounded time."""
    if not text or len(text) > MOST_CHARS:
        raise ValueError(f"a pattern has 1 to {MOST_CHARS} characters")
    try:
        tree = parser.parse(text, re.IGNORECASE | re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as e:
        raise ValueError(f"“{text}” is no regular expression: {e}") from e
    made = _Machine(text)
    end = made.add(_State())
    try:
        start = made.sequence(tree, end)
    except RecursionError as e:
        raise ValueError(f"“{text}” is nested too deeply") from e
    return Pattern(text, tuple(made.states), start)


class _Machine:
    """Built from its end: every part is told the state it leads to and returns the state it begins with."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.states: list[_State] = []

    def add(self, state: _State) -> int:
        if len(self.states) >= MOST_STATES:
            raise ValueError(f"“{self._text}” repeats too much: its repetitions multiply to over {MOST_STATES} parts")
        self.states.append(state)
        return len(self.states) - 1

    def sequence(self, parts: Sequence[tuple[Any, Any]], to: int) -> int:
        for kind, value in reversed(list(parts)):
            to = self._part(kind, value, to)
        return to

    def _part(self, kind: Any, value: Any, to: int) -> int:
        if kind is op.AT and value in _PLACES:
            return self.add(_State(place=_PLACES[value], to=[to]))
        if kind is op.SUBPATTERN:
            _, on, off, inner = value
            if (on | off) & ~re.IGNORECASE:
                raise ValueError(f"“{self._text}” changes flags within itself")
            return self.sequence(inner, to)
        if kind is op.BRANCH:
            return self.add(_State(to=[self.sequence(inner, to) for inner in value[1]]))
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = value
            return self._repeat(least, most, inner, to)
        return self.add(_State(test=self._test(kind, value), to=[to]))

    def _repeat(self, least: int, most: int, inner: Sequence[tuple[Any, Any]], to: int) -> int:
        if most is op.MAXREPEAT:
            again = self.add(_State(to=[to]))
            self.states[again].to.insert(0, self.sequence(inner, again))
            to = again
        else:
            end = to
            for _ in range(most - least):
                to = self.add(_State(to=[self.sequence(inner, to), end]))
        for _ in range(least):
            to = self.sequence(inner, to)
        return to

    def _test(self, kind: Any, value: Any) -> Test:
        if kind is op.ANY:
            return lambda c: c != "\n"
        if kind is op.LITERAL:
            return _either_case(lambda c: ord(c) == value)
        if kind is op.NOT_LITERAL:
            return _neither_case(lambda c: ord(c) == value)
        if kind is op.IN:
            return self._set(value)
        raise ValueError(f"“{self._text}” refers back or looks around, which takes no bounded time")

    def _set(self, items: list[tuple[Any, Any]]) -> Test:
        tests = [self._item(kind, value) for kind, value in items if kind is not op.NEGATE]

        def is_one(c: str) -> bool:
            return any(test(c) for test in tests)

        return _neither_case(is_one) if items[0][0] is op.NEGATE else _either_case(is_one)

    def _item(self, kind: Any, value: Any) -> Test:
        if kind is op.RANGE:
            return lambda c: value[0] <= ord(c) <= value[1]
        if kind is op.CATEGORY:
            return _CATEGORIES[value]
        return lambda c: ord(c) == value


def _either_case(test: Test) -> Test:
    return lambda c: any(test(form) for form in _forms(c))


def _neither_case(test: Test) -> Test:
    return lambda c: not any(test(form) for form in _forms(c))


def _forms(c: str) -> set[str]:
    return {form for form in (c, c.lower(), c.upper()) if len(form) == 1}


def _is_word(c: str) -> bool:
    return c.isalnum() or c == "_"


def _is_border(text: str, at: int) -> bool:
    before, after = at > 0 and _is_word(text[at - 1]), at < len(text) and _is_word(text[at])
    return before != after
