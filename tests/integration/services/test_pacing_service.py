"""When a waiting post goes: windows, daily posts, spacing, quotas and the hold, as rows with a reason and a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from forwarder_core.clock import ManualClock
from forwarder_core.connectors.metering import Meter
from forwarder_core.db.tables import flow, quotas
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.connections import Connection
from forwarder_core.domain.jobs import JobStatus, Step, WaitReason
from forwarder_core.domain.publications import PublicationState
from forwarder_core.errors import DestinationDailyLimit, QuotaExhausted, StepFailed
from forwarder_core.services import editing, failing, forwarding, jobs, limits, tunables
from forwarder_core.services import quotas as quotas_service
from forwarder_core.services.context import Core
from tests.factories import (
    add_account,
    add_connection,
    add_job,
    add_publication,
    change_row,
    claimed,
    dispatch,
    job_of,
    rows,
)
from tests.integration.services.far_ends import Mode, Shop
from tests.integration.services.test_publishing_service import attempt

pytestmark = pytest.mark.slow
EVENINGS = {"type": "windows", "timezone": "Asia/Kolkata", "windows": [{"start": "18:00", "end": "20:00"}]}
PROJECT = "123456789012"


def midday(clock: ManualClock) -> datetime:
    """Move the test's time to a Monday's noon in UTC."""
    noon = (clock.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    clock.move((noon - clock.now()).total_seconds())
    return noon


def due(core: Core) -> list[int]:
    return [d.job_id for d in forwarding.dispatchable(core)]


def waits(core: Core, job: int) -> tuple[str, WaitReason | None, datetime | None]:
    known = job_of(core, job)
    return known.status.value, known.wait_reason, known.next_attempt_at


def paced(core: Core, **pace: Any) -> Account:
    return add_account(core, "youtube", pace=pace)


def google(core: Core, number: str = PROJECT) -> Account:
    return add_account(core, "youtube", credentials=core.vault.seal({"client_id": f"{number}-abc.apps.example"}))


def finished(core: Core, job: int) -> None:
    """The job has published, and is done."""
    attempt(core, job, Shop())
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, status="success", lease_until=None)


def entries(core: Core, job: int) -> dict[str, str]:
    return {row["scope"].split(":")[0]: row["state"] for row in rows(core, quotas.quota_entries, job_id=job)}


def test_outside_its_windows_a_post_waits_and_says_until_when(core: Core, clock: ManualClock) -> None:
    noon = midday(clock)
    connection = add_connection(core, schedule=EVENINGS)
    job, other = add_job(core, connection), add_job(core, add_connection(core))
    opens = noon.replace(hour=12, minute=30)  # 18:00 in Kolkata
    assert due(core) == [other]
    assert waits(core, job) == ("retry_wait", WaitReason.WINDOW, opens)
    clock.move(30 * 60 - 1)
    assert job not in due(core)
    clock.move(1)
    assert job in due(core)


def test_windows_for_old_posts_let_new_ones_pass_and_new_ones_always_go_first(core: Core, clock: ManualClock) -> None:
    midday(clock)
    connection = add_connection(core, schedule=EVENINGS | {"windows_for": "old_posts"})
    old, new = add_job(core, connection, is_old=True), add_job(core, connection)
    assert due(core) == [new]
    clock.move(31 * 60)
    with core.begin() as tx:
        change_row(tx, flow.jobs, new, status="success", dispatched_until=None)
    newer = add_job(core, connection)
    assert due(core) == [newer], "one at a time, and the old one is not the first"
    assert job_of(core, old).status in (JobStatus.QUEUED, JobStatus.RETRY_WAIT)


def test_a_window_that_closes_between_dispatch_and_claim_is_seen(core: Core, clock: ManualClock) -> None:
    midday(clock)
    clock.move(2.5 * 3_600 - 1)  # the last second of the window
    job = add_job(core, add_connection(core, schedule=EVENINGS))
    launch = dispatch(core, job)
    clock.move(1)
    assert forwarding.claim(core, job, launch.dispatch_no, "run") is None
    clock.move(120)
    assert due(core) == [] and waits(core, job)[1] is WaitReason.WINDOW


def test_what_a_person_retries_waits_for_no_window(core: Core, clock: ManualClock) -> None:
    midday(clock)
    job = add_job(core, add_connection(core, schedule=EVENINGS))
    assert due(core) == []
    jobs.retry(core, job, who="admin")
    assert due(core) == [job]


def test_new_windows_are_obeyed_at_once(core: Core, clock: ManualClock) -> None:
    midday(clock)
    connection = add_connection(core, schedule=EVENINGS)
    job = add_job(core, connection)
    assert due(core) == []
    editing.change_connection(core, connection.id, {"schedule": {"type": "continuous"}}, who="admin")
    assert due(core) == [job]


def test_posts_of_one_account_keep_their_distance_and_each_says_its_own_time(core: Core, clock: ManualClock) -> None:
    noon = midday(clock)
    account = paced(core, spacing_minutes=60)
    connection = add_connection(core, destination=account)
    first, second, third = (add_job(core, connection) for _ in range(3))
    finished(core, first)
    assert due(core) == []
    assert waits(core, second) == ("retry_wait", WaitReason.SPACING, noon + timedelta(hours=1))
    assert waits(core, third) == ("retry_wait", WaitReason.SPACING, noon + timedelta(hours=2))
    clock.move(3_600)
    assert due(core) == [second]


def test_an_account_gets_its_posts_a_day_and_the_rest_at_its_own_midnight(core: Core, clock: ManualClock) -> None:
    noon = midday(clock)
    connection = add_connection(core, destination=paced(core, posts_per_day=2))
    made = [add_job(core, connection) for _ in range(4)]
    for job in made[:2]:
        finished(core, job)
    assert due(core) == []
    midnight = noon + timedelta(hours=12)
    assert [waits(core, job)[1:] for job in made[2:]] == [(WaitReason.DAILY_LIMIT, midnight)] * 2
    clock.move(12 * 3_600)
    assert due(core) == [made[2]]


def test_several_at_once_never_take_more_than_is_left_of_the_day(core: Core, clock: ManualClock) -> None:
    midday(clock)
    tunables.change(core, {"dispatch.per_destination": 5})
    account = paced(core, posts_per_day=3)
    for _ in range(5):
        add_job(core, add_connection(core, destination=account))
    assert len(due(core)) == 3


def test_a_new_account_begins_with_what_its_ramp_says(core: Core, clock: ManualClock) -> None:
    midday(clock)
    account = add_account(core, "youtube")
    editing.change_account(core, account.id, {"pace": {"ramp": [1, 2]}}, who="admin")
    connection = add_connection(core, destination=account)
    first, second = add_job(core, connection), add_job(core, connection)
    finished(core, first)
    assert due(core) == [] and waits(core, second)[1] is WaitReason.DAILY_LIMIT


def test_a_higher_cap_of_the_account_lets_the_waiting_go_at_once(core: Core, clock: ManualClock) -> None:
    midday(clock)
    account = paced(core, posts_per_day=1)
    connection = add_connection(core, destination=account)
    first, second = add_job(core, connection), add_job(core, connection)
    finished(core, first)
    assert due(core) == []
    editing.change_account(core, account.id, {"pace": {"posts_per_day": 5}}, who="admin")
    assert due(core) == [second]


def test_the_hold_stops_every_start_and_its_end_lets_everything_go_on(core: Core) -> None:
    job = add_job(core, add_connection(core))
    launch = dispatch(core, job)
    tunables.change(core, {"dispatch.hold": True})
    assert forwarding.claim(core, job, launch.dispatch_no, "run") is None
    other = add_job(core, add_connection(core))
    assert due(core) == [] and waits(core, other) == ("paused", WaitReason.HOLD, None)
    tunables.change(core, {"dispatch.hold": False})
    assert due(core) == [other]


def test_a_post_takes_its_place_before_it_starts_and_gives_it_back_when_it_fails_before_sending(core: Core) -> None:
    connection = add_connection(core, destination=paced(core, posts_per_day=1))
    job, other = add_job(core, connection), add_job(core, connection)
    lease = claimed(core, job)
    assert entries(core, job) == {"account": "reserved"}
    (view,) = quotas_service.views(core)
    assert (view.used, view.reserved, view.limit, view.is_used_up) == (0, 1, 1, True)
    failing.fail(core, lease, StepFailed("The download broke off."))
    (view,) = quotas_service.views(core)
    assert (view.used, view.reserved) == (0, 0)
    assert due(core) == [other]


def test_what_was_sent_stays_used_and_what_was_refused_does_not(core: Core) -> None:
    connection = add_connection(core, destination=google(core))
    sent, refused = add_job(core, connection), add_job(core, connection)
    finished(core, sent)
    assert entries(core, sent) == {"account": "used", "youtube": "used"}
    attempt(core, refused, Shop(), Mode.REFUSED)
    assert entries(core, refused) == {"youtube": "used"}, "the project's upload was asked for all the same"


def test_a_second_session_costs_the_project_a_second_upload(core: Core, clock: ManualClock) -> None:
    connection, shop = add_connection(core, destination=google(core)), Shop()
    job = add_job(core, connection)
    attempt(core, job, shop, Mode.SESSION_GONE)
    clock.move(60)
    attempt(core, job, shop)
    units = {row["scope"].split(":")[0]: row["units"] for row in rows(core, quotas.quota_entries, job_id=job)}
    assert units == {"account": 1, "youtube": 2}


def test_channels_of_one_google_project_share_its_uploads_and_another_project_has_its_own(
    core: Core, clock: ManualClock
) -> None:
    noon = midday(clock)
    limits.change(core, "youtube", {"quotas.uploads": 1}, who="admin")
    first = add_job(core, add_connection(core, destination=google(core)))
    second = add_job(core, add_connection(core, destination=google(core)))
    elsewhere = add_job(core, add_connection(core, destination=google(core, "999999999999")))
    assert due(core) == [first, elsewhere]
    status, reason, at = waits(core, second)
    assert (status, reason) == ("retry_wait", WaitReason.QUOTA)
    assert at is not None and noon < at <= noon + timedelta(hours=24) and at.astimezone(UTC).hour in (7, 8)
    assert job_of(core, second).retries_used == 0


def test_a_quota_error_fills_the_project_for_everybody_until_it_says_and_burns_no_retry(
    core: Core, clock: ManualClock
) -> None:
    connection, sibling = (add_connection(core, destination=google(core)) for _ in range(2))
    job = add_job(core, connection)
    lease = claimed(core, job)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, step=Step.PUBLISH)
    failing.fail(core, lease, QuotaExhausted("The quota is used up.", retry_after_s=7_200))
    until = core.clock.now() + timedelta(seconds=7_200)
    assert waits(core, job) == ("retry_wait", WaitReason.QUOTA, until) and job_of(core, job).retries_used == 0
    other = add_job(core, sibling)
    assert due(core) == [] and waits(core, other) == ("retry_wait", WaitReason.QUOTA, until)
    assert any(view.closed_until == until and view.is_used_up for view in quotas_service.views(core))
    clock.move(7_200)
    assert sorted(due(core)) == sorted([job, other])


def test_a_full_channel_waits_as_long_as_it_was_told(core: Core) -> None:
    account = google(core)
    job = add_job(core, add_connection(core, destination=account))
    lease = claimed(core, job)
    with core.begin() as tx:
        change_row(tx, flow.jobs, job, step=Step.PUBLISH)
    failing.fail(core, lease, DestinationDailyLimit("The channel has enough.", retry_after_s=3_600))
    (own,) = [view for view in quotas_service.views(core) if view.scope == f"account:{account.id}"]
    assert own.closed_until == core.clock.now() + timedelta(hours=1)


def test_a_platforms_own_count_is_believed(core: Core) -> None:
    class Told(Shop):
        def meter(self) -> Any:
            return Meter(posts_used=24, posts_total=25)

    account = add_account(core)
    add_connection(core, add_account(core), account)
    quotas_service.note_cost(core, account, Told())
    (view,) = quotas_service.views(core)
    assert (view.used, view.limit) == (24, 25)


def test_a_post_that_may_be_live_is_looked_for_whatever_the_rules_say(core: Core, clock: ManualClock) -> None:
    midday(clock)
    job = add_job(core, add_connection(core, schedule=EVENINGS, destination=paced(core, posts_per_day=1)))
    add_publication(core, job, state=PublicationState.COMMITTING, committing_at=clock.now())
    assert due(core) == [job]


def test_a_new_priority_moves_what_waits(core: Core) -> None:
    destination = add_account(core, "youtube")
    usual, hurried = (add_connection(core, destination=destination) for _ in range(2))
    add_job(core, usual)
    urgent = add_job(core, hurried)
    editing.change_connection(core, hurried.id, {"priority": 9}, who="admin")
    assert due(core) == [urgent]


def counted(core: Core) -> int:
    """SQL statements of one dispatch."""
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(core.engine, "before_cursor_execute", note)
    try:
        forwarding.dispatchable(core)
    finally:
        event.remove(core.engine, "before_cursor_execute", note)
    return len(statements)


def connections(core: Core, count: int) -> list[Connection]:
    return [add_connection(core, destination=google(core)) for _ in range(count)]


def test_the_rules_cost_an_idle_dispatch_nothing_and_a_busy_one_the_same_however_many_connections(core: Core) -> None:
    few = connections(core, 3)
    idle = counted(core)
    for connection in few:
        add_job(core, connection)
    with_three = counted(core)
    for connection in connections(core, 30):
        add_job(core, connection)
    tunables.change(core, {"dispatch.max_running": 100})
    assert counted(core) == with_three
    assert idle == 1 and with_three <= 16
