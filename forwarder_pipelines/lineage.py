"""`python -m forwarder_pipelines.lineage RUN_ID`: which assets a run materialized, as one line of JSON, in order.

For whoever stands outside Dagster and wants its own word for it. Waits for the run to end.
"""

from __future__ import annotations

import json
import sys
import time

import dagster as dg

_WAIT_S = 60.0


def materialized(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Asset keys in the order they were made."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    keys = [record.event_log_entry.dagster_event for record in records]
    return [event.asset_key.to_user_string() for event in keys if event and event.asset_key]


def main(run_id: str) -> int:
    with dg.DagsterInstance.get() as instance:
        deadline = time.monotonic() + _WAIT_S
        while True:
            run = instance.get_run_by_id(run_id)
            if run is not None and run.is_finished:
                break
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.1)
        sys.stdout.write(json.dumps({"status": run.status.value, "assets": materialized(instance, run_id)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
