"""The tables, by noun. `metadata` here knows all of them."""

from forwarder_core.db.columns import metadata
from forwarder_core.db.tables import (
    accounts,
    analytics,
    flow,
    happenings,
    incidents,
    machines,
    people,
    quotas,
    requests,
    roads,
    system,
    tokens,
    upkeep,
)

__all__ = [
    "accounts",
    "analytics",
    "flow",
    "happenings",
    "incidents",
    "machines",
    "metadata",
    "people",
    "quotas",
    "requests",
    "roads",
    "system",
    "tokens",
    "upkeep",
]
