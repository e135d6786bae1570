"""When alerts go together, how fast they go, and what the admin may set: the pure parts of sending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder_core.alerts.delivery import Address
from forwarder_core.alerts.forms import clean
from forwarder_core.alerts.grouping import Due, Parcel, parcels
from forwarder_core.alerts.pace import GROUP_PER_MINUTE, Pace, pause_s
from forwarder_core.alerts.ping import address_problem

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
GROUP = Address("1:a", "-1001")


def due(n: int, cause: str = "c", *, at: datetime = T0, start: int = 1) -> list[Due]:
    return [Due(id, cause, at) for id in range(start, start + n)]


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_one_or_two_go_at_once_and_alone() -> None:
    assert parcels(due(2), {}, T0) == [Parcel((1,)), Parcel((2,))]
    assert parcels(due(1), {"c": 1}, T0) == [Parcel((1,))]


def test_a_handful_goes_alone_after_a_moment() -> None:
    assert parcels(due(4), {}, T0) == []
    assert len(parcels(due(4), {}, later(5))) == 4


def test_more_than_a_handful_becomes_one() -> None:
    assert parcels(due(300), {}, later(5)) == [Parcel(tuple(range(1, 301)))]


def test_a_storm_that_goes_on_waits_for_a_quiet_minute() -> None:
    assert parcels(due(30), {"c": 1}, later(30)) == []


def test_causes_do_not_wait_for_each_other() -> None:
    mixed = due(30, "storm") + due(1, "other", start=50)
    assert parcels(mixed, {"storm": 1}, later(5)) == [Parcel((50,))]


def test_a_group_takes_so_many_a_minute() -> None:
    pace = Pace()
    pace.meet(GROUP)
    for _ in range(GROUP_PER_MINUTE):
        assert pace.may_send(T0)
        pace.count(T0)

    assert not pace.may_send(later(59))
    assert pace.may_send(later(60))


def test_pauses_double_up_to_ten_minutes_and_end_with_success_or_another_bot() -> None:
    assert [pause_s(n) for n in (0, 1, 2, 7, 50)] == [5, 10, 20, 600, 600]
    pace = Pace()
    pace.meet(GROUP)
    assert pace.failed(T0) == later(5)
    assert pace.failed(later(5)) == later(15)
    assert not pace.may_send(later(14))
    pace.meet(Address("2:b", "-1001"))
    assert pace.may_send(later(14))


@pytest.mark.parametrize(
    "values",
    [
        {"bot_token": "1234567890:ABCdefGHIjklMNOpqrsTUVwxyz", "channel_id": "-1001234567890", "enabled": True},
        {"channel_id": -1001234567890},
        {"channel_id": "@your_channel", "mention": {"critical": "@one_ops @two_ops", "high": ""}},
        {"kinds": {"job_succeeded": True}, "daily_at": "23:59", "ping_every_s": 60},
        {"bot_token": "", "daily_at": None, "ping_url": "https://hc.example/ping/1"},
    ],
)
def test_what_may_be_set(values: dict[str, Any]) -> None:
    cleaned, problems = clean(values)
    assert not problems and set(cleaned) == set(values)


@pytest.mark.parametrize(
    "values",
    [
        {"bot_token": "secret"},
        {"channel_id": "0"},
        {"channel_id": "your channel"},
        {"enabled": "yes"},
        {"mention": {"critical": "ops; drop"}},
        {"mention": {"loud": "@ops_team"}},
        {"kinds": {"nothing": True}},
        {"kinds": {"job_dead": 1}},
        {"daily_at": "24:00"},
        {"ping_every_s": 1},
        {"ping_url": "ftp://x"},
        {"colour": "red"},
    ],
)
def test_what_may_not_be_set(values: dict[str, Any]) -> None:
    cleaned, problems = clean(values)
    assert not cleaned and [problem.field for problem in problems] == list(values)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:9/",
        "https://user:pass@example.com/",
        "file:///etc/passwd",
        "http://",
    ],
)
def test_a_ping_does_not_go_inside(url: str) -> None:
    assert address_problem(url, ())


def test_a_ping_goes_inside_where_it_is_allowed() -> None:
    assert address_problem("http://127.0.0.1:8000/", ("127.0.0.0/8",)) is None
    assert address_problem("https://hc.example/ping", ()) is None
