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
    AccountDisabled,
    ActionBlocked,
    AuthInvalid,
    ChallengeRequired,
    MediaRejected,
    NetworkFailed,
    PolicyRejected,
    ProxyFailed,
    QuotaExhausted,
    RateLimited,
    Retry,
    SourceGone,
    StepFailed,
    failure_classes,
)
from forwarder_core.services import challenges, failing, forwarding, retry_policies, tunables
from forwarder_core.services import connections as connections_service
from forwarder_core.services.carrying import Carrier
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, claimed, dispatch, job_of, later, rows

pytestmark = pytest.mark.slow


def fail(core: Core, connection: Connection, error: StepFailed, *, step: Step = Step.FETCH, job: int = 0) -> int:
    """Have a job of the connection fail in `step`; its id."""
    job = job or add_job(core, connection)
    end(begun(core, job), error, step)
    return job


def begun(core: Core, job: int) -> Carrier:
    carrier = Carrier(core, job, dispatch(core, job).dispatch_no, "run")
    assert carrier.claim()
    return carrier


def end(carrier: Carrier, error: StepFailed, step: Step = Step.FETCH) -> None:
    with pytest.raises(type(error)), carrier.step(step):
        raise error
    carrier.let_go()


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
        assert retry_policies.policy_of(tx, connection.id, "source_gone").max_retries == 5


def test_a_class_of_its_own_policy_has_it_globally_and_on_a_connection_and_the_alert_says_of_how_many(
    core: Core,
) -> None:
    tunables.change(core, {"retry.per_class": {"network_timeout": {"max_attempts": 7, "delays_seconds": [33]}}})
    usual = fail(core, add_connection(core), NetworkFailed("Cut."))
    assert job_of(core, usual).next_attempt_at == later(core, 33)
    own = {"per_class": {"network_error": {"delays_seconds": [5, 6]}, "proxy_error": {"max_attempts": 0}}}
    connection = add_connection(core, retry_policy=own)
    assert job_of(core, fail(core, connection, NetworkFailed("Cut."))).next_attempt_at == later(core, 5)
    assert job_of(core, fail(core, connection, ProxyFailed("Refused."))).status is JobStatus.DEAD
    assert [row["payload"]["retries"] for row in rows(core, system.outbox)] == [7, 7, 0]


def test_the_installations_formula_and_lists_are_obeyed(core: Core) -> None:
    formula = {"retry.strategy": "exponential", "retry.initial_delay_s": 4, "retry.multiplier": 3}
    tunables.change(core, {**formula, "retry.max_delay_s": 20, "retry.retry_on": ["source_gone"]})
    connection = add_connection(core)
    job = fail(core, connection, SourceGone("Gone."))
    assert job_of(core, job).next_attempt_at == later(core, 4)
    tunables.change(core, {"retry.no_retry_on": ["network_timeout"]})
    assert job_of(core, fail(core, connection, NetworkFailed("Cut."))).status is JobStatus.DEAD


def test_a_policy_stored_before_it_was_checked_is_passed_over(core: Core) -> None:
    job = fail(core, add_connection(core, retry_policy={"max_attempts": "many"}), NetworkFailed("Cut."))
    assert job_of(core, job).next_attempt_at == later(core, 10)


def test_three_posts_in_a_row_against_the_rules_pause_the_connection_and_say_so(core: Core, clock: ManualClock) -> None:
    connection = add_connection(core)
    for error in (PolicyRejected("No."), MediaRejected("Too long."), PolicyRejected("No."), PolicyRejected("No.")):
        fail(core, connection, error, step=Step.PUBLISH)
        clock.move(1)
    assert rows(core, flow.connections, id=connection.id)[0]["status"] == "active"
    waiting = add_job(core, connection, priority=-1)
    fail(core, connection, PolicyRejected("No."), step=Step.PUBLISH)
    (row,) = rows(core, flow.connections, id=connection.id)
    assert row["status"] == "paused" and "3 posts in a row" in row["status_reason"]
    (alert,) = rows(core, system.outbox, kind="connection_paused")
    assert alert["payload"]["connection_id"] == connection.id and alert["payload"]["action"]
    assert job_of(core, waiting).status is JobStatus.QUEUED and forwarding.dispatchable(core) == []


def test_a_connection_stopped_meanwhile_stays_stopped_when_its_last_post_is_rejected(
    core: Core, clock: ManualClock
) -> None:
    connection = add_connection(core)
    for _ in range(2):
        fail(core, connection, PolicyRejected("No."), step=Step.PUBLISH)
        clock.move(1)
    lease = claimed(core, add_job(core, connection))
    connections_service.stop(core, connection.id)
    failing.fail(core, lease, PolicyRejected("No."))
    assert rows(core, flow.connections, id=connection.id)[0]["status"] == "stopped"
    assert "connection_paused" not in alerts(core)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthInvalid("The password is wrong."), "requires_reauth"),
        (AccountDisabled("Suspended."), "disabled"),
        (ActionBlocked("Not now."), "paused"),
    ],
)
@pytest.mark.parametrize("step", [Step.FETCH, Step.PUBLISH])
def test_an_account_that_is_refused_pauses_with_its_connections_and_its_jobs_wait(
    core: Core, error: StepFailed, status: str, step: Step
) -> None:
    source, destination = add_account(core), add_account(core, "youtube", auth_method="oauth")
    connection = add_connection(core, source, destination)
    end = source if step is Step.FETCH else destination
    others = [add_connection(core, source), add_connection(core, destination=destination)]
    waiting = [add_job(core, other, priority=-1) for other in others]
    job = fail(core, connection, error, step=step)
    assert account(core, end.id)["status"] == status and account(core, end.id)["status_reason"]
    using = {c.id for c in (connection, *others) if end.id in (c.source_account_id, c.destination_account_id)}
    paused = {row["id"] for row in rows(core, flow.connections) if row["status"] == "paused"}
    assert paused == using and len(using) == 2
    held = job_of(core, job)
    assert (held.status, held.retries_used) == (JobStatus.PAUSED, 0)
    assert {job_of(core, each).status for each in waiting} <= {JobStatus.QUEUED}
    assert [a for a in alerts(core) if a.startswith("job_")] == [], "its account says it for all of them"


@pytest.mark.parametrize("code", [code for code, cls in failure_classes().items() if cls.retry is Retry.NEVER])
def test_a_permanent_failure_is_dead_at_once_with_its_reason_and_what_to_do(core: Core, code: str) -> None:
    job = fail(core, add_connection(core), failure_classes()[code]("It cannot be."))
    dead = job_of(core, job)
    assert (dead.status, dead.attempts, dead.retries_used) == (JobStatus.DEAD, 1, 0)
    assert dead.failure is not None and dead.failure.code == code and dead.failure.action
    assert alerts(core) == ["job_dead"]


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


def test_a_platform_rests_longer_only_when_the_job_that_tried_it_fails(core: Core, clock: ManualClock) -> None:
    tunables.change(core, {"breaker.failures": 2, "breaker.rest_s": 100, "retry.delays_s": [1]})
    for carrier in [begun(core, add_job(core, add_connection(core, add_account(core)))) for _ in range(6)]:
        clock.move(0.1)
        end(carrier, NetworkFailed("Cut."))
    for _ in range(5):
        clock.move(121)
        (canary,) = forwarding.dispatchable(core)  # and its worker dies without a word
    carrier = Carrier(core, canary.job_id, canary.dispatch_no, "run")
    assert carrier.claim()
    clock.move(1)
    end(carrier, NetworkFailed("Cut."))
    clock.move(199)
    assert forwarding.dispatchable(core) == [], "the second rest is twice the first"
    clock.move(2)
    assert len(forwarding.dispatchable(core)) == 1


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
