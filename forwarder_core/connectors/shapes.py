"""What a platform's answer must look like before it is believed: the guard around the reading of JSON from outside.

What lives here: the one translation of “this answer is not what it should be” into our own class, and the few readers
that refuse instead of guessing. What does not: any platform's own fields.
The fact to know: Python reads a wrong answer with a dozen different exceptions, or worse, with none: `str(None)` is an
id, and a missing list is an empty one. The former end in `understood`; the readers are for the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from forwarder_core.errors import ContractChanged
from forwarder_core.logs import redact

# What reading an answer of another shape throws; RecursionError: JSON nested without end.
MISREAD = (LookupError, TypeError, AttributeError, ValueError, OverflowError, AssertionError, RecursionError)
_RAW_CHARS = 300


@contextmanager
def understood(platform: str) -> Iterator[None]:
    """Around the reading of an answer, also as a decorator. Ours pass; a misreading leaves as ContractChanged."""
    try:
        yield
    except MISREAD as e:
        raise misread(platform, e) from e


def misread(platform: str, error: BaseException) -> ContractChanged:
    raw = redact(f"{type(error).__name__}: {error}"[: 4 * _RAW_CHARS])[:_RAW_CHARS]
    return ContractChanged(f"{platform} answered in a form not known here.", raw=raw)


def text_at(answer: object, *path: str) -> str:
    """The text at this place, not empty. Raises TypeError or KeyError for anything else, a number or null too."""
    value: Any = answer
    for name in path:
        if not isinstance(value, Mapping):
            raise TypeError(f"no object holds “{name}”")
        value = value[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"“{'.'.join(path)}” is no text")
    return value


def objects_in(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects at this place. A missing list is not an empty one: KeyError, TypeError."""
    value = answer[name]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"“{name}” is no list of objects")
    return value
