"""Retention: what is past its time goes, what is not stays, and a dry run says exactly what the real one does."""

from __future__ import annotations

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import events
from forwarder_core.db.tables import flow, system
from forwarder_core.media.store import MediaStore
from forwarder_core.services import retention
from forwarder_core.services.context import Core
from tests.factories import add_connection, add_job, rows

pytestmark = pytest.mark.slow
DAY_S = 86_400


@pytest.fixture
def long_ago(core: Core, clock: ManualClock) -> int:
    """A job ended a year ago with a file of 1,000 bytes, and the sign of life of a worker of then."""
    job = add_job(core, add_connection(core), status="success", completed_at=clock.now())
    MediaStore(core.media_root).open(job).path.joinpath("source.mp4").write_bytes(bytes(1_000))
    with core.begin() as tx:
        events.beat(tx, name="old", kind="worker", host="gone", pid=1, now=clock.now(), facts={})
    clock.move(365 * DAY_S)
    return job


def test_a_dry_run_tells_what_the_sweep_then_does(core: Core, long_ago: int) -> None:
    fresh = add_job(core, add_connection(core))
    MediaStore(core.media_root).open(fresh)
    told = retention.preview(core)
    assert (told.job_folders, told.freed_bytes, told.rows["workers"]) == (1, 1_000, 1)
    assert len(rows(core, system.workers)) == 1 and len(list(MediaStore(core.media_root).job_ids())) == 2
    assert retention.sweep(core) == told
    assert not rows(core, system.workers)
    assert list(MediaStore(core.media_root).job_ids()) == [str(fresh)], "a job under way keeps its files"
    assert len(rows(core, flow.jobs)) == 2, "what became of a post is never forgotten"
    again = retention.preview(core)
    assert again.job_folders == 0 and not any(again.rows.values())
