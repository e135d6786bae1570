"""The audit log over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from admin_app.api.schemas.base import Out, PageQuery, Words
from forwarder_core.services.auditing import Deed


class DeedQuery(PageQuery):
    who: Words | None = Field(None, max_length=200, description="Exactly")
    q: Words | None = Field(None, max_length=200, description="Part of what was done, or of the thing it was done to")


class DeedOut(Out):
    id: int
    at: datetime
    who: str
    what: str
    target: str
    details: dict[str, Any]

    @classmethod
    def of(cls, deed: Deed) -> DeedOut:
        return cls(id=deed.id, at=deed.at, who=deed.who, what=deed.what, target=deed.target, details=dict(deed.details))
