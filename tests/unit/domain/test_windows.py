"""Daily windows: open once on every day of their zone, those included on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.schedules import Schedule, Span, Window, Windows, WindowsFor, midnight_after

BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"
ZONES = [BERLIN, NEW_YORK, KOLKATA, "UTC", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]
CHANGES = {  # the days of 2026 on which the clock is changed
    BERLIN: (date(2026, 3, 29), date(2026, 10, 25)),
    NEW_YORK: (date(2026, 3, 8), date(2026, 11, 1)),
    KOLKATA: (date(2026, 3, 29), date(2026, 11, 1)),  # never: an ordinary day must not be disturbed
}


def at(hour: int, minute: int = 0) -> time:
    return time(hour, minute)


def windows(zone: str, *spans: tuple[time, time]) -> Windows:
    return Windows(daily=tuple(Window(*span) for span in spans), zone=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def openings(chosen: Windows, since: datetime, until: datetime) -> list[datetime]:
    """When it opens within that time, found by asking minute by minute, as the dispatcher does."""
    found, was_open, now = [], chosen.opens_at(since) == since, since
    while now < until:
        is_open = chosen.opens_at(now) == now
        if is_open and not was_open:
            found.append(now)
        was_open, now = is_open, now + timedelta(minutes=1)
    return found


@pytest.mark.parametrize("zone", [KOLKATA, BERLIN, NEW_YORK])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (at(2, 15), at(2, 45)),  # wholly within the hour New York and Berlin skip
        (at(1, 15), at(1, 45)),  # within the hour New York shows twice
        (at(2, 30), at(3, 10)),
        (at(1, 30), at(2, 30)),
        (at(9), at(18)),
        (at(22), at(4)),
        (at(23, 30), at(0, 30)),
    ],
)
def test_on_the_day_of_a_clock_change_each_window_fires_once(zone: str, which: int, start: time, end: time) -> None:
    day = CHANGES[zone][which]
    chosen = windows(zone, (start, end))
    (span,) = chosen.spans_of(day)
    around = openings(chosen, span.start - timedelta(hours=15), span.start + timedelta(hours=18))
    assert [found for found in around if abs(found - span.start) < timedelta(hours=12)] == [span.start]
    assert timedelta() < span.end - span.start <= timedelta(hours=10)


def test_a_window_in_time_the_clock_skips_opens_at_the_change_and_keeps_its_length() -> None:
    assert windows(NEW_YORK, (at(2, 15), at(2, 45))).spans_of(date(2026, 3, 8)) == [
        Span(utc("2026-03-08 07:00"), utc("2026-03-08 07:30"))
    ]
    assert windows(BERLIN, (at(2, 30), at(3, 10))).spans_of(date(2026, 3, 29)) == [
        Span(utc("2026-03-29 01:00"), utc("2026-03-29 01:10"))
    ]


def test_a_window_in_time_the_clock_shows_twice_is_the_first_of_the_two() -> None:
    assert windows(NEW_YORK, (at(1, 15), at(1, 45))).spans_of(date(2026, 11, 1)) == [
        Span(utc("2026-11-01 05:15"), utc("2026-11-01 05:45"))
    ]
    nine_to_six = windows(BERLIN, (at(9), at(18)))
    assert nine_to_six.spans_of(date(2026, 10, 24))[0].start == utc("2026-10-24 07:00")
    assert nine_to_six.spans_of(date(2026, 10, 25))[0].start == utc("2026-10-25 08:00")


def test_a_window_over_midnight_is_open_on_both_sides_of_it() -> None:
    night = windows(KOLKATA, (at(22), at(2)))
    assert night.opens_at(utc("2026-05-04 18:00")) == utc("2026-05-04 18:00")  # 23:30 there
    assert night.opens_at(utc("2026-05-04 20:00")) == utc("2026-05-04 20:00")  # 01:30 there
    assert night.opens_at(utc("2026-05-04 20:30")) == utc("2026-05-05 16:30")  # 02:00 there: shut until 22:00


def test_windows_that_overlap_are_one_opening() -> None:
    chosen = windows("UTC", (at(9), at(12)), (at(11), at(14)), (at(20), at(21)))
    day = date(2026, 5, 4)
    assert [(span.start.hour, span.end.hour) for span in chosen.spans_of(day)] == [(9, 14), (20, 21)]


def test_without_windows_it_is_always_open_and_old_posts_alone_can_have_them() -> None:
    now = utc("2026-05-04 03:00")
    assert Windows().opens_at(now) == now
    only_old = Schedule(windows=windows("UTC", (at(9), at(10))), windows_for=WindowsFor.OLD_POSTS)
    assert only_old.may_go_at(now, is_old=False) == now
    assert only_old.may_go_at(now, is_old=True) == utc("2026-05-04 09:00")
    everything = Schedule(windows=windows("UTC", (at(9), at(10))))
    assert everything.may_go_at(now, is_old=False) == utc("2026-05-04 09:00")


def test_a_day_ends_at_the_zones_own_midnight() -> None:
    assert midnight_after(utc("2026-05-04 12:00"), "America/Los_Angeles") == utc("2026-05-05 07:00")
    assert midnight_after(utc("2026-11-21 12:00"), "America/Los_Angeles") == utc("2026-11-22 08:00")
    assert midnight_after(utc("2026-05-04 18:31"), KOLKATA) == utc("2026-05-05 18:30")


any_time = st.builds(time, st.integers(0, 23), st.integers(0, 59))
any_instant = st.integers(0, 4 * 366 * 1440).map(lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@given(st.sampled_from(ZONES), st.lists(st.tuples(any_time, any_time), min_size=1, max_size=3), any_instant)
def test_the_next_opening_is_open_and_never_in_the_past_and_within_two_days(
    zone: str, spans: list[tuple[time, time]], now: datetime
) -> None:
    chosen = windows(zone, *spans)
    opens = chosen.opens_at(now)
    assert now <= opens <= now + timedelta(hours=49)
    assert chosen.opens_at(opens) == opens
    assert all(span.start < span.end for span in chosen.spans_of(opens.date()))


@given(st.sampled_from([BERLIN, NEW_YORK, KOLKATA]), any_time, any_time, st.integers(0, 800))
def test_every_day_has_one_opening_later_than_that_of_the_day_before(
    zone: str, start: time, end: time, day_number: int
) -> None:
    day = date(2025, 1, 1) + timedelta(days=day_number)
    chosen = windows(zone, (start, end))
    (first,), (second,) = chosen.spans_of(day), chosen.spans_of(day + timedelta(days=1))
    assert first.start < second.start
    assert timedelta(hours=22) <= second.start - first.start <= timedelta(hours=26)
