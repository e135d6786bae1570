"""Connections: a source account joined to a destination account, with rules of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from forwarder_core.domain.filters import FilterMode, Filters
from forwarder_core.domain.schedules import Schedule
from forwarder_core.domain.transforms import TransformOptions


class ConnectionStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`started_at`: posts from this instant on are new. None until the first start. `token_ref`: the credential of the
    destination account it publishes with; None for the account's own."""

    id: int
    name: str
    type: str
    source_account_id: int
    destination_account_id: int
    status: ConnectionStatus
    status_reason: str | None = None
    proxy_id: int | None = None
    token_ref: int | None = None
    proxy_policy: Mapping[str, object] = field(default_factory=dict)
    filters: Filters = field(default_factory=Filters)
    schedule: Schedule = field(default_factory=Schedule)
    transform: TransformOptions = field(default_factory=TransformOptions)
    publish: Mapping[str, object] = field(default_factory=dict)
    retry_policy: Mapping[str, object] = field(default_factory=dict)
    on_ambiguous: str | Mapping[str, object] = "ask"
    priority: int = 0
    started_at: datetime | None = None
    last_run_at: datetime | None = None
    created_at: datetime | None = None

    @property
    def looks_by_itself(self) -> bool:
        """While it is active; one that does only what it is asked for has its source looked at when somebody asks."""
        return self.filters.mode is not FilterMode.ASKED_ONLY


def type_of(source_platform: str, destination_platform: str) -> str:
    """`instagram_to_youtube` and the like."""
    return f"{source_platform}_to_{destination_platform}"
