"""The analytics as tables: what is exported as CSV and what stands in the reports, one frame a table.

The fact to know: names come from people, and a spreadsheet runs a cell that begins like a formula. Every such text gets
an apostrophe in front, so no table leaves without it. Times are those of the admin's zone, with its distance from UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from forwarder_core.domain.analytics import Period, Tally
from forwarder_core.domain.sheets import safe
from forwarder_core.errors import FieldError, Invalid, Unavailable, failure_classes
from forwarder_core.services import analytics
from forwarder_core.services.analytics import View
from forwarder_core.services.context import Core

if TYPE_CHECKING:
    import pandas as pd

Rows = Callable[[View], Iterable[tuple[Any, ...]]]


def names() -> tuple[str, ...]:
    return tuple(_TABLES)


def frame(view: View, table: str) -> pd.DataFrame:
    """As they are: a whole number stays one where another line has none. Raises Invalid for a table there is not."""
    return _frame(view, table, lambda value: value)


def safe_frame(view: View, table: str) -> pd.DataFrame:
    """The table as it may be shown where a browser offers it as a file. Raises Invalid for a table there is not."""
    return _frame(view, table, safe)


def _frame(view: View, table: str, told: Callable[[Any], Any]) -> pd.DataFrame:
    import pandas as pd  # only who exports waits for it

    if table not in _TABLES:
        raise Invalid("There is no such table.", FieldError("table", f"one of {', '.join(_TABLES)}"))
    columns, rows = _TABLES[table]
    return pd.DataFrame([[told(cell) for cell in row] for row in rows(view)], columns=list(columns), dtype=object)


def csv(core: Core, table: str, chosen: Period) -> str:
    return csv_of(analytics.view(core, chosen), table)


def csv_of(view: View, table: str) -> str:
    """With a head line; unknown is an empty cell. A file leaves the house and says nothing of days that are to come:
    raises Unavailable while a day of the period is not counted."""
    if view.uncounted:
        told = f"{len(view.uncounted)} of the days are being counted, the newest first."
        raise Unavailable(told, action="Try again in a minute, or choose days that are counted.")
    return safe_frame(view, table).to_csv(index=False, lineterminator="\r\n")


def title(code: str) -> str:
    """What an error code is called."""
    known = failure_classes().get(code)
    return known.title if known else code.replace("_", " ")


def _days(view: View) -> Iterable[tuple[Any, ...]]:
    load = {day.day: day for day in view.load.days}
    for line in view.days:
        t, day = line.tally, load.get(line.day)
        yield (
            line.day.isoformat(),
            t.total,
            t.succeeded,
            t.failed,
            t.success_rate,
            t.attempts_succeeded,
            t.attempts_failed,
            t.attempt_rate,
            t.avg_retries,
            t.avg_duration_s,
            t.avg_wait_s,
            t.bytes_sent,
            day.latency_p50_s if day else None,
            day.latency_p95_s if day else None,
            line.grade.value,
        )


def _connections(view: View) -> Iterable[tuple[Any, ...]]:
    for line in view.connections:
        t = line.tally
        worst = line.causes[0].code if line.causes else None
        last = _local(view, line.last_failed_at)
        status = "deleted" if line.named.is_deleted else line.named.status
        rates = (t.success_rate, t.attempt_rate, line.uptime, t.avg_retries, t.avg_duration_s)
        yield (line.named.id, line.named.name, status, t.total, t.succeeded, t.failed, *rates, worst, last)


def _accounts(view: View) -> Iterable[tuple[Any, ...]]:
    for line in view.accounts:
        t = line.tally
        last = _local(view, line.last_failed_at)
        used = (t.total, line.as_source, line.as_destination, t.succeeded, t.failed, t.success_rate, line.uptime)
        yield (line.id, line.alias, line.platform, line.status, line.health.score, *used, line.blamed, last)


def _failures(view: View) -> Iterable[tuple[Any, ...]]:
    for cause in view.causes:
        yield cause.code, title(cause.code), cause.jobs, cause.attempts, cause.percent, cause.gain


def _proxies(view: View) -> Iterable[tuple[Any, ...]]:
    for day in view.proxies:
        good = day.checks - day.failed
        average = round(day.latency_ms / good) if good else None
        yield day.day.isoformat(), day.proxy_id, day.alias, day.checks, day.failed, average


def _proxy_totals(view: View) -> Iterable[tuple[Any, ...]]:
    for one in view.by_proxy:
        yield one.proxy_id, one.alias, one.health.value, one.checks, one.failed, one.error_rate, one.average_ms


def _events(view: View) -> Iterable[tuple[Any, ...]]:
    for one in view.happenings:
        yield _local(view, one.at), one.kind.value, one.text


def _rolled_up(kind: str) -> Rows:
    """`kind`: weeks or months."""

    def lines(view: View) -> Iterable[tuple[Any, ...]]:
        for one in getattr(view, kind):
            tally = Tally(succeeded=one["succeeded"], failed=one["failed"])
            errors = ", ".join(f"{error['code']} {error['jobs']}" for error in one["top_errors"])
            retries = None if one["avg_retries"] is None else round(one["avg_retries"], 2)
            counts = (one["forwarded"], one["succeeded"], one["failed"], tally.success_rate, retries)
            yield one["starts_on"].isoformat(), *counts, errors

    return lines


def _hours(view: View) -> Iterable[tuple[Any, ...]]:
    yield from view.by_hour.items()


def _dead_letters(view: View) -> Iterable[tuple[Any, ...]]:
    for one in view.dead_letters:
        yield one["code"], title(one["code"]), one["jobs"], _local(view, one["oldest_at"])


def _local(view: View, at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(view.zone).isoformat(timespec="seconds")


_ROLLED_UP = ("total", "succeeded", "failed", "success_rate", "avg_retries", "top_failures")
_TABLES: Mapping[str, tuple[tuple[str, ...], Rows]] = {
    "days": (
        (
            *("date", "total", "succeeded", "failed", "success_rate", "attempts_succeeded", "attempts_failed"),
            *("attempt_success_rate", "avg_retries", "avg_duration_s", "avg_wait_s", "bytes_sent"),
            *("latency_p50_s", "latency_p95_s", "grade"),
        ),
        _days,
    ),
    "connections": (
        (
            *("connection_id", "connection_name", "status", "total", "succeeded", "failed", "success_rate"),
            *("attempt_success_rate", "uptime_percent", "avg_retries", "avg_duration_s", "top_failure"),
            "last_failed_at",
        ),
        _connections,
    ),
    "accounts": (
        (
            *("account_id", "account_alias", "account_type", "status", "health_score", "total", "as_source"),
            *("as_destination", "succeeded", "failed", "success_rate", "uptime_percent", "own_failures"),
            "last_failed_at",
        ),
        _accounts,
    ),
    "failures": (("reason", "title", "jobs", "attempts", "percent", "gain_points"), _failures),
    "proxies": (("date", "proxy_id", "proxy", "checks", "failed", "avg_latency_ms"), _proxies),
    "proxy_totals": (
        ("proxy_id", "proxy", "status", "checks", "failed", "error_rate", "avg_latency_ms"),
        _proxy_totals,
    ),
    "hours": (("hour", "jobs"), _hours),
    "dead_letters": (("reason", "title", "jobs", "oldest_at"), _dead_letters),
    "events": (("at", "kind", "text"), _events),
    **{kind: (("starts_on", *_ROLLED_UP), _rolled_up(kind)) for kind in ("weeks", "months")},
}
