"""Recovery: find the jobs of dead workers, prove the death, and let another worker go on.

What the product needs of whatever runs its runs is `RunControl`; the Dagster one lives beside the other Dagster code.
The fact to know: an expired lease is not a proof of death. A stopped process that wakes up again still has bytes to
send, so it is killed first, and only a process of this machine can be.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Protocol

import psutil

from forwarder_core.domain.jobs import Job
from forwarder_core.services import forwarding
from forwarder_core.services.context import Core

_KILL_WAIT_S = 5.0
_SAME_BIRTH_S = 1.0  # process start times are rounded


class RunControl(Protocol):
    def close(self, run_id: str, reason: str) -> None:
        """Have the run engine count this run as failed, if it still counts it as under way."""
        ...


def reap(core: Core, runs: RunControl) -> list[Job]:
    """One round: jobs whose lease ran out go back to the queue once their worker is dead."""
    taken = forwarding.rescue(core, is_alive=survives_killing)
    for job in taken:
        if job.run_id:
            runs.close(job.run_id, "Its worker died; the job goes on in another run.")
    return taken


def survives_killing(worker: Mapping[str, Any]) -> bool:
    """Kill the worker if it still lives; False when it is dead for certain. A worker elsewhere cannot be judged."""
    if not worker:
        return False
    if worker["host"] != socket.gethostname():
        return True
    try:
        process = psutil.Process(int(worker["pid"]))
        if abs(process.create_time() - float(worker["born"])) > _SAME_BIRTH_S:
            return False
        process.kill()
        process.wait(_KILL_WAIT_S)
    except psutil.NoSuchProcess:
        return False
    except psutil.TimeoutExpired:
        return process.status() != psutil.STATUS_ZOMBIE
    return False
