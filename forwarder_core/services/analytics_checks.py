"""Can the figures be believed? Four questions with their answers in facts, asked after each computation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from forwarder_core.db import analytics_rows
from forwarder_core.domain.analytics import Period
from forwarder_core.services import analytics, analytics_days, tunables
from forwarder_core.services.context import Core

_LOOKED_DAYS = 30
_FRESH = timedelta(hours=2)  # the schedule computes every hour


@dataclass(frozen=True, slots=True)
class Checked:
    """`name`: freshness, totals_reconcile, no_orphan or success_above_threshold."""

    name: str
    is_passed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


NAMES = ("freshness", "totals_reconcile", "no_orphan", "success_above_threshold")


def check(core: Core) -> list[Checked]:
    """All four, over the last 30 days."""
    today = analytics_days.today(core)
    looked = Period(today - timedelta(days=_LOOKED_DAYS - 1), today)
    unequal = analytics_days.unequal_days(core, looked.first, looked.last)
    with core.begin() as tx:
        computed = analytics_rows.computed_days(tx).get(today)
        has_jobs = analytics_rows.first_day(tx, core.settings.timezone) is not None
        orphans = analytics_rows.orphans(tx, looked)
    age = core.clock.now() - computed.computed_at if computed else None
    is_fresh = not has_jobs or (age is not None and age <= _FRESH)
    return [
        Checked("freshness", is_fresh, {"age_s": round(age.total_seconds()) if age else -1}),
        Checked("totals_reconcile", not unequal, {"days": ", ".join(map(str, unequal)) or "none"}),
        Checked("no_orphan", orphans == 0, {"connection_days": orphans}),
        _success(core),
    ]


def _success(core: Core) -> Checked:
    """Of the last seven days, per post, against the threshold of the alerts; passed where too few ended to say."""
    view = analytics.view(core, analytics.period(core, "7days"))
    with core.begin() as tx:
        tuned = tunables.read(tx)
    least, jobs = tuned.number("alerts.success_rate_min"), tuned.count("alerts.success_rate_jobs")
    rate = view.tally.success_rate
    is_passed = rate is None or view.tally.total < jobs or rate >= least
    return Checked("success_above_threshold", is_passed, {"rate": -1.0 if rate is None else rate, "least": least})
