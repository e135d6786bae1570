"""Builds the definitions fresh, with whatever a test wants to put in the place of a part."""

from __future__ import annotations

from typing import Any

import dagster as dg

from forwarder_pipelines import analytics_schedules, sensors
from forwarder_pipelines.assets import analytics
from forwarder_pipelines.assets.forward import chain
from forwarder_pipelines.dry_runs import dry_run_job
from forwarder_pipelines.jobs import forward_job
from forwarder_pipelines.resources import carrier, job_id_io_manager
from forwarder_pipelines.schedules import proxy_check_job, proxy_check_schedule, retention_job, retention_schedule
from forwarder_pipelines.token_schedules import (
    token_expiry_job,
    token_expiry_schedule,
    token_refresh_job,
    token_refresh_schedule,
)
from forwarder_pipelines.watch_schedules import summary_job, summary_schedule, watch_job, watch_schedule


def build_definitions(**resources: Any) -> dg.Definitions:
    """`resources` take the place of the usual ones of the same name."""
    return dg.Definitions(
        assets=[chain, *analytics.ASSETS],
        asset_checks=analytics.CHECKS,
        jobs=[
            forward_job,
            dry_run_job,
            retention_job,
            proxy_check_job,
            watch_job,
            summary_job,
            token_refresh_job,
            token_expiry_job,
            *analytics_schedules.JOBS,
        ],
        sensors=sensors.all_sensors(),
        schedules=[
            retention_schedule,
            proxy_check_schedule,
            watch_schedule,
            summary_schedule,
            token_refresh_schedule,
            token_expiry_schedule,
            *analytics_schedules.SCHEDULES,
        ],
        resources={"carrier": carrier, "io_manager": job_id_io_manager, **resources},
    )
