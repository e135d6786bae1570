"""How strong a password looks, for the meter beside the field. Pure; whether it is allowed is decided elsewhere."""

from __future__ import annotations

import math
import string
from enum import StrEnum

_POOLS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_OTHER = 33  # printable signs of ASCII
# Bits of the guess: at a thousand, a million, a million million tries a second each step lasts about a year or more.
_FAIR_BITS, _GOOD_BITS, _STRONG_BITS = 36.0, 50.0, 70.0


class Strength(StrEnum):
    WEAK = "weak"
    FAIR = "fair"
    GOOD = "good"
    STRONG = "strong"

    @property
    def share(self) -> float:
        """Of a full meter."""
        return (list(Strength).index(self) + 1) / len(Strength)


def strength(password: str) -> Strength:
    """By its length without repetitions and runs, and the kinds of characters in it."""
    bits = _bits(password)
    limits = ((_STRONG_BITS, Strength.STRONG), (_GOOD_BITS, Strength.GOOD), (_FAIR_BITS, Strength.FAIR))
    return next((found for least, found in limits if bits >= least), Strength.WEAK)


def _bits(password: str) -> float:
    pool = sum(len(kind) for kind in _POOLS if any(c in kind for c in password))
    pool += _OTHER if any(not any(c in kind for kind in _POOLS) for c in password) else 0
    telling = sum(
        1
        for n, c in enumerate(password)
        if n == 0 or abs(ord(c) - ord(password[n - 1])) > 1  # aaa and abc say no more than a
    )
    return min(telling, 2 * len(set(password))) * math.log2(pool) if pool else 0.0
