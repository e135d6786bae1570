"""Proxy, account or platform: whose trouble is it? Told from the runs of one window that had things in common. Pure.

A suspect is guilty when what went through it failed and what did the same without it did not: an account's failures
clear the proxy when other accounts got through that proxy, and clear the platform when other accounts of it work. The
fact to know: where nothing ran that could tell two suspects apart, both are named and the answer is "cannot tell".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import comb

_CHANCE = 0.01  # that a suspect's failures fell on it by accident
_LEAST_FAILURES = 2
_MOSTLY = 0.5  # a guilty one fails at least so often
_CLEARED = 0.34  # an innocent one fails at most so often among the runs that avoid the guilty one
_TOO_FEW = "Nothing to ask: fewer than two failures in these hours. The answer appears with the second."
_SPREAD = "The failures are spread: no proxy, account or platform has more of them than chance gives."
_APART = "Several of one kind are in trouble, each without the others: look at them one by one."
_TOGETHER = "Nothing ran that could tell these apart."
_NO_CONTRAST = "Nearly everything failed: too little went well in these hours to clear anybody."


class Suspect(StrEnum):
    PROXY = "proxy"
    ACCOUNT = "account"
    PLATFORM = "platform"


class Verdict(StrEnum):
    PROXY = "proxy"
    ACCOUNT = "account"
    PLATFORM = "platform"
    CANNOT_TELL = "cannot_tell"
    NOTHING = "nothing"  # no failures worth a question


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt that ended. `code`: what it failed of, None = it went well; `is_fetch`: in the source's step;
    `is_last`: its job ended with it; `proxy`: the id of the one it went through, or its address where it has none."""

    at: datetime
    job_id: int
    connection_id: int
    post_id: int
    source_id: int
    destination_id: int
    source_platform: str
    destination_platform: str
    proxy: str | None
    is_fetch: bool | None
    code: str | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Met:
    """One meeting of proxy, account and platform, and whether it failed."""

    proxy: str | None
    account: int
    platform: str
    is_failed: bool

    def key(self, suspect: Suspect) -> str | None:
        return {Suspect.PROXY: self.proxy, Suspect.ACCOUNT: str(self.account), Suspect.PLATFORM: self.platform}[suspect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """`failed` of `runs` through one suspect, `failed_elsewhere` of `elsewhere` past it; `chance`: of as many on it by
    accident, given how many failed in all."""

    suspect: Suspect
    key: str
    runs: int
    failed: int
    elsewhere: int
    failed_elsewhere: int
    chance: float

    def said(self, name: str | None = None) -> str:
        """With the name people gave it."""
        past = f"{self.failed_elsewhere} of {self.elsewhere} without it" if self.elsewhere else "nothing ran without it"
        return f"{self.suspect} {name or self.key}: {self.failed} of {self.runs} failed; {past}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`key`: the guilty one's proxy, account id or platform. `evidence`: the suspects, the guilty one or the
    likeliest first."""

    verdict: Verdict
    key: str | None = None
    chance: float | None = None
    evidence: tuple[Count, ...] = field(default=())
    why: str = ""


def meetings(runs: Iterable[Run]) -> list[Met]:
    """A failed run met the account in whose step it failed; one that went well met both ends."""
    met: list[Met] = []
    for run in runs:
        source = Met(run.proxy, run.source_id, run.source_platform, run.code is not None)
        destination = Met(run.proxy, run.destination_id, run.destination_platform, run.code is not None)
        if run.code is None:
            met += [source, destination]
        else:
            met.append(source if run.is_fetch else destination)
            if not run.is_fetch:
                met.append(Met(run.proxy, run.source_id, run.source_platform, False))
    return met


def diagnose(met: Sequence[Met]) -> Diagnosis:
    """Whose trouble the failures of this window are. Raises nothing; too little is "cannot tell"."""
    failed = [one for one in met if one.is_failed]
    if len(failed) < _LEAST_FAILURES:
        return Diagnosis(verdict=Verdict.NOTHING, why=_TOO_FEW)
    counts = sorted(_counts(met, failed), key=lambda one: (one.chance, -one.failed, one.suspect, one.key))
    evidence = tuple(counts[:6])
    likely = [one for one in counts if one.failed / one.runs >= _MOSTLY and one.chance <= _CHANCE]
    left = [one for one in likely if not any(_explains(other, one, met) for other in likely if other != one)]
    if not likely:
        why = _NO_CONTRAST if len(failed) >= _MOSTLY * len(met) else _SPREAD
        return Diagnosis(verdict=Verdict.CANNOT_TELL, evidence=evidence, why=why)
    if len(left) != 1:
        open_ = tuple(left or likely)
        return Diagnosis(verdict=Verdict.CANNOT_TELL, evidence=open_, why=_APART if _are_apart(open_) else _TOGETHER)
    (guilty,) = left
    others = tuple(one for one in evidence if one != guilty)
    verdict = Verdict(guilty.suspect.value)
    return Diagnosis(
        verdict=verdict, key=guilty.key, chance=guilty.chance, evidence=(guilty, *others), why=guilty.said()
    )


def _counts(met: Sequence[Met], failed: Sequence[Met]) -> Iterable[Count]:
    for suspect in Suspect:
        for key in sorted({key for one in failed if (key := one.key(suspect)) is not None}):
            through = [one for one in met if one.key(suspect) == key]
            bad = sum(one.is_failed for one in through)
            yield Count(
                suspect=suspect,
                key=key,
                runs=len(through),
                failed=bad,
                elsewhere=len(met) - len(through),
                failed_elsewhere=len(failed) - bad,
                chance=by_accident(bad, len(through), len(failed), len(met)),
            )


def _explains(other: Count, one: Count, met: Sequence[Met]) -> bool:
    """Does `other` explain what `one` is suspected of? Without `other`, what went through `one` went well; and what
    went through `other` without `one` failed, or `one` is the wider of the two."""
    with_one_only = [m for m in met if m.key(one.suspect) == one.key and m.key(other.suspect) != other.key]
    with_other_only = [m for m in met if m.key(other.suspect) == other.key and m.key(one.suspect) != one.key]
    if with_one_only and _rate(with_one_only) <= _CLEARED:
        return not with_other_only or _rate(with_other_only) >= _MOSTLY
    # Nothing went through `one` alone: `other` failed also without it.
    return not with_one_only and len(with_other_only) >= _LEAST_FAILURES and _rate(with_other_only) >= _MOSTLY


def _are_apart(suspects: Sequence[Count]) -> bool:
    """Of one kind, so that no run went through two of them."""
    return len({one.suspect for one in suspects}) == 1


def _rate(met: Sequence[Met]) -> float:
    return sum(one.is_failed for one in met) / len(met)


def by_accident(bad: int, runs: int, failed: int, total: int) -> float:
    """That at least `bad` of the `failed` fall among these `runs` of `total` (hypergeometric, Fisher's exact test)."""
    most = min(runs, failed)
    ways = sum(comb(runs, n) * comb(total - runs, failed - n) for n in range(bad, most + 1))
    return ways / comb(total, failed)
