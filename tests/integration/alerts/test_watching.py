"""Thresholds on real rows: each trouble is told once when it begins and once, as a reply, when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import pytest

from forwarder_core.alerts.telegram import TelegramSender
from forwarder_core.clock import ManualClock
from forwarder_core.db import events, tokens
from forwarder_core.db.tables.accounts import proxies
from forwarder_core.db.tables.roads import threshold_states
from forwarder_core.db.tables.system import outbox
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.thresholds import Metric, crossings
from forwarder_core.domain.tokens import TokenFacts
from forwarder_core.services import disk, forwarding, heartbeats, notifying, quotas, summaries, tunables, watching
from forwarder_core.services.context import Core
from forwarder_core.services.notifying import Pace
from forwarder_core.simulator.testing import Simulator
from tests import factories

pytestmark = pytest.mark.slow


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Free GB of the disk, as the test wants them."""
    free = [100.0]
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: Usage(10**12, 0, int(free[0] * 1e9)))
    return free


def told(core: Core) -> list[str]:
    """Without the census, which rightly misses decisions about the posts a test made up."""
    return [row["kind"] for row in factories.rows(core, outbox) if row["kind"] != "census"]


def beyond(core: Core) -> list[str]:
    return [row["metric"] for row in factories.rows(core, threshold_states) if row["metric"] != Metric.CENSUS]


def crossed(core: Core, metric: Metric) -> list[bool]:
    heartbeats.beat(core, "keeper")
    return [one.is_start for one in watching.watch(core) if one.reading.metric is metric]


def end_jobs(core: Core, n: int, status: JobStatus, connection: factories.Connection) -> None:
    for _ in range(n):
        values = {"status": status, "completed_at": core.clock.now(), "error_code": "network_error"}
        factories.add_job(core, connection, **values)


def test_a_success_rate_is_told_at_its_start_and_answered_at_its_end(
    ready: Core, sim: Simulator, clock: ManualClock, sender: TelegramSender, room: list[float]
) -> None:
    connection = factories.add_connection(ready)
    end_jobs(ready, 4, JobStatus.DEAD, connection)
    assert crossed(ready, Metric.SUCCESS_RATE) == [], "four jobs say nothing of a rate"
    end_jobs(ready, 1, JobStatus.DEAD, connection)
    assert crossed(ready, Metric.SUCCESS_RATE) == [True, True], "of both its accounts"
    assert crossed(ready, Metric.SUCCESS_RATE) == []
    notifying.send_due(ready, sender, Pace())
    end_jobs(ready, 20, JobStatus.SUCCESS, connection)
    assert crossed(ready, Metric.SUCCESS_RATE) == [], "80 % is not yet 85 %"
    end_jobs(ready, 20, JobStatus.SUCCESS, connection)
    assert crossed(ready, Metric.SUCCESS_RATE) == [False, False]
    clock.move(60)
    notifying.send_due(ready, sender, Pace())

    first, _, end, _ = [one for one in sim.telegram() if "CENSUS" not in one["text"]]
    assert "SUCCESS RATE CROSSED ITS THRESHOLD" in first["text"] and "— RESOLVED" in first["text"].splitlines()[0]
    assert "Value: 0 % of 5 jobs" in first["text"] and end["reply_to"] == first["message_id"]
    assert "BACK TO NORMAL" in end["text"] and beyond(ready) == []


def test_a_full_disk_is_told_twice_and_nothing_more_is_fetched(core: Core, room: list[float]) -> None:
    job = factories.add_job(core, factories.add_connection(core))
    for free, starts in ((4.9, [True]), (0.5, []), (0.9, [])):
        room[0] = free
        assert crossed(core, Metric.DISK) == starts
    assert told(core) == ["disk", "disk"] and beyond(core) == ["disk", "disk_stop"]
    assert forwarding.dispatchable(core) == []

    folder = core.media_root / "jobs" / str(job)
    folder.mkdir(parents=True)
    (folder / "source.mp4").write_bytes(b"x")
    assert [d.job_id for d in forwarding.dispatchable(core)] == [job], "what is here already goes on"

    room[0] = 5.5
    assert crossed(core, Metric.DISK) == [], "not yet a fifth more than its mark"
    room[0] = 6.1
    assert crossed(core, Metric.DISK) == [False]
    assert told(core).count("back_to_normal") == 2


def test_a_proxy_whose_checks_fail_is_told(core: Core, room: list[float]) -> None:
    with core.begin() as tx:
        row = {"alias": "px", "type": "http", "host": "p.example", "port": 8080, "created_at": core.clock.now()}
        proxy = tx.execute(proxies.insert().values(**row).returning(proxies.c.id)).scalar_one()
    check(core, proxy, ok=True, times=5)
    check(core, proxy, ok=False, times=5)
    assert crossed(core, Metric.PROXY_ERRORS) == [], "half of them is the mark, not beyond it"
    check(core, proxy, ok=False, times=1)
    assert crossed(core, Metric.PROXY_ERRORS) == [True]
    check(core, proxy, ok=True, times=10)
    assert crossed(core, Metric.PROXY_ERRORS) == [False]


def test_a_proxy_whose_jobs_fail_at_it_is_told_though_its_checks_pass(core: Core, room: list[float]) -> None:
    with core.begin() as tx:
        row = {"alias": "px", "type": "http", "host": "p.example", "port": 8080, "created_at": core.clock.now()}
        proxy = tx.execute(proxies.insert().values(**row).returning(proxies.c.id)).scalar_one()
    check(core, proxy, ok=True, times=10)
    connection = factories.add_connection(core)
    for codes, starts in ((["proxy_error"] * 3, []), (["proxy_blocked"] * 3, [True]), ([None] * 7, [False])):
        for code in codes:
            through(core, proxy, factories.add_job(core, connection, status="dead"), code)
        assert crossed(core, Metric.PROXY_ERRORS) == starts, codes
    assert crossed(core, Metric.PROXY_ERRORS) == []


def through(core: Core, proxy_id: int, job_id: int, code: str | None) -> None:
    now = core.clock.now()
    row = {"job_id": job_id, "n": 1, "proxy": "p", "proxy_id": proxy_id, "started_at": now, "ended_at": now}
    with core.begin() as tx:
        tx.execute(factories.flow.attempts.insert().values(**row, error_code=code))


def test_a_sign_in_that_ends_within_72_hours_is_told_once_and_its_renewal_once(
    core: Core, clock: ManualClock, room: list[float]
) -> None:
    account = factories.add_account(core, "youtube", alias="TechShorts_YT")
    silent = factories.add_account(core, "youtube", alerts={"enabled": False})
    for one in (account, silent):
        lasts(core, one.id, 73)
    assert crossed(core, Metric.TOKEN) == []
    clock.move(3600)
    assert [crossed(core, Metric.TOKEN), crossed(core, Metric.TOKEN)] == [[True], []]
    (row,) = [row for row in factories.rows(core, outbox) if row["kind"] == "threshold"]
    assert (row["payload"]["value"], row["payload"]["threshold"]) == ("72 h", "72 h")
    assert row["payload"]["account"] == "TechShorts_YT" and "TechShorts_YT" in row["payload"]["action"]
    lasts(core, account.id, 80)
    assert crossed(core, Metric.TOKEN) == [], "not yet a day more than the mark"
    lasts(core, account.id, 24 * 60)
    assert [crossed(core, Metric.TOKEN), crossed(core, Metric.TOKEN)] == [[False], []]


def lasts(core: Core, account_id: int, hours: float) -> None:
    facts = TokenFacts(kind="t", title="T", is_signed_in=True, expires_at=factories.later(core, hours * 3600))
    with core.begin() as tx:
        tokens.keep_facts(tx, account_id, account_id, facts, core.clock.now())


def check(core: Core, proxy_id: int, *, ok: bool, times: int) -> None:
    with core.begin() as tx:
        for _ in range(times):
            row = {"proxy_id": proxy_id, "target": "https://t.example", "ok": ok, "at": core.clock.now()}
            tx.execute(factories.metadata.tables["proxy_checks"].insert().values(**row))


def test_a_queue_that_stands_still_is_told(core: Core, clock: ManualClock, room: list[float]) -> None:
    connection = factories.add_connection(core)
    factories.add_job(core, connection)
    paused = factories.add_connection(core, status="paused")
    factories.add_job(core, paused)
    assert crossed(core, Metric.QUEUE_AGE) == []
    clock.move(30 * 60)
    assert crossed(core, Metric.QUEUE_AGE) == [True]
    with core.begin() as tx:
        factories.change_row(tx, factories.flow.jobs, 1, status="success")
    assert crossed(core, Metric.QUEUE_AGE) == [False], "a job nobody may run is not waiting"


def test_a_connection_is_silent_against_its_own_history(core: Core, clock: ManualClock, room: list[float]) -> None:
    connection = factories.add_connection(core, name="Daily")
    for _ in range(6):
        end_jobs(core, 1, JobStatus.SUCCESS, connection)
        clock.move(24 * 3600)
    assert crossed(core, Metric.SILENCE) == []
    clock.move(3 * 24 * 3600)
    assert crossed(core, Metric.SILENCE) == [True]
    (row,) = [row for row in factories.rows(core, outbox) if row["kind"] == "silence"]
    assert row["payload"]["usual"] == "up to 72 h" and row["payload"]["connection"] == "Daily"
    end_jobs(core, 1, JobStatus.SUCCESS, connection)
    assert crossed(core, Metric.SILENCE) == [False]


def test_what_is_gone_ends_without_a_word(core: Core, clock: ManualClock, room: list[float]) -> None:
    connection = factories.add_connection(core)
    end_jobs(core, 5, JobStatus.DEAD, connection)
    assert crossed(core, Metric.SUCCESS_RATE) == [True, True]
    clock.move(25 * 3600)
    assert crossed(core, Metric.SUCCESS_RATE) == [] and told(core).count("back_to_normal") == 0
    assert beyond(core) == []


def test_a_silent_keeper_and_a_daemon_that_stands_still_are_told(
    core: Core, clock: ManualClock, room: list[float]
) -> None:
    heartbeats.beat(core, "keeper")
    connection = factories.add_connection(core)
    with core.begin() as tx:
        factories.accounts.watch(tx, connection.source_account_id, core.clock.now())
    assert watching.watch_pulses(core) == []
    clock.move(200)
    assert sorted(one.reading.subject for one in watching.watch_pulses(core)) == ["Dagster daemon", "keeper"]
    assert watching.watch_pulses(core) == []
    heartbeats.beat(core, "keeper")
    assert [(one.reading.subject, one.is_start) for one in watching.watch_pulses(core)] == [("keeper", False)]


def test_two_processes_that_measure_at_once_tell_it_once(core: Core, room: list[float]) -> None:
    room[0] = 3
    for _ in range(3):
        watching.watch(core)
        with core.begin() as tx:
            events.drop_setting(tx, "nothing")
    assert told(core).count("disk") == 1


def test_a_changed_mark_is_obeyed_at_once(core: Core, room: list[float]) -> None:
    room[0] = 8
    assert crossed(core, Metric.DISK) == []
    tunables.change(core, {"disk.warn_gb": 10})
    assert crossed(core, Metric.DISK) == [True]


def test_the_summaries_come_once_from_their_hour_on(core: Core, clock: ManualClock, room: list[float]) -> None:
    connection = factories.add_connection(core)
    clock.move((31 - clock.now().hour) * 3600 % (24 * 3600))  # seven o'clock
    assert clock.now().hour == 7 and summaries.post_due(core) == []
    end_jobs(core, 3, JobStatus.SUCCESS, connection)
    end_jobs(core, 1, JobStatus.DEAD, connection)
    soon = clock.now() + timedelta(days=3)
    factories.add_account(core, alias="Ends soon", token_expiry=soon)
    days = 0
    for _ in range(24 * 8):
        clock.move(3600)
        days += clock.now().hour == 8
        summaries.post_due(core)
    daily = [row["payload"] for row in factories.rows(core, outbox) if row["kind"] == "daily_summary"]
    assert len(daily) == days == 8 and told(core).count("weekly_summary") in (1, 2)
    assert (daily[0]["forwarded"], daily[0]["succeeded"], daily[0]["failed"]) == (4, 3, 1)
    assert daily[0]["errors"] == ["Network error: 1"] and daily[0]["success_rate"] == 75.0
    assert daily[0]["expiring"] == [f"Ends soon: {soon:%Y-%m-%d %H:%M} UTC"]


def test_a_shared_quota_is_told_before_it_is_used_up_and_an_accounts_own_day_is_not(
    core: Core, room: list[float]
) -> None:
    views = [
        quotas.QuotaView(
            scope=scope,
            title=scope,
            platform="youtube",
            accounts=("A",),
            day=core.clock.now().date(),
            used=used,
            reserved=4,
            limit=100,
            resets_at=core.clock.now(),
            closed_until=None,
        )
        for scope, used in (("youtube:units:p", 86), ("account:1", 96), ("youtube:units:q", 80))
    ]
    readings = list(watching._quotas(views))
    assert [one.reading.subject for one in crossings(readings, set())] == ["youtube:units:p"]
    assert crossed(core, Metric.QUOTA) == []
