"""`run demo --once`: one reel crosses, on real parts, and what happened is told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.posts import Verdict
from forwarder_core.errors import ForwarderError, Invalid, MediaRejected
from forwarder_core.services import explaining
from forwarder_core.services.context import Core
from forwarder_core.services.explaining import Receipt, Story
from forwarder_core.simulator import demo
from forwarder_core.simulator.client import ControlClient, ControlFailed
from forwarder_core.simulator.demo import Road

PATIENCE_S = 600.0  # a long video on a slow machine takes its time to encode
_LOOK_S = 0.2

Say = Callable[[str], None]


class NotForwarded(ForwarderError):
    """The post did not arrive; code and action are those of the reason."""

    def __init__(self, code: str, message: str, action: str) -> None:
        super().__init__(message, action=action)
        self.code = code  # type: ignore[misc]  # the reason's own stable code


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What `--json` prints."""

    source_post_id: str
    job_id: int
    run_id: str
    assets: list[str]
    destination_post_id: str
    destination_url: str
    sha256: str
    bytes: int
    steps: dict[str, float]
    cpu_s: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def forward_one(
    core: Core, world: ControlClient, road: Road, *, video: Path | None, env: Mapping[str, str], say: Say, poll: Say
) -> Outcome:
    """Post a reel and follow it to its destination. Raises NotForwarded with the reason it did not get there.

    `poll` is called while waiting, with what is waited for.
    """
    connection = demo.ensure_connection(core, world, road)
    try:
        reel = demo.new_post(core, world, connection, road, number=int(time.time()), video=video)
    except (ControlFailed, Invalid) as e:
        raise MediaRejected(f"The source platform does not take this file: {e}") from e
    say(f"a new post on {road.source}: {reel['url']}")
    story = _follow(core, connection, str(reel["id"]), say, poll)
    if story.job is None or story.job.run_id is None:
        raise NotForwarded("bug", "The job has no run.", "Report the log of this run.")
    receipt = explaining.receipt_of(core, story.job.id)
    assets = _assets_of(story.job.run_id, env)
    say(f"published: {receipt.job.destination_url}")
    return _outcome(receipt, assets)


def _follow(core: Core, connection: Connection, post_id: str, say: Say, poll: Say) -> Story:
    """Wait until the post's job has ended; tell every change of state."""
    told, deadline = "", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        story = explaining.story_of(core, connection.id, connection.source_account_id, post_id)
        state = _state_of(story)
        if state != told:
            say(state)
            told = state
        poll(state)
        if story is not None and story.decision is not None and story.decision.verdict is not Verdict.FORWARD:
            raise NotForwarded(
                "not_forwarded", f"Decided: {story.decision.verdict}.", "Look at the connection's filters."
            )
        if story is not None and story.job is not None and story.job.status.is_terminal:
            return _arrived(story)
        time.sleep(_LOOK_S)
    raise NotForwarded("timed_out", f"Not done after {PATIENCE_S:g} s: {told}.", "Look at the logs below the home.")


def _state_of(story: Story | None) -> str:
    if story is None:
        return "waiting for the sensor to see it"
    if story.job is None:
        return "seen"
    job = story.job
    return f"job {job.id}: {job.status}" + (f", {job.step}" if job.step and job.status is JobStatus.RUNNING else "")


def _arrived(story: Story) -> Story:
    job = story.job
    if job is not None and job.status is not JobStatus.SUCCESS:
        failure = job.failure
        if failure is None:
            raise NotForwarded(job.status, f"The job ended as {job.status}.", "Look at its log.")
        raise NotForwarded(failure.code, failure.message, failure.action)
    return story


def _assets_of(run_id: str, env: Mapping[str, str]) -> list[str]:
    """Dagster's own word for it, asked from outside: this side of the house does not import Dagster."""
    command = [sys.executable, "-m", "forwarder_pipelines.lineage", run_id]
    asked = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=120, check=False)
    if asked.returncode:
        raise NotForwarded("lineage_unknown", "Dagster does not know the run.", "Look at the daemon's log.")
    said: dict[str, Any] = json.loads(asked.stdout)
    return [str(key) for key in said["assets"]]


def _outcome(receipt: Receipt, assets: list[str]) -> Outcome:
    return Outcome(
        source_post_id=receipt.source_post_id,
        job_id=receipt.job.id,
        run_id=receipt.job.run_id or "",
        assets=assets,
        destination_post_id=receipt.job.destination_post_id or "",
        destination_url=receipt.job.destination_url or "",
        sha256=receipt.sha256,
        bytes=receipt.size_bytes,
        steps=receipt.seconds,
        cpu_s=receipt.cpu_s,
    )
