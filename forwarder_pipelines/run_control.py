"""What the core needs of a Dagster run, over Dagster's own instance."""

from __future__ import annotations

import dagster as dg

from forwarder_core.errors import Unavailable

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

    @classmethod
    def of_this_installation(cls) -> DagsterRunControl:
        """Raises Unavailable."""
        try:
            return cls(dg.DagsterInstance.get())
        except dg.DagsterError as e:
            raise Unavailable(f"Dagster's instance cannot be opened ({type(e).__name__}).") from e

    def close(self, run_id: str, reason: str) -> None:
        """Raises Unavailable."""
        try:
            run = self._instance.get_run_by_id(run_id)
            if run is not None and run.status in _UNDER_WAY:
                self._instance.report_run_failed(run, reason)
        except dg.DagsterError as e:
            raise Unavailable(f"Dagster could not close the run {run_id} ({type(e).__name__}).") from e
