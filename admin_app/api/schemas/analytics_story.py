"""Events beside the figures and the differential diagnosis, over the wire."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from admin_app.api.schemas.analytics import PeriodOut
from admin_app.api.schemas.base import Body, Out
from forwarder_core.services import happenings
from forwarder_core.services.diagnosing import MOST_HOURS, USUAL_HOURS, Answer
from forwarder_core.services.happenings import Story


class EventOut(Out):
    """`kind`: token, proxy, setting, release, incident or anomaly."""

    at: dt.datetime
    kind: str
    text: str


class EvidenceOut(Out):
    """Failures in the three hours after events of a kind against all other hours. `ratio`: failures an attempt there
    over those elsewhere, its 95 % interval `low` to `high`; `followed`: events with a spike of failures in their hours;
    `p`: as many failures by chance (permutation); `strength`: strong, some, none or too_few."""

    kind: str
    events: int
    followed: int
    spikes: int
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None
    strength: str
    words: str


class EventsOut(Out):
    period: PeriodOut
    events: list[EventOut]
    evidence: list[EvidenceOut]

    @classmethod
    def of(cls, story: Story) -> EventsOut:
        return cls(
            period=PeriodOut.of(story.period),
            events=[EventOut(at=one.at, kind=one.kind.value, text=one.text) for one in story.happenings],
            evidence=[
                EvidenceOut(
                    kind=one.kind,
                    events=one.events,
                    followed=one.followed,
                    spikes=one.spikes,
                    ratio=one.ratio,
                    low=one.low,
                    high=one.high,
                    p=one.p,
                    strength=one.strength.value,
                    words=happenings.words(one),
                )
                for one in story.evidence
            ],
        )


class HoursQuery(Body):
    """How far back."""

    hours: int = Field(USUAL_HOURS, ge=1, le=MOST_HOURS, description="Runs that ended in the last so many hours")


class SuspectOut(Out):
    """`failed` of `runs` through it, `failed_elsewhere` of `elsewhere` without it; `chance`: of that by accident.
    `words`: the same as a sentence, with the name people gave it."""

    suspect: str
    key: str
    words: str
    runs: int
    failed: int
    elsewhere: int
    failed_elsewhere: int
    chance: float


class DiagnosisOut(Out):
    """`verdict`: proxy, account, platform, cannot_tell or nothing. `key`: the proxy's or the account's id or the
    platform; `name`: what it is called."""

    since: dt.datetime
    until: dt.datetime
    runs: int
    failed: int
    verdict: str
    key: str | None
    name: str | None
    words: str
    evidence: list[SuspectOut]

    @classmethod
    def of(cls, found: Answer) -> DiagnosisOut:
        return cls(
            since=found.since,
            until=found.until,
            runs=found.runs,
            failed=found.failed,
            verdict=found.diagnosis.verdict.value,
            key=found.diagnosis.key,
            name=found.name,
            words=found.words,
            evidence=[
                SuspectOut(
                    suspect=one.suspect.value,
                    key=one.key,
                    words=said,
                    runs=one.runs,
                    failed=one.failed,
                    elsewhere=one.elsewhere,
                    failed_elsewhere=one.failed_elsewhere,
                    chance=one.chance,
                )
                for one, said in zip(found.diagnosis.evidence, found.evidence, strict=True)
            ],
        )
