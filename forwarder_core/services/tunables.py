"""What the admin tunes while the product runs: kept in the database, obeyed at once, each with default and unit.

Environment settings (paths, secrets, addresses) are elsewhere: `forwarder_core.settings`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forwarder_core.db import events, people
from forwarder_core.db.engine import Tx
from forwarder_core.domain.retries import DEFAULT_DELAYS_S
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services.context import Core


@dataclass(frozen=True, slots=True)
class Tunable:
    """`default`'s type is the type of the value; numbers lie within `least`..`most`."""

    key: str
    default: float | int | bool | str | tuple[float, ...]
    unit: str
    text: str
    least: float = 0
    most: float = 1_000_000


ALL = {
    t.key: t
    for t in (
        Tunable("detection.min_interval_s", 60.0, "s", "Least time between two looks at one source", 1, 86_400),
        Tunable("detection.overlap_h", 48.0, "h", "How far before the last look a listing is read again", 1, 720),
        Tunable("detection.max_pages", 20, "pages", "Most pages of a listing read in one look", 2, 200),
        Tunable("detection.poll_lease_s", 90.0, "s", "A look at a source not ended by then is repeated", 5, 3_600),
        Tunable("dispatch.max_running", 10, "jobs", "Most jobs under way at once", 1, 200),
        Tunable("dispatch.per_destination", 1, "jobs", "Most jobs at once per destination account", 1, 10),
        Tunable("dispatch.per_source", 3, "jobs", "Most jobs at once per source account", 1, 20),
        Tunable("dispatch.stamp_s", 120.0, "s", "A dispatched job not started by then is due again", 5, 3_600),
        Tunable("lease.seconds", 60.0, "s", "A worker silent for so long has lost its job", 2, 3_600),
        Tunable("lease.max_rescues", 3, "times", "Dead workers a job survives before it is dead itself", 0, 100_000),
        Tunable("breaker.failures", 8, "failures", "Failures in a row at one platform that open its breaker", 2, 1_000),
        Tunable("breaker.rest_s", 60.0, "s", "How long a platform rests when its breaker opens first", 1, 3_600),
        Tunable("retry.max_retries", 3, "retries", "Retries of a job after its first failure", 0, 20),
        Tunable("retry.delays_s", DEFAULT_DELAYS_S, "s", "Waits before the first, second, third … retry", 0, 86_400),
        Tunable("publish.settle_s.default", 600.0, "s", "How long a destination's listing may lag behind", 0, 86_400),
        Tunable("publish.settle_s.youtube", 600.0, "s", "The same for YouTube", 0, 86_400),
        Tunable("publish.settle_s.instagram", 300.0, "s", "The same for Instagram", 0, 86_400),
        Tunable("verify.patience_s", 120.0, "s", "How long a published post may take to be processed", 1, 3_600),
        Tunable("verify.poll_s", 2.0, "s", "Time between two looks at a post being processed", 0.05, 60),
        Tunable("retention.media_days", 7.0, "days", "How long files are kept after success; 0 = not at all", 0, 3_650),
        Tunable("retention.log_days", 90.0, "days", "How long log events are kept", 1, 3_650),
        Tunable("session.idle_minutes", 720.0, "min", "A session unused for so long ends", 5, 43_200),
        Tunable("session.remember_days", 30.0, "days", "The same with “remember me”", 1, 365),
    )
}


class Tuned:
    """The values in force at one moment."""

    def __init__(self, changed: Mapping[str, Any]) -> None:
        self._changed = changed

    def number(self, key: str) -> float:
        return float(self._value(key))

    def count(self, key: str) -> int:
        return int(self._value(key))

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(float(part) for part in self._value(key))

    def settle_s(self, platform: str) -> float:
        key = f"publish.settle_s.{platform}"
        return self.number(key if key in ALL else "publish.settle_s.default")

    def as_dict(self) -> dict[str, Any]:
        return {key: self._value(key) for key in ALL}

    def _value(self, key: str) -> Any:
        return self._changed.get(key, ALL[key].default)


def read(tx: Tx) -> Tuned:
    """What is stored and still known; a stored value of a key that is gone is passed over."""
    stored = events.setting_values(tx)
    return Tuned({key: value for key, value in stored.items() if key in ALL})


def change(core: Core, values: Mapping[str, Any], *, who: str = "system") -> Tuned:
    """Store new values, all or none. Raises Invalid naming every bad one."""
    problems = [problem for key, value in values.items() if (problem := _problem(key, value))]
    if problems:
        raise Invalid("Some settings cannot be taken.", *problems)
    now = core.clock.now()
    with core.begin() as tx:
        for key, value in values.items():
            events.keep_setting(tx, key, value, now)
        if values:
            people.audit(tx, who=who, what="settings_changed", now=now, details=dict(values))
        tuned = read(tx)
    logging.getLogger(__name__).info("Settings changed: %s", ", ".join(sorted(values)))
    return tuned


def _problem(key: str, value: Any) -> FieldError | None:
    known = ALL.get(key)
    if known is None:
        return FieldError(key, "there is no such setting")
    many = isinstance(known.default, tuple)
    parts = value if many and isinstance(value, (list, tuple)) else [value]
    if not parts or (many and not isinstance(value, (list, tuple))):
        return FieldError(key, f"must be a list of numbers in {known.unit}")
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, (int, float)):
            return FieldError(key, f"must be a number in {known.unit}")
        if not known.least <= part <= known.most:
            return FieldError(key, f"must lie within {known.least:g} and {known.most:g} {known.unit}")
    return None
