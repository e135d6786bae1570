"""Builds the definitions fresh, with whatever a test wants to put in the place of a part."""

from __future__ import annotations

from typing import Any

import dagster as dg

from forwarder_pipelines import sensors
from forwarder_pipelines.assets.forward import chain
from forwarder_pipelines.jobs import forward_job
from forwarder_pipelines.resources import carrier, job_id_io_manager
from forwarder_pipelines.schedules import proxy_check_job, proxy_check_schedule, retention_job, retention_schedule


def build_definitions(**resources: Any) -> dg.Definitions:
    """`resources` take the place of the usual ones of the same name."""
    return dg.Definitions(
        assets=[chain],
        jobs=[forward_job, retention_job, proxy_check_job],
        sensors=sensors.all_sensors(),
        schedules=[retention_schedule, proxy_check_schedule],
        resources={"carrier": carrier, "io_manager": job_id_io_manager, **resources},
    )
