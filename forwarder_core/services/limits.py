"""Limits in force: what a platform's file says, and what the administrator has put in its place. Obeyed at once.

The media plan, the captions and the daily counts all ask here. The fact to know: an override keeps who set it, when and
why beside the value; taking it back (a value of None) makes the file's own entry count again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Role
from forwarder_core.db import accounts, limits, pacing, people
from forwarder_core.db.engine import Tx
from forwarder_core.db.limits import Override
from forwarder_core.domain.limits import LimitEntry, Limits, LimitValue, contradiction, limits_of, problem_with
from forwarder_core.errors import FieldError, Invalid, NotFound
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One limit as it stands. `usual`: the file's own value, with where that was read and when."""

    platform: str
    name: str
    value: LimitValue
    usual: LimitValue
    source: str
    checked_at: date
    changed_by: str | None = None
    changed_at: datetime | None = None

    @property
    def is_changed(self) -> bool:
        return self.changed_at is not None


def in_force(tx: Tx, platform: str) -> Limits:
    """An override of a limit the file does not know any more says nothing."""
    entries = registry.limit_entries(platform)
    changed = {o.name: o.value for o in limits.overrides(tx, platform) if o.name in entries}
    if not changed:
        return registry.limits(platform)
    return limits_of({name: changed.get(name, entry.value) for name, entry in entries.items()})


def of_platform(core: Core, platform: str) -> Limits:
    with core.read() as tx:
        return in_force(tx, platform)


def views(core: Core) -> list[LimitView]:
    """Every limit of every platform that can be a destination."""
    with core.begin() as tx:
        changed = {(o.platform, o.name): o for o in limits.overrides(tx)}
    return [
        _view(platform, name, entry, changed.get((platform, name)))
        for platform in platforms()
        for name, entry in registry.limit_entries(platform).items()
    ]


def platforms() -> list[str]:
    """Those that have limits: the ones a post can go to."""
    return [name for name, spec in registry.specs().items() if Role.DESTINATION in spec.roles]


def change(
    core: Core, platform: str, values: Mapping[str, LimitValue | None], *, who: str, why: str = ""
) -> list[LimitView]:
    """Put values in place of the file's, all or none; None takes an override back. Raises Invalid."""
    if platform not in platforms():
        raise NotFound(f"There are no limits of “{platform}”.")
    entries = registry.limit_entries(platform)
    _check(entries, values)
    now = core.clock.now()
    with core.begin() as tx:
        limits.drop(tx, platform, list(values))
        for name, value in values.items():
            if value is not None:
                kept = Override(platform=platform, name=name, value=value, source=why, who=who, changed_at=now)
                limits.keep(tx, kept)
        if bad := contradiction(in_force(tx, platform)):
            raise Invalid("These limits contradict each other.", FieldError("limits", bad))
        people.audit(tx, who=who, what="limits_changed", target=platform, now=now, details=dict(values))
        ends = [account.id for account in accounts.page(tx, after=0, limit=10_000, platform=platform)]
        pacing.release(tx, now, destination_ids=ends)
    logging.getLogger(__name__).info("Limits of %s changed: %s", platform, ", ".join(sorted(values)))
    return [view for view in views(core) if view.platform == platform]


def _check(entries: Mapping[str, LimitEntry], values: Mapping[str, LimitValue | None]) -> None:
    problems = []
    for name, value in values.items():
        if name not in entries:
            problems.append(FieldError(name, "there is no such limit"))
        elif value is not None and (why := problem_with(name, value, entries[name].value)):
            problems.append(FieldError(name, why))
    if problems:
        raise Invalid("Some limits cannot be taken.", *problems)


def _view(platform: str, name: str, entry: LimitEntry, changed: Override | None) -> LimitView:
    return LimitView(
        platform=platform,
        name=name,
        value=entry.value if changed is None else changed.value,
        usual=entry.value,
        source=entry.source if changed is None else changed.source or f"set by {changed.who}",
        checked_at=entry.checked_at,
        changed_by=changed.who if changed else None,
        changed_at=changed.changed_at if changed else None,
    )
