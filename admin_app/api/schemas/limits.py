"""Limits, quotas and the pace of accounts over the wire."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from admin_app.api.schemas.base import Body, Out, Words
from forwarder_core.services.limits import LimitView
from forwarder_core.services.quotas import QuotaView

Value = int | float | str


class LimitOut(Out):
    """`source` and `checked_at`: where the value was read and when; for an override why, and whose it is."""

    name: str
    value: Value
    usual: Value
    source: str
    checked_at: date
    changed_by: str | None
    changed_at: datetime | None

    @classmethod
    def of(cls, view: LimitView) -> LimitOut:
        return cls(**{name: getattr(view, name) for name in cls.model_fields})


class LimitsOut(Out):
    platforms: dict[str, list[LimitOut]]


class LimitsIn(Body):
    """By the names `GET /api/limits` gives; null takes an override back."""

    platform: str = Field(max_length=40, examples=["youtube"])
    limits: dict[str, Value | None] = Field(min_length=1, max_length=100, examples=[{"media.max_duration_s": 60}])
    why: Words = Field("", max_length=500)


class LimitsDone(Out):
    status: Literal["success"] = "success"
    limits: list[LimitOut]
    message: str


class QuotaOut(Out):
    """`closed_until`: the platform refused, and nothing is tried before."""

    scope: str
    title: str
    platform: str
    accounts: list[str]
    day: date
    used: int
    reserved: int
    limit: int
    resets_at: datetime
    closed_until: datetime | None

    @classmethod
    def of(cls, view: QuotaView) -> QuotaOut:
        return cls(
            **{name: getattr(view, name) for name in cls.model_fields if name != "accounts"},
            accounts=list(view.accounts),
        )


class QuotasOut(Out):
    items: list[QuotaOut]


class PaceIn(Body):
    """As a destination. `ramp`: the most posts on the account's first, second, third … day from `ramp_from` (today
    where nothing is said); afterwards `posts_per_day` alone counts."""

    posts_per_day: int | None = Field(None, ge=1, le=10_000)
    spacing_minutes: float = Field(0, ge=0, le=10_080)
    ramp: list[int] = Field(default_factory=list, max_length=90, examples=[[2, 3, 5, 8]])
    ramp_from: date | None = None


class PaceOut(Out):
    posts_per_day: int | None
    spacing_minutes: float
    ramp: list[int]
    ramp_from: date | None

    @classmethod
    def of(cls, stored: dict[str, Any]) -> PaceOut:
        return cls(**stored)


class PaceDone(Out):
    status: Literal["success"] = "success"
    pace: PaceOut
    message: str
