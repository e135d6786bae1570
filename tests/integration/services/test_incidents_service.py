"""Many failures of one cause are one incident, from the first on; it ends by itself, and one button retries all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import proxies
from forwarder_core.db.tables import accounts as account_tables
from forwarder_core.db.tables import flow, people
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.incidents import Incident
from forwarder_core.domain.jobs import JobStatus, Lease, Step
from forwarder_core.errors import (
    AlreadyPublished,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    NotFound,
    OutcomeUnknown,
    PlatformTransient,
    ProxyFailed,
    QuotaExhausted,
    RateLimited,
    StepFailed,
)
from forwarder_core.services import diagnosing, failing, forwarding, incidents, tunables
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, change_row, claimed, job_of, rows

pytestmark = pytest.mark.slow


def fail(core: Core, error: StepFailed, *, step: Step = Step.PUBLISH, proxy: str | None = None, **ends: Any) -> int:
    """A job of a connection of its own fails."""
    job = add_job(core, add_connection(core, **ends))
    return fail_again(core, job, error, step=step, proxy=proxy)


def fail_again(core: Core, job: int, error: StepFailed, *, step: Step = Step.PUBLISH, proxy: str | None = None) -> int:
    lease = on_its_way(core, job, step, proxy)
    failing.fail(core, lease, error)
    return job


def on_its_way(core: Core, job: int, step: Step = Step.PUBLISH, proxy: str | None = None) -> Lease:
    lease = claimed(core, job)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, step=step)
        known = {each.alias: each for each in proxies.known(tx).values()}.get(proxy or "")
        used = {"proxy": known.address, "proxy_id": known.id} if known else {"proxy": proxy}
        change_row(tx, flow.attempts, lease.attempt_id, **used)
    return lease


def all_of(core: Core) -> list[Incident]:
    return incidents.page(core, is_open=None)


def only(core: Core) -> Incident:
    (incident,) = all_of(core)
    return incident


@pytest.fixture(autouse=True)
def no_breaker(core: Core) -> None:
    """A breaker would keep the later jobs from failing."""
    tunables.change(core, {"breaker.failures": 1_000, "dispatch.max_running": 200})


def test_jobs_of_many_connections_that_fail_of_one_cause_are_one_incident(core: Core) -> None:
    made = [fail(core, PlatformTransient("503")) for _ in range(4)]
    incident = only(core)
    assert (incident.cause.code, incident.cause.scope, incident.cause.key) == (
        "platform_transient",
        "platform",
        "youtube",
    )
    assert (incident.jobs, incident.failures, incident.waiting, incident.dead) == (4, 4, 4, 0)
    assert incident.is_worth_showing and made


def test_a_job_that_fails_again_and_again_counts_once(core: Core, clock: ManualClock) -> None:
    job = fail(core, NetworkFailed("Cut."))
    for wait_s in (10, 60, 300):
        clock.move(wait_s)
        fail_again(core, job, NetworkFailed("Cut."))
    incident = only(core)
    assert (incident.jobs, incident.failures, incident.dead, incident.waiting) == (1, 4, 1, 0)
    assert not incident.is_worth_showing, "one job is no incident to anybody"


def test_whose_trouble_it_is_tells_incidents_apart(core: Core) -> None:
    one, other = add_account(core, "youtube"), add_account(core, "youtube")
    for destination in (one, one, other):
        fail(core, MediaRejected("Too long."), destination=destination)
    fail(core, NetworkFailed("Cut."), step=Step.FETCH)
    fail(core, ProxyFailed("Refused."), proxy="http://p1:1")
    fail(core, ProxyFailed("Refused."), proxy="http://p1:1")
    fail(core, LocalFailed("Disk full."))
    fail(core, RateLimited("Slow down."), destination=other)
    found = {(i.cause.code, i.cause.scope.value, i.cause.key): i.jobs for i in all_of(core)}
    assert found == {
        ("media_rejected", "account", str(one.id)): 2,
        ("media_rejected", "account", str(other.id)): 1,
        ("network_error", "platform", "instagram"): 1,
        ("proxy_error", "proxy", "http://p1:1"): 2,
        ("local_error", "server", ""): 1,
        ("rate_limited", "account", str(other.id)): 1,
    }


def test_a_proxy_is_told_by_its_name_and_kept_by_its_id(core: Core, clock: ManualClock) -> None:
    with core.begin() as tx:
        row = {"alias": "US_01", "type": "http", "host": "proxy.example", "port": 8080, "created_at": core.clock.now()}
        id_ = proxies.add(tx, row)
    fail(core, ProxyFailed("Refused."), proxy="US_01")
    fail(core, ProxyFailed("Refused."), proxy="US_01")
    with core.begin() as tx:
        change_row(tx, account_tables.proxies, id_, alias="US_02", host="moved.example")
    fail(core, ProxyFailed("Refused."), proxy="US_02")
    (incident,) = (one for one in all_of(core) if one.cause.scope == "proxy")
    assert (incident.cause.key, incident.cause.title, incident.jobs) == (str(id_), "US_02", 3)
    evidence = diagnosing.recent(core).evidence
    assert any(said.startswith("proxy US_02: ") for said in evidence), evidence


def test_a_project_s_quota_is_one_incident_for_all_its_accounts_and_ends_with_one_that_publishes(core: Core) -> None:
    def channel(project: str) -> Account:
        sealed = core.vault.seal({"client_id": f"{project}-abc.apps.googleusercontent.com"})
        return add_account(core, "youtube", auth_method="oauth", credentials=sealed)

    projects = ("1111", "1111", "1111", "2222")
    leases = [on_its_way(core, add_job(core, add_connection(core, destination=channel(name)))) for name in projects]
    arriving, *failing_ones = leases
    for lease in failing_ones:
        failing.fail(core, lease, QuotaExhausted("Used up."))
    found = {(i.cause.scope, i.cause.key): (i.jobs, i.cause.title) for i in all_of(core)}
    assert found == {
        ("project", "youtube:1111"): (2, "YouTube project 1111"),
        ("project", "youtube:2222"): (1, "YouTube project 2222"),
    }
    fail(core, QuotaExhausted("Used up."))
    assert all_of(core)[0].cause.scope == "account", "of credentials that name no project"
    forwarding.succeed(core, arriving)
    assert {i.cause.key for i in incidents.page(core) if i.cause.scope == "project"} == {"youtube:2222"}


def test_what_is_no_failure_is_no_incident(core: Core) -> None:
    fail(core, AlreadyPublished("There."))
    fail(core, OutcomeUnknown("?"))
    assert all_of(core) == []


def test_a_job_that_arrives_ends_the_incidents_it_proves_over_and_no_other(core: Core, clock: ManualClock) -> None:
    source, destination = add_account(core), add_account(core, "youtube")
    ends: dict[str, Any] = {"source": source, "destination": destination}
    fail(core, NetworkFailed("Cut."), **ends)
    fail(core, MediaRejected("Too long."), **ends)
    fail(core, MediaRejected("Too long."))
    clock.move(5)
    job = add_job(core, add_connection(core, **ends))
    forwarding.succeed(core, on_its_way(core, job))
    still_open = incidents.page(core)
    assert [(i.cause.code, i.cause.key == str(destination.id)) for i in still_open] == [("media_rejected", False)]
    (closed, _) = incidents.page(core, is_open=False)
    assert closed.closed_because == f"job {job} arrived" and closed.closed_at == clock.now()


def test_failures_right_after_its_end_are_the_same_incident_and_later_ones_another(
    core: Core, clock: ManualClock
) -> None:
    fail(core, NetworkFailed("Cut."))
    forwarding.succeed(core, on_its_way(core, add_job(core, add_connection(core))))
    assert not only(core).is_open
    clock.move(60)
    fail(core, NetworkFailed("Cut."))
    assert only(core).is_open and only(core).jobs == 2
    forwarding.succeed(core, on_its_way(core, add_job(core, add_connection(core))))
    clock.move(601)
    fail(core, NetworkFailed("Cut."))
    assert [i.jobs for i in all_of(core)] == [1, 2]


def test_an_hour_without_a_failure_ends_it_unless_jobs_still_wait_because_of_it(core: Core, clock: ManualClock) -> None:
    fail(core, MediaRejected("Too long."))
    waiting = fail(core, RateLimited("Slow down.", retry_after_s=20_000))
    clock.move(3_599)
    assert incidents.end_quiet(core) == []
    clock.move(1)
    assert len(incidents.end_quiet(core)) == 1
    assert [i.cause.code for i in incidents.page(core)] == ["rate_limited"]
    with core.begin() as tx:
        change_row(tx, flow.jobs, waiting, status="cancelled")
    assert len(incidents.end_quiet(core)) == 1 and incidents.page(core) == []


def test_one_retry_takes_along_what_is_dead_or_waits_for_us_and_leaves_what_a_platform_told_to_wait(
    core: Core,
) -> None:
    ends: dict[str, Any] = {"source": add_account(core), "destination": add_account(core, "youtube")}
    rejected = [fail(core, MediaRejected("Too long."), **ends) for _ in range(3)]
    other = fail(core, MediaRejected("Too long."))
    cut = fail(core, NetworkFailed("Cut."))
    told = fail(core, RateLimited("Slow down.", retry_after_s=500))
    of = {i.cause.code + str(i.jobs): i.id for i in all_of(core)}
    assert incidents.retry(core, of["media_rejected3"], who="admin") == rejected
    assert incidents.retry(core, of["media_rejected3"], who="admin") == []
    assert {job_of(core, job).status for job in rejected} == {JobStatus.QUEUED}
    assert job_of(core, other).status is JobStatus.DEAD
    assert incidents.retry(core, of["network_error1"], who="admin") == [cut]
    assert job_of(core, cut).next_attempt_at is None and job_of(core, cut).retries_used == 0
    assert incidents.retry(core, of["rate_limited1"], who="admin") == []
    assert job_of(core, told).status is JobStatus.RETRY_WAIT
    said = [(row["what"], row["target"], row["details"].get("jobs")) for row in rows(core, people.audit_log)]
    assert ("jobs_retried", f"incident:{of['media_rejected3']}", 3) in said


def test_an_incident_that_is_over_is_shown_while_it_left_dead_jobs_behind(core: Core) -> None:
    ends: dict[str, Any] = {"source": add_account(core), "destination": add_account(core, "youtube")}
    for _ in range(2):
        fail(core, MediaRejected("Too long."), **ends)
    forwarding.succeed(core, on_its_way(core, add_job(core, add_connection(core, **ends))))
    (shown,) = incidents.worth_showing(core)
    assert not shown.is_open and shown.dead == 2
    incidents.retry(core, shown.id, who="admin")
    assert incidents.worth_showing(core) == []


def test_failures_at_the_same_instant_in_many_workers_are_one_incident(core: Core) -> None:
    leases = [on_its_way(core, add_job(core, add_connection(core))) for _ in range(8)]
    together = threading.Barrier(len(leases))

    def end(lease: Lease) -> None:
        together.wait()
        failing.fail(core, lease, NetworkFailed("Cut."))

    threads = [threading.Thread(target=end, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (only(core).jobs, only(core).failures) == (8, 8)


def test_there_is_no_such_incident(core: Core) -> None:
    with pytest.raises(NotFound):
        incidents.retry(core, 7, who="admin")
