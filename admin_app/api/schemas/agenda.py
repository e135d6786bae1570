"""The calendar over the wire."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta

from pydantic import ConfigDict, Field, model_validator

from admin_app.api.schemas.base import Body, Out, RowId
from forwarder_core.domain.calendars import Mark, month_of
from forwarder_core.services.calendars import Span

_MOST_DAYS = 62
_FIRST, _LAST = date(2000, 1, 1), date(2199, 12, 31)


class AgendaQuery(Body):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    first: date | None = Field(None, alias="from", ge=_FIRST, le=_LAST)
    last: date | None = Field(None, alias="to", ge=_FIRST, le=_LAST, description="Included")
    connection: RowId | None = None

    @model_validator(mode="after")
    def _in_order(self) -> AgendaQuery:
        if (self.first is None) != (self.last is None):
            raise ValueError("give both from and to, or neither")
        if self.first and self.last and not 0 <= (self.last - self.first).days < _MOST_DAYS:
            raise ValueError(f"the span must be 1 to {_MOST_DAYS} days")
        return self

    def days(self, today: date) -> tuple[date, date]:
        """The first day, and the day after the last."""
        if self.first is None or self.last is None:
            return month_of(today)
        return self.first, self.last + timedelta(days=1)


class EntryOut(Out):
    """`at`: when it arrived, failed for good, or is due."""

    at: datetime
    mark: Mark
    job_id: int
    connection_id: int
    connection: str
    caption: str


class DayCountOut(Out):
    day: date
    connection_id: int
    connection: str
    mark: Mark
    count: int


class AgendaOut(Out):
    """`entries`: 500 at most of what is over and of what is planned; `counts` are of all."""

    first: date
    last: date
    zone: str
    entries: list[EntryOut]
    counts: list[DayCountOut]

    @classmethod
    def of(cls, span: Span, first: date, after: date, zone: str) -> AgendaOut:
        return cls(
            first=first,
            last=after - timedelta(days=1),
            zone=zone,
            entries=[EntryOut(**asdict(entry)) for entry in span.entries],
            counts=[DayCountOut(**asdict(count)) for count in span.counts],
        )
