"""What the admin tunes while the product runs: kept in the database, obeyed at once, each with default and unit.

Environment settings (paths, secrets, addresses) are elsewhere: `forwarder_core.settings`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from forwarder_core.db import events, pacing, people
from forwarder_core.db.engine import Tx
from forwarder_core.domain import retry_rules
from forwarder_core.domain.machines import bad_networks
from forwarder_core.domain.retries import DEFAULT_DELAYS_S, Strategy
from forwarder_core.errors import FieldError, Invalid
from forwarder_core.services.context import Core

Value = float | int | bool | str | tuple[float, ...] | tuple[str, ...] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tunable:
    """`default`'s type is the type of the value; numbers lie within `least`..`most`, a word is one of `choices`.

    `check`: for any other shape; it names what makes no sense, by its place within the value.
    """

    key: str
    default: Value
    unit: str
    text: str
    least: float = 0
    most: float = 1_000_000
    choices: tuple[str, ...] = ()
    check: Callable[[Any], Sequence[FieldError]] | None = None

    @property
    def is_number(self) -> bool:
        """A number, a switch, or a list of numbers."""
        return not self.choices and self.check is None


AS_LISTED = "as_listed"  # the waits of retry.delays_s, one after the other


def _as_networks(value: Any) -> Sequence[FieldError]:
    return [FieldError("", f"{network} is no network such as 203.0.113.0/24") for network in bad_networks(value)]


def _as_retry_policy(name: str) -> Callable[[Any], Sequence[FieldError]]:
    """The check of a value that is one part of a retry policy."""

    def check(value: Any) -> Sequence[FieldError]:
        try:
            retry_rules.layer_of({name: value})
        except Invalid as e:
            return [FieldError(f.field.removeprefix(name).removeprefix("."), f.message) for f in e.fields]
        return []

    return check


ALL = {
    t.key: t
    for t in (
        Tunable("detection.min_interval_s", 60.0, "s", "Least time between two looks at one source", 1, 86_400),
        Tunable("detection.overlap_h", 48.0, "h", "How far before the last look a listing is read again", 1, 720),
        Tunable("detection.max_pages", 20, "pages", "Most pages of a listing read in one look", 2, 200),
        Tunable("detection.poll_lease_s", 90.0, "s", "A look at a source not ended by then is repeated", 5, 3_600),
        Tunable("dispatch.hold", False, "switch", "Hold everything: nothing is started until this is off again"),
        Tunable("dispatch.max_running", 10, "jobs", "Most jobs under way at once", 1, 200),
        Tunable("dispatch.per_destination", 1, "jobs", "Most jobs at once per destination account", 1, 10),
        Tunable("dispatch.per_source", 3, "jobs", "Most jobs at once per source account", 1, 20),
        Tunable("dispatch.stamp_s", 120.0, "s", "A dispatched job not started by then is due again", 5, 3_600),
        Tunable("lease.seconds", 60.0, "s", "A worker silent for so long has lost its job", 2, 3_600),
        Tunable(
            "lease.silent_host_s",
            600.0,
            "s",
            "A machine whose lease ended and not heard of for so long counts as dead: its jobs go on elsewhere",
            60,
            86_400,
        ),
        Tunable("lease.max_rescues", 3, "times", "Dead workers a job survives before it is dead itself", 0, 100_000),
        Tunable("breaker.failures", 8, "failures", "Failures in a row at one platform that open its breaker", 2, 1_000),
        Tunable("breaker.rest_s", 60.0, "s", "How long a platform rests when its breaker opens first", 1, 3_600),
        Tunable("retry.max_retries", 3, "retries", "Retries of a job after its first failure", 0, 20),
        Tunable("retry.delays_s", DEFAULT_DELAYS_S, "s", "Waits before the first, second, third … retry", 0, 86_400),
        Tunable(
            "retry.strategy",
            AS_LISTED,
            "word",
            "How the waits are found: as listed in retry.delays_s, or by the formula of the next three",
            choices=(AS_LISTED, *Strategy),
        ),
        Tunable("retry.initial_delay_s", 10.0, "s", "By formula: wait before the first retry", 0, 86_400),
        Tunable("retry.multiplier", 6.0, "times", "By formula: an exponential wait grows so many times", 1, 100),
        Tunable("retry.max_delay_s", 600.0, "s", "By formula: longest wait", 0, 86_400),
        Tunable(
            "retry.retry_on",
            tuple[str, ...](),
            "errors",
            "Errors retried although they usually are not",
            check=_as_retry_policy("retry_on_errors"),
        ),
        Tunable(
            "retry.no_retry_on",
            tuple[str, ...](),
            "errors",
            "Errors not retried although they usually are",
            check=_as_retry_policy("no_retry_on_errors"),
        ),
        Tunable(
            "retry.per_class",
            {},
            "policies",
            "Retry policies of single errors, in the words of a connection's retry_policy",
            check=_as_retry_policy("per_class"),
        ),
        Tunable("publish.settle_s.default", 600.0, "s", "How long a destination's listing may lag behind", 0, 86_400),
        Tunable("publish.settle_s.youtube", 600.0, "s", "The same for YouTube", 0, 86_400),
        Tunable("publish.settle_s.instagram", 300.0, "s", "The same for Instagram", 0, 86_400),
        Tunable("publish.settle_s.archive", 30.0, "s", "The same for an archive", 0, 86_400),
        Tunable("clients.pace", 1.0, "times", "Rests of a client between its calls to a platform, multiplied", 0, 10),
        Tunable("verify.patience_s", 120.0, "s", "How long a published post may take to be processed", 1, 3_600),
        Tunable("verify.poll_s", 2.0, "s", "Time between two looks at a post being processed", 0.05, 60),
        Tunable("retention.media_days", 7.0, "days", "How long files are kept after success; 0 = not at all", 0, 3_650),
        Tunable("retention.dagster_days", 30.0, "days", "How long Dagster keeps ended runs and their events", 1, 3_650),
        Tunable("retention.log_days", 90.0, "days", "How long log events are kept", 1, 3_650),
        Tunable("retention.every_hours", 1, "h", "Time between two clean-ups, counted from midnight UTC", 1, 24),
        Tunable("session.idle_minutes", 720.0, "min", "A session unused for so long ends", 5, 43_200),
        Tunable("session.remember_days", 30.0, "days", "The same with “remember me”", 1, 365),
        Tunable("api.calls_per_minute", 12_000, "calls", "Most calls of one session or API token", 10, 1_000_000),
        Tunable("api.address_calls_per_minute", 24_000, "calls", "Most calls from one address", 10, 1_000_000),
        Tunable(
            "api.allowed_networks",
            tuple[str, ...](),
            "networks",
            "Where bearer tokens are taken from, such as 203.0.113.0/24; empty = everywhere",
            check=_as_networks,
        ),
        Tunable("api.metrics_on_loopback", False, "switch", "GET /metrics needs no token on this machine itself"),
        Tunable("alerts.success_rate_min", 80.0, "%", "An account's success rate of a day below this is told", 0, 100),
        Tunable("alerts.success_rate_jobs", 5, "jobs", "Fewer ended jobs of a day say nothing of a rate", 1, 1_000),
        Tunable("alerts.token_hours", 72.0, "h", "A sign-in only a person can renew ends sooner than this", 1, 2_160),
        Tunable("alerts.proxy_errors_max", 50.0, "%", "Failed ones of a proxy's last ten checks, or jobs", 1, 100),
        Tunable("alerts.queue_minutes", 30.0, "min", "A job that could run and waits for so long is told", 1, 10_080),
        Tunable("alerts.heartbeat_s", 180.0, "s", "A process not heard of for so long is told", 30, 86_400),
        Tunable("alerts.silence_least_h", 24.0, "h", "No silence of a connection shorter than this is told", 1, 8_760),
        Tunable("alerts.summary_hour", 8, "o'clock", "From when on the daily and weekly summaries are sent", 0, 23),
        Tunable("alerts.kept_days", 180.0, "days", "How long alerts that were sent stay in the history", 1, 3_650),
        Tunable("disk.warn_gb", 5.0, "GB", "Free space of FORWARDER_HOME's disk below which it is told", 0, 100_000),
        Tunable("disk.stop_gb", 1.0, "GB", "Free space below which nothing is fetched any more", 0, 100_000),
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

    def word(self, key: str) -> str:
        return str(self._value(key))

    def words(self, key: str) -> tuple[str, ...]:
        return tuple(str(part) for part in self._value(key))

    def mapping(self, key: str) -> dict[str, Any]:
        return dict(self._value(key))

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
    problems = [problem for key, value in values.items() for problem in _problems(key, value)]
    if problems:
        raise Invalid("Some settings cannot be taken.", *problems)
    now = core.clock.now()
    with core.begin() as tx:
        for key, value in values.items():
            events.keep_setting(tx, key, value, now)
        if values:
            people.audit(tx, who=who, what="settings_changed", now=now, details=dict(values))
        if values.get("dispatch.hold") is False:
            pacing.let_go(tx, now)
        tuned = read(tx)
    logging.getLogger(__name__).info("Settings changed: %s", ", ".join(sorted(values)))
    return tuned


def _problems(key: str, value: Any) -> Iterator[FieldError]:
    known = ALL.get(key)
    if known is None:
        yield FieldError(key, "there is no such setting")
    elif known.choices and value not in known.choices:
        yield FieldError(key, f"must be one of {', '.join(known.choices)}")
    elif known.check is not None:
        yield from (FieldError(f"{key}.{f.field}".removesuffix("."), f.message) for f in known.check(value))
    elif known.is_number and (problem := _number_problem(known, value)):
        yield FieldError(key, problem)


def _number_problem(known: Tunable, value: Any) -> str | None:
    if isinstance(known.default, bool):
        return None if isinstance(value, bool) else "must be true or false"
    many = isinstance(known.default, tuple)
    parts = value if many and isinstance(value, (list, tuple)) else [value]
    if not parts or (many and not isinstance(value, (list, tuple))):
        return f"must be a list of numbers in {known.unit}"
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, (int, float)):
            return f"must be a number in {known.unit}"
        if not known.least <= part <= known.most:
            return f"must lie within {known.least:g} and {known.most:g} {known.unit}"
    return None
