"""The schedules of credentials: on by default, at their periods, and saying what came of each credential."""

from __future__ import annotations

import re

import dagster as dg
import pytest

from forwarder_core.services import token_watch
from forwarder_core.services.token_watch import Looked
from forwarder_pipelines import token_schedules
from forwarder_pipelines.build import build_definitions


def test_renewals_are_looked_at_every_hour_and_ends_every_six() -> None:
    definitions = build_definitions()
    every = {s.job_name: s for s in definitions.schedules or () if isinstance(s, dg.ScheduleDefinition)}
    for name, period in (("token_refresh_job", r"\d+ \* \* \* \*"), ("token_expiry_job", r"\d+ \*/6 \* \* \*")):
        schedule = every[name]
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert re.fullmatch(period, str(schedule.cron_schedule))


@pytest.mark.parametrize(
    ("job", "service"),
    [(token_schedules.token_refresh_job, "refresh_due"), (token_schedules.token_expiry_job, "watch_expiry")],
)
def test_a_run_says_what_came_of_each_credential(
    job: dg.JobDefinition, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_schedules, "this_core", lambda: None)
    monkeypatch.setattr(token_watch, service, lambda core: [Looked("TechShorts_YT", "refreshed")])
    result = job.execute_in_process()
    assert result.success
