"""A storm of failures with one cause: one incident with all its jobs, a handful of messages, one button."""

from __future__ import annotations

import pytest

from forwarder_core.alerts.pace import Pace
from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import ManualClock
from forwarder_core.errors import PlatformTransient
from forwarder_core.services import failing, forwarding, incidents, notifying, overview, tunables
from forwarder_core.services.context import Core
from forwarder_core.simulator.testing import Simulator
from tests import factories
from tests.integration.alerts.outgoing import texts, waiting

pytestmark = pytest.mark.slow
STORM = 300


def test_three_hundred_failures_of_one_cause_in_a_minute_are_one_incident_and_at_most_three_messages(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, pace: Pace
) -> None:
    widely = {"dispatch.max_running": 200, "dispatch.per_destination": 10, "dispatch.per_source": 20}
    tunables.change(ready, {**widely, "retry.max_retries": 0, "breaker.failures": 1_000})
    connections = [factories.add_connection(ready) for _ in range(3)]
    made = [factories.add_job(ready, connections[n % 3]) for n in range(STORM)]
    for _ in range(STORM // 30):
        for launch in forwarding.dispatchable(ready):
            lease = forwarding.claim(ready, launch.job_id, launch.dispatch_no, f"run-{launch.job_id}")
            assert lease is not None
            failing.fail(ready, lease, PlatformTransient("The platform answered 503."))
        clock.move(60 * 30 / STORM)
        notifying.send_due(ready, sender, pace)

    (incident,) = overview.summary(ready).incidents
    assert (incident.cause.code, incident.jobs, incident.dead) == ("platform_transient", STORM, STORM)
    for _ in range(30):
        clock.move(10)
        notifying.send_due(ready, sender, pace)
    assert 1 <= len(texts(sim)) <= 3 and waiting(ready) == 0
    assert incidents.retry(ready, incident.id, who="admin") == made
    assert forwarding.dispatchable(ready), "what was retried starts again"
