"""Events beside the figures: what happened in a period, and whether failures followed it more than chance has it.

docs/analytics.md says how the strength of evidence is measured; the rule is `domain.coincidences`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from forwarder_core.db import happenings as rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain.analytics import Period, bounds
from forwarder_core.domain.coincidences import AFTER_HOURS, Coincidence, Strength, coincide
from forwarder_core.domain.happenings import CAUSELESS, Happening, HappeningKind
from forwarder_core.services.context import Core

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("forwarder_core", "forwarder_pipelines", "admin_app")
_NAMES = {
    HappeningKind.TOKEN: "Renewals of tokens",
    HappeningKind.PROXY: "Changes of proxies",
    HappeningKind.SETTING: "Changes of settings",
    HappeningKind.RELEASE: "Releases",
}


@dataclass(frozen=True, slots=True)
class Story:
    """Events of a period in order, and what their coincidence with failures is worth, by kind."""

    period: Period
    happenings: tuple[Happening, ...]
    evidence: tuple[Coincidence, ...]


def story(core: Core, chosen: Period) -> Story:
    since, end = bounds(chosen.first, chosen.last, core.settings.zone)
    until = max(since + timedelta(hours=1), min(end, core.clock.now() + timedelta(seconds=1)))
    with core.begin() as tx:
        found, hours = rows.between(tx, since, until), rows.hours(tx, since, until)
    asked = [kind for kind in HappeningKind if kind not in CAUSELESS]
    evidence = [
        coincide(kind.value, sorted({_hour(one.at, since) for one in found if one.kind is kind}), hours)
        for kind in asked
        if any(one.kind is kind for one in found)
    ]
    return Story(chosen, tuple(found), tuple(evidence))


def words(one: Coincidence) -> str:
    """The evidence in a sentence."""
    name = _NAMES[HappeningKind(one.kind)]
    met = f"{one.followed} of {one.events} followed by a spike of failures within {AFTER_HOURS} hours"
    if one.ratio is None:
        return f"{name}: {met}; nothing to compare with."
    measured = f"failures ×{one.ratio:g} (95 %: {one.low:g} to {one.high:g}), p = {one.p:g}"
    told = {
        Strength.STRONG: "strong evidence that they belong together",
        Strength.SOME: "some evidence that they belong together",
        Strength.NONE: "no more than chance",
        Strength.TOO_FEW: "too few to say",
    }[one.strength]
    return f"{name}: {met}; {measured}: {told}."


def note_renewal(tx: Tx, token_id: int, alias: str, now: datetime) -> None:
    """In the transaction that renews it."""
    rows.note(tx, Happening(now, HappeningKind.TOKEN, f"Token of {alias} renewed"), f"{token_id}:{now.isoformat()}")


def note_release(core: Core) -> str:
    """Note the code that runs now, the first time it is met; what it is called."""
    name = release()
    with core.begin() as tx:
        rows.note(tx, Happening(core.clock.now(), HappeningKind.RELEASE, f"Release {name} runs"), name)
    return name


@cache
def release() -> str:
    """The same code has the same name, wherever it lies."""
    digest = hashlib.sha256()
    for part in _PARTS:
        for path in sorted((_ROOT / part).rglob("*.py")):
            digest.update(str(path.relative_to(_ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:10]


def _hour(at: datetime, since: datetime) -> int:
    return int((at - since).total_seconds() // 3_600)
