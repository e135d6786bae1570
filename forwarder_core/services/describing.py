"""What the product knows of itself, for the documents that are made from it."""

from __future__ import annotations

from forwarder_core.alerts.kinds import RULES
from forwarder_core.db.tables import metadata


def alert_kinds() -> list[tuple[str, str, str, bool]]:
    """Each kind: its name, when it comes, how severe it is where no error says so, whether it is on at first."""
    return [(str(kind), rule.title, str(rule.severity), rule.is_on) for kind, rule in RULES.items()]


def columns() -> dict[str, list[str]]:
    """Every table's columns in words."""
    return {
        name: [
            f"{column.name} → {next(iter(column.foreign_keys)).column.table.name}"
            if column.foreign_keys
            else column.name
            for column in table.columns
        ]
        for name, table in sorted(metadata.tables.items())
    }
