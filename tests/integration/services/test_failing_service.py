"""What a failure means for its job, its account, its connection and its platform, all in one transaction."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import jobs
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow, system
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus, Step
from forwarder_core.errors import (
    AuthInvalid,
    ChallengeRequired,
    MediaRejected,
    NetworkFailed,
    PolicyRejected,
    QuotaExhausted,
    RateLimited,
    SourceGone,
    StepFailed,
)
from forwarder_core.services import challenges, failing, forwarding, tunables
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, claimed, dispatch, job_of, later, rows

pytestmark = pytest.mark.slow


def fail(core: Core, connection: Connection, error: StepFailed, *, step: Step = Step.FETCH, job: int = 0) -> int:
    """Have a job of the connection fail in `step`; its id."""
    job = job or add_job(core, connection)
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    with pytest.raises(type(error)), carrier.step(step):
        raise error
    carrier.let_go()
    return job


def account(core: Core, account_id: int) -> dict[str, Any]:
    return dict(rows(core, account_tables.accounts, id=account_id)[0])


def alerts(core: Core) -> list[str]:
    return [row["kind"] for row in rows(core, system.outbox)]


def test_the_account_that_failed_is_the_sources_while_fetching_and_the_destinations_after(core: Core) -> None:
    for step, end in ((Step.FETCH, "source_account_id"), (Step.PUBLISH, "destination_account_id")):
        connection = add_connection(core)
        fail(core, connection, AuthInvalid("The password is wrong."), step=step)
        ends = {
            name: account(core, getattr(connection, name)) for name in ("source_account_id", "destination_account_id")
        }
        held = {name for name, row in ends.items() if row["status"] != "active"}
        assert held == {end}


def test_a_refused_login_holds_account_connections_and_job_and_kills_nothing(core: Core) -> None:
    source = add_account(core)
    first, second, other = add_connection(core, source), add_connection(core, source), add_connection(core)
    waiting = add_job(core, second)
    job = fail(core, first, AuthInvalid("The password is wrong."))
    assert (account(core, source.id)["status"], job_of(core, job).status) == ("requires_reauth", JobStatus.PAUSED)
    states = {row["id"]: row["status"] for row in rows(core, flow.connections)}
    assert [states[c.id] for c in (first, second, other)] == ["paused", "paused", "active"]
    assert job_of(core, waiting).status is JobStatus.QUEUED and forwarding.dispatchable(core) == []
    assert len(alerts(core)) == 1, "one alert for the account, none for each job"


def test_a_challenge_holds_everything_and_when_it_is_solved_one_job_goes_first(core: Core) -> None:
    source = add_account(core)
    connection = add_connection(core, source)
    job = fail(core, connection, ChallengeRequired("Instagram wants a person."))
    more = [add_job(core, add_connection(core, source)) for _ in range(3)]
    assert (job_of(core, job).status, account(core, source.id)["status"]) == (JobStatus.CAPTCHA, "captcha_detected")
    assert forwarding.dispatchable(core) == []
    solved = challenges.resolve(core, source.id, notes="", who="admin")
    assert solved.connections_resumed == (connection.id,) and solved.jobs_requeued == (job,)
    assert challenges.resolve(core, source.id, notes="", who="admin").jobs_requeued == (), "once"
    (canary,) = forwarding.dispatchable(core)
    lease = forwarding.claim(core, canary.job_id, canary.dispatch_no, "run")
    assert lease is not None and forwarding.dispatchable(core) == []
    forwarding.succeed(core, lease)
    assert len(forwarding.dispatchable(core)) == 3 == len([*more, job]) - 1


def test_a_rate_limit_lets_the_account_cool_down_and_burns_nothing(core: Core, clock: ManualClock) -> None:
    connection = add_connection(core)
    job = fail(core, connection, RateLimited("Slow down.", retry_after_s=500))
    assert account(core, connection.source_account_id)["cool_down_until"] == later(core, 500)
    add_job(core, connection)
    assert forwarding.dispatchable(core) == []
    clock.move(500)
    assert job in [d.job_id for d in forwarding.dispatchable(core)]
    assert job_of(core, job).retries_used == 0


def test_a_used_up_quota_is_waited_for_by_the_job(core: Core) -> None:
    job = fail(core, add_connection(core), QuotaExhausted("Used up.", retry_after_s=9_000), step=Step.PUBLISH)
    after = job_of(core, job)
    assert (after.status, after.next_attempt_at, after.retries_used) == (JobStatus.RETRY_WAIT, later(core, 9_000), 0)


def test_four_attempts_and_then_it_is_dead_with_one_alert_each(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"breaker.failures": 1_000})
    connection = add_connection(core)
    job = add_job(core, connection)
    for wait in (10, 60, 300, None):
        fail(core, connection, NetworkFailed("Cut."), job=job)
        after = job_of(core, job)
        assert after.next_attempt_at == (None if wait is None else later(core, wait))
        clock.move(wait or 0)
    assert (after.status, after.attempts, after.retries_used) == (JobStatus.DEAD, 4, 3)
    assert alerts(core) == ["job_retrying"] * 3 + ["job_dead"]


def test_the_connections_own_retry_policy_wins_over_the_installations(core: Core) -> None:
    policy = {
        "max_attempts": 5,
        "backoff_strategy": "fixed",
        "initial_delay_seconds": 7,
        "retry_on_errors": ["source_gone"],
        "no_retry_on_errors": ["network_error"],
    }
    connection = add_connection(core, retry_policy=policy)
    gone = fail(core, connection, SourceGone("Gone."))
    cut = fail(core, connection, NetworkFailed("Cut."))
    assert job_of(core, gone).next_attempt_at == later(core, 7)
    assert job_of(core, cut).status is JobStatus.DEAD
    with core.begin() as tx:
        assert failing.policy_of(tx, jobs.errand(tx, gone)).max_retries == 5


def test_three_posts_in_a_row_against_the_rules_pause_the_connection(core: Core, clock: ManualClock) -> None:
    connection = add_connection(core)
    for error in (PolicyRejected("No."), MediaRejected("Too long."), PolicyRejected("No."), PolicyRejected("No.")):
        fail(core, connection, error, step=Step.PUBLISH)
        clock.move(1)
    assert rows(core, flow.connections, id=connection.id)[0]["status"] == "active"
    fail(core, connection, PolicyRejected("No."), step=Step.PUBLISH)
    assert rows(core, flow.connections, id=connection.id)[0]["status"] == "paused"


def test_many_failures_of_one_platform_open_its_breaker_and_one_job_tries_it_again(
    core: Core, clock: ManualClock
) -> None:
    tunables.change(core, {"breaker.failures": 3, "breaker.rest_s": 100, "retry.delays_s": [1]})
    connections = [add_connection(core, add_account(core)) for _ in range(3)]
    made = [fail(core, connection, NetworkFailed("Cut.")) for connection in connections]
    assert [job_of(core, job).retries_used for job in made] == [1, 1, 0], "an open breaker makes the retry free"
    clock.move(50)
    assert forwarding.dispatchable(core) == []
    clock.move(60)
    (canary,) = forwarding.dispatchable(core)
    lease = forwarding.claim(core, canary.job_id, canary.dispatch_no, "run")
    assert lease is not None
    forwarding.succeed(core, lease)
    assert len(forwarding.dispatchable(core)) == 2


def test_the_failure_of_a_worker_that_lost_the_job_is_no_failure_of_the_job(core: Core) -> None:
    job = add_job(core, add_connection(core))
    zombie = claimed(core, job)
    with core.begin() as tx:
        jobs.take_away(tx, job, JobStatus.QUEUED, now=core.clock.now())
    holder = claimed(core, job)
    assert failing.fail(core, zombie, ChallengeRequired("Late.")) is None
    assert job_of(core, job).status is JobStatus.RUNNING and alerts(core) == []
    assert {row["status"] for row in rows(core, account_tables.accounts)} == {"active"}
    forwarding.succeed(core, holder)
    assert job_of(core, job).status is JobStatus.SUCCESS
