"""Limits the administrator has set in place of a platform's file, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.quotas import limit_overrides
from forwarder_core.domain.limits import LimitValue

_OWN = limit_overrides.c.workspace_id == WORKSPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """`source`: why, in the administrator's words."""

    platform: str
    name: str
    value: LimitValue
    source: str
    who: str
    changed_at: datetime


_ALL = select(limit_overrides).where(_OWN).order_by(limit_overrides.c.platform, limit_overrides.c.name)
_OF_PLATFORM = _ALL.where(limit_overrides.c.platform == bindparam("of_platform"))


def overrides(tx: Tx, platform: str | None = None) -> list[Override]:
    found = tx.execute(_ALL) if platform is None else tx.execute(_OF_PLATFORM, {"of_platform": platform})
    return [
        Override(
            platform=row.platform,
            name=row.name,
            value=row.value["value"],
            source=row.source,
            who=row.who,
            changed_at=row.changed_at,
        )
        for row in found
    ]


def keep(tx: Tx, override: Override) -> None:
    said = {
        "value": {"value": override.value},
        "source": override.source,
        "who": override.who,
        "changed_at": override.changed_at,
    }
    made = upsert(limit_overrides).values(platform=override.platform, name=override.name, **said)
    tx.execute(made.on_conflict_do_update(index_elements=["workspace_id", "platform", "name"], set_=said))


def drop(tx: Tx, platform: str, names: Sequence[str]) -> None:
    ours = (limit_overrides.c.platform == platform) & limit_overrides.c.name.in_(names)
    tx.execute(delete(limit_overrides).where(_OWN, ours))
