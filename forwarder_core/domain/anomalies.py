"""Do too many posts fail of late? Of an account against its own past, and of all that share a proxy or platform. Pure.

The last posts are looked at one by one: how rare are so many failures among them (a binomial tail over every run that
ends now), of any cause and of each cause by itself: two failures of a cause an account has not met in eight weeks say
more than four of the common ones. The fact to know: false alarms are paid from a budget of each account and month, so
who posts twice as often must show something twice as rare. Too few posts is `volumes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import sqrt

from forwarder_core.domain import chances

WEEKS = 8  # so many weeks before are the usual
LOOKS_BACK = timedelta(hours=72)
LEAST_WEEKS = 4
# False alarms a month that one account may cause, of failures of any cause and of each cause alone. Found by
# simulation (bench/anomalies.py): with them a hundred accounts cause less than one.
_ALARMS_OF_FAILURES = 0.003
_ALARMS_OF_A_CAUSE = 0.0006
_WEEKS_A_MONTH = 30 / 7
_MOST_POSTS = 60
_MOST_SHARED = 240
_JUST_ONE = 0.5  # what is held for possible of a cause never met (Jeffreys)
_OUTLIER = 1e-3  # a week with so rare a number of failures is no part of the usual
_REST = 1e-3  # what is left of a shared trouble without its worst account must still be so rare


class Kind(StrEnum):
    SUCCESS_DROP = "success_drop"
    VOLUME_DROP = "volume_drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """`value` and `usual`: percent of success among the last `posts`, or posts of the last `hours`. `chance`: that an
    ordinary day looks like this. `code`: the cause, where it is one cause that is rare."""

    kind: Kind
    value: float
    usual: float
    z: float
    chance: float
    posts: int = 0
    hours: int = 0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one post at an account. `code`: None = it went well."""

    code: str | None = None
    account: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """Posts that ended in one week before, and what failed at this account's end, by cause."""

    posts: int
    failed: Mapping[str, int]

    def bad(self, code: str | None) -> int:
        """Of this cause; None = of any."""
        return sum(self.failed.values()) if code is None else self.failed.get(code, 0)


class Usual:
    """How an account fared in the weeks before; shares of causes are worked out when they are asked for."""

    def __init__(self, weeks: Sequence[Week]) -> None:
        self._weeks = [week for week in weeks if week.posts]
        self._shares: dict[str | None, float] = {}

    @property
    def is_known(self) -> bool:
        return len(self._weeks) >= LEAST_WEEKS

    @property
    def posts(self) -> int:
        """So many it is learnt from."""
        return sum(week.posts for week in self._weeks)

    @property
    def posts_a_month(self) -> float:
        return _WEEKS_A_MONTH * self.posts / len(self._weeks)

    def share(self, code: str | None) -> float:
        """Failures of this cause (None = any) a post; never 0: one more is always possible."""
        if code not in self._shares:
            self._shares[code] = usual_share(self._weeks, code)
        return self._shares[code]

    def weekly(self, code: str | None) -> list[float]:
        return [week.bad(code) / week.posts for week in self._weeks]


def usual_share(weeks: Sequence[Week], code: str | None) -> float:
    """Failures of this cause (None = any) a post. The worst week is left out where it is unlike the others, so that
    one bad week hides no second one."""
    counted = sorted(((week.bad(code), week.posts) for week in weeks), key=lambda one: one[0] / one[1])
    bad, posts = sum(n for n, _ in counted[:-1]), sum(n for _, n in counted[:-1])
    worst, among = counted[-1]
    if chances.of_more(worst, among * (bad + _JUST_ONE) / (posts + 1)) > _OUTLIER:
        bad, posts = bad + worst, posts + among
    return min(1.0, (bad + _JUST_ONE) / (posts + 1))


def success(recent: Sequence[Outcome], usual: Usual) -> Anomaly | None:
    """Of one account: the rarest run of failures among its last posts (oldest first), if it is rare enough to tell."""
    if not usual.is_known:
        return None
    return _found(recent[-_MOST_POSTS:], {one.account: usual for one in recent}, least=1)


def shared(recent: Sequence[Outcome], usual: Mapping[int, Usual]) -> Anomaly | None:
    """Of accounts that have something in common, each post against the past of its own account. Told only where it is
    no trouble of a single one of them."""
    known = {id_: one for id_, one in usual.items() if one.is_known}
    last = [one for one in recent if one.account in known][-_MOST_SHARED:]
    return _found(last, {one.account: known[one.account] for one in last}, least=2)


def _found(last: Sequence[Outcome], usual: Mapping[int, Usual], *, least: int) -> Anomaly | None:
    """`least`: so many accounts must have failures."""
    failed = [one for one in last if one.code]
    if len({one.account for one in failed}) < least:
        return None
    posts = sum(one.posts_a_month for one in usual.values())
    tests: list[tuple[str | None, float]] = [(None, _ALARMS_OF_FAILURES / posts)]
    tests += [(code, _ALARMS_OF_A_CAUSE / posts) for code in sorted({one.code for one in failed if one.code})]
    found = [_rarest(last, usual, code, limit, least=least) for code, limit in tests]
    return min((one for one in found if one), key=lambda one: one.chance, default=None)


def _rarest(
    last: Sequence[Outcome], usual: Mapping[int, Usual], code: str | None, limit: float, *, least: int
) -> Anomaly | None:
    """Over every run that begins with a failure and ends now."""
    bad, best = 0, (1.0, 0, 0)
    expected, seen = 0.0, _seen(usual)
    for n, one in enumerate(reversed(last), 1):
        expected += usual[one.account].share(code)
        if _is_bad(one, code):
            bad += 1
            if bad > expected:
                best = min(best, (chances.of_so_many(bad, n, expected / n, seen), n, bad))
    chance, n, bad = best
    if chance > limit or (least > 1 and not _is_of_several(last[-n:], usual, code)):
        return None
    return _told(last[-n:], usual, code, chance, bad)


def _is_of_several(run: Sequence[Outcome], usual: Mapping[int, Usual], code: str | None) -> bool:
    """Is it still rare without the account that failed most?"""
    failed: dict[int, int] = {}
    for one in run:
        failed[one.account] = failed.get(one.account, 0) + _is_bad(one, code)
    worst = max(failed, key=lambda id_: failed[id_])
    rest = [one for one in run if one.account != worst]
    if not rest:
        return False
    expected = sum(usual[one.account].share(code) for one in rest)
    bad = sum(n for id_, n in failed.items() if id_ != worst)
    return chances.of_so_many(bad, len(rest), expected / len(rest), _seen(usual)) <= _REST


def _seen(usual: Mapping[int, Usual]) -> int:
    return sum(one.posts for one in usual.values())


def _told(run: Sequence[Outcome], usual: Mapping[int, Usual], code: str | None, chance: float, bad: int) -> Anomaly:
    n = len(run)
    share = sum(usual[one.account].share(code) for one in run) / n
    weekly = [week for id_ in sorted({one.account for one in run}) for week in usual[id_].weekly(code)]
    z = -chances.score(bad / n, weekly, floor=sqrt(share * (1 - share) / n) or 1.0)
    value, normal = round(100 * (1 - bad / n), 1), round(100 * (1 - share), 1)
    return Anomaly(kind=Kind.SUCCESS_DROP, value=value, usual=normal, z=round(z, 1), chance=chance, posts=n, code=code)


def _is_bad(one: Outcome, code: str | None) -> bool:
    return one.code is not None and (code is None or one.code == code)
