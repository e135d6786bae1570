"""The tables, by noun. `metadata` here knows all of them."""

from forwarder_core.db.columns import metadata
from forwarder_core.db.tables import accounts, flow, people, system

__all__ = ["accounts", "flow", "metadata", "people", "system"]
