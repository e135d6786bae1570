"""Proxy, account or platform? The runs of the last hours asked, and the answer with the names people gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder_core.db import analytics_rows, outcomes, proxies
from forwarder_core.domain import diagnoses
from forwarder_core.domain.diagnoses import Count, Diagnosis, Suspect, Verdict
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services.context import Core

MOST_HOURS = 168
USUAL_HOURS = 3
Names = Mapping[tuple[Suspect, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`name`: of the guilty one. `words`: the answer in a sentence. `evidence`: each suspect in a sentence."""

    since: datetime
    until: datetime
    runs: int
    failed: int
    diagnosis: Diagnosis
    name: str | None
    words: str
    evidence: tuple[str, ...]


def recent(core: Core, hours: int = USUAL_HOURS) -> Answer:
    """Of the runs that ended in the last so many hours. Raises Invalid."""
    if not 1 <= hours <= MOST_HOURS:
        raise Invalid("That is no such span.", FieldError("hours", f"1 to {MOST_HOURS}"))
    until = core.clock.now()
    return between(core, until - timedelta(hours=hours), until + timedelta(seconds=1))


def between(core: Core, since: datetime, until: datetime) -> Answer:
    with core.begin() as tx:
        runs = outcomes.ended(tx, since, until)
        names = {(Suspect.ACCOUNT, str(id_)): alias for id_, (alias, _, _) in analytics_rows.named_accounts(tx).items()}
        names |= {(Suspect.PROXY, str(id_)): known.alias for id_, known in proxies.known(tx).items()}
    found = diagnoses.diagnose(diagnoses.meetings(runs))
    guilty = _name(found.evidence[0], names) if found.key else None
    return Answer(
        since=since,
        until=until,
        runs=len(runs),
        failed=sum(run.code is not None for run in runs),
        diagnosis=found,
        name=guilty,
        words=_words(found, guilty, names),
        evidence=tuple(_said(one, names) for one in found.evidence),
    )


def _words(found: Diagnosis, name: str | None, names: Names) -> str:
    if found.verdict is Verdict.NOTHING:
        return found.why
    if found.verdict is Verdict.CANNOT_TELL:
        return f"Cannot tell whose trouble it is. {found.why}"
    return f"It is the {found.verdict} {name}. {_said(found.evidence[0], names)}."


def _said(one: Count, names: Names) -> str:
    return one.said(_name(one, names))


def _name(one: Count, names: Names) -> str:
    return names.get((one.suspect, one.key), one.key)
