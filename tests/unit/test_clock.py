"""Time is injected: what a clock says is an aware UTC instant, whoever it asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from forwarder_core.clock import CallableClock, ManualClock, SystemClock


def test_a_manual_clock_stands_until_it_is_moved() -> None:
    clock = ManualClock()
    before = clock.now()
    assert clock.now() == before
    assert clock.move(90) == before + timedelta(seconds=90) == clock.now()


def test_a_manual_clock_starts_where_it_is_told() -> None:
    start = datetime(2030, 2, 3, tzinfo=UTC)
    assert ManualClock(start).now() == start


def test_every_clock_says_utc() -> None:
    now = datetime(2030, 2, 3, tzinfo=UTC)
    clocks = (SystemClock(), ManualClock(), CallableClock(lambda: now))
    assert {clock.now().utcoffset() for clock in clocks} == {timedelta(0)}


def test_a_callable_clock_asks_each_time() -> None:
    instants = iter([datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)])
    clock = CallableClock(lambda: next(instants))
    assert [clock.now().day, clock.now().day] == [1, 2]


def test_the_system_clock_follows_the_machine() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
