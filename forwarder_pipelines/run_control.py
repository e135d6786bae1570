"""What the core needs of a Dagster run, over Dagster's own instance."""

from __future__ import annotations

import dagster as dg

_UNDER_WAY = {
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
}


class DagsterRunControl:
    """The `RunControl` of this installation's Dagster."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def close(self, run_id: str, reason: str) -> None:
        run = self._instance.get_run_by_id(run_id)
        if run is not None and run.status in _UNDER_WAY:
            self._instance.report_run_failed(run, reason)
