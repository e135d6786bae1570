"""A worker ends in the middle of an upload, at bytes drawn from a seed: the next goes on there, and there is one post.

Real processes, a real PostgreSQL, the simulated YouTube over real sockets; the wire's own count of bytes is the judge.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from forwarder_core.db import jobs
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.platforms.youtube.sessions import STEP_BYTES
from forwarder_core.services import recovery, tunables
from forwarder_core.simulator.testing import OwnSimulator
from tests.chaos.processes import DONE, STOPPED, Worker
from tests.chaos.test_frozen_worker import Scene, scene, until
from tests.factories import job_of
from tests.integration.services.far_ends import NoRuns

__all__ = ["scene"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SEED = 7
LAST_BYTE = 1_700_000  # of some two million: what is left then takes longer than it takes to look
BYTES_PER_S = 1_500_000
OVERHEAD = 1.05  # TLS and headers
CALLS_BYTES = 60_000  # of one attempt beside the file: tokens, the session's standing, looks at the video


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGKILL, 10), (signal.SIGTERM, 3)], ids=["killed", "stopped in good order"]
)
def test_an_upload_that_is_ended_goes_on_where_it_stood(
    scene: Callable[..., Scene], simulator: OwnSimulator, number: signal.Signals, ends: int
) -> None:
    stage = scene("youtube", seconds=3.5, width=720)
    tunables.change(stage.core, {"lease.max_rescues": 2 * ends})
    proxy = simulator.open_proxy()
    simulator.arm(
        "proxy_throttle", count=None, match={"proxy": proxy["id"], "platform": "youtube"}, bytes_per_s=BYTES_PER_S
    )
    stage.where = replace(stage.where, gateway=proxy["url"])
    known = set(_parts(simulator))
    try:
        for offset in _offsets(LAST_BYTE, ends):
            worker = stage.send(chunk_bytes=STEP_BYTES)
            until(partial(_has_come_to, offset, stage, worker, simulator, known))
            assert not worker.is_gone, job_of(stage.core, stage.job)
            worker.seen.send_signal(number)
            assert worker.end() == (STOPPED if number is signal.SIGTERM else -number)
            taken = recovery.sweep(stage.core, NoRuns())
            assert [job.id for job in taken] == ([] if number is signal.SIGTERM else [stage.job])
    finally:
        simulator.disarm()
    assert stage.send(chunk_bytes=STEP_BYTES).end() == DONE
    (post,) = stage.posts
    done = job_of(stage.core, stage.job)
    assert (done.status, done.destination_post_id, done.retries_used) == (JobStatus.SUCCESS, post["id"], 0)
    sent = sum(
        t["sent"] for t in simulator.call("GET", "/tunnels") if t["proxy"] == proxy["id"] and "google" in t["host"]
    )
    once = post["bytes"] * OVERHEAD + (ends + 1) * CALLS_BYTES
    assert sent < once + ends * STEP_BYTES, f"{sent} bytes for a file of {post['bytes']}"


def _offsets(size: int, count: int) -> list[int]:
    draw = Random(SEED)
    return sorted(draw.randrange(1, size) for _ in range(count))


def _parts(simulator: OwnSimulator) -> list[Path]:
    return list(simulator.home.rglob("*.part"))


def _has_come_to(offset: int, stage: Scene, worker: Worker, simulator: OwnSimulator, known: set[Path]) -> bool:
    """Or to an end of its own, which is not wanted. What the one before left on the wire may still arrive."""
    with stage.core.begin() as tx:
        is_sending = any(by["pid"] == worker.seen.pid and job.step is Step.PUBLISH for job, by in jobs.running(tx))
    return worker.is_gone or (is_sending and _arrived(simulator, known) > offset)


def _arrived(simulator: OwnSimulator, known: set[Path]) -> int:
    """Bytes that YouTube has of the one upload there is."""
    return sum(part.stat().st_size for part in _parts(simulator) if part not in known)
