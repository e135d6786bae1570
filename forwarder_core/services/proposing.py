"""Proposing: a connection that is not stored yet, judged and rehearsed as if it were.

The fact to know: nothing is written here, so a person may try as often as they like before they save.
"""

from __future__ import annotations

from typing import Any

from forwarder_core.db import accounts
from forwarder_core.db.connections import transform_of
from forwarder_core.domain import filter_rules, schedule_rules
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.rehearsals import Rehearsal
from forwarder_core.services import connections, rehearsing, templates
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core

__all__ = ["check_rules", "propose", "rehearse", "transform_of"]
_NOT_STORED = 0


def check_rules(rules: dict[str, Any]) -> None:
    """Raises Invalid naming every rule of `rules` (as the API has them) that cannot be read."""
    connections.check_rules(rules)


def propose(core: Core, new: NewConnection) -> Connection:
    """As it would be stored. Raises Invalid for ends and rules that do not fit."""
    with core.begin() as tx:
        source, destination = accounts.get(tx, new.source_account_id), accounts.get(tx, new.destination_account_id)
    kind = connections.check_ends(new, source, destination)
    said = {name: dict(getattr(new, name)) for name in ("filters", "schedule", "transform_options", "publish_options")}
    connections.check_rules(said)
    templates.check_layout(core, said)
    return Connection(
        id=_NOT_STORED,
        name=new.name.strip(),
        type=kind,
        source_account_id=new.source_account_id,
        destination_account_id=new.destination_account_id,
        status=ConnectionStatus.STOPPED,
        proxy_id=new.proxy_id,
        token_ref=new.token_ref,
        filters=filter_rules.read(said["filters"]),
        schedule=schedule_rules.read(said["schedule"]),
        transform=transform_of(said["transform_options"]),
        publish=said["publish_options"],
        retry_policy=new.retry_policy,
        priority=new.priority,
    )


def rehearse(core: Core, new: NewConnection) -> Rehearsal:
    """Everything its start would need, looked at now. Raises Invalid before any platform is asked."""
    return rehearsing.rehearse(core, propose(core, new))
