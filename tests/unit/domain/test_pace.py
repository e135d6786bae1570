"""When each post of a destination's queue will go: daily numbers, distance, the ramp of a new account, windows."""

from __future__ import annotations

import time as real_time
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain import pace
from forwarder_core.domain.jobs import WaitReason
from forwarder_core.domain.pace import Pace, Standing, Turn, Waiting, plan
from forwarder_core.domain.schedules import Schedule, Window, Windows, WindowsFor, day_of

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 5, tzinfo=UTC)
EVENINGS = Schedule(windows=Windows(daily=(Window(time(18), time(20)),)))


def queue(count: int, **more: Any) -> list[Waiting]:
    return [Waiting(job_id=n, **more) for n in range(count)]


def turns(jobs: list[Waiting], **standing: Any) -> list[Turn]:
    return plan(jobs, Standing(**standing), NOW)


def test_where_nothing_speaks_against_it_everything_goes_now() -> None:
    assert turns(queue(3)) == [Turn(n, NOW, None) for n in range(3)]


def test_posts_keep_their_distance_from_each_other_and_from_the_last_one() -> None:
    made = turns(queue(3), pace=Pace(spacing_s=3_600), last_at=NOW - timedelta(minutes=20))
    assert [turn.at - NOW for turn in made] == [timedelta(minutes=m) for m in (40, 100, 160)]
    assert {turn.reason for turn in made} == {WaitReason.SPACING}


def test_a_day_that_is_full_sends_the_rest_to_the_next() -> None:
    made = turns(queue(5), pace=Pace(posts_per_day=2), taken=1)
    day_after = MIDNIGHT + timedelta(days=1)
    assert [turn.at for turn in made] == [NOW, MIDNIGHT, MIDNIGHT, day_after, day_after]
    assert [turn.reason for turn in made] == [None, *[WaitReason.DAILY_LIMIT] * 4]


def test_the_platforms_own_number_counts_where_the_account_has_none() -> None:
    assert [turn.at for turn in turns(queue(2), usual=1)] == [NOW, MIDNIGHT]


def test_a_new_account_gets_what_its_ramp_says_for_each_of_its_days_and_afterwards_what_is_usual() -> None:
    ramp = Pace(ramp=(1, 2), ramp_from=date(2026, 5, 4))
    made = turns(queue(6), pace=ramp, usual=3)
    per_day = Counter(turn.at.date() for turn in made)
    assert per_day == {date(2026, 5, 4): 1, date(2026, 5, 5): 2, date(2026, 5, 6): 3}


def test_a_window_makes_one_connection_wait_and_not_its_neighbour() -> None:
    jobs = [Waiting(job_id=1, schedule=EVENINGS), Waiting(job_id=2), Waiting(job_id=3, schedule=EVENINGS)]
    made = turns(jobs, pace=Pace(spacing_s=600))
    assert made[1] == Turn(2, NOW, None)
    assert made[0] == Turn(1, NOW.replace(hour=18), WaitReason.WINDOW)
    assert made[2] == Turn(3, NOW.replace(hour=18, minute=10), WaitReason.SPACING)


def test_old_posts_wait_for_their_window_while_new_ones_go() -> None:
    old_only = Schedule(windows=EVENINGS.windows, windows_for=WindowsFor.OLD_POSTS)
    jobs = [Waiting(job_id=1, schedule=old_only), Waiting(job_id=2, schedule=old_only, is_old=True)]
    assert [turn.at for turn in turns(jobs)] == [NOW, NOW.replace(hour=18)]


def test_what_a_person_asked_for_waits_for_no_window_but_for_its_distance() -> None:
    asked = [Waiting(job_id=1, schedule=EVENINGS, is_urgent=True)]
    assert turns(asked)[0].at == NOW
    assert turns(asked, pace=Pace(spacing_s=60), last_at=NOW)[0].at == NOW + timedelta(minutes=1)


def test_a_refusal_of_the_platform_closes_the_whole_queue_until_the_time_it_named() -> None:
    until = NOW + timedelta(hours=19)
    made = turns(queue(2), closed_until=until, closed_for=WaitReason.QUOTA)
    assert made == [Turn(0, until, WaitReason.QUOTA), Turn(1, until, WaitReason.QUOTA)]


def test_a_long_queue_is_planned_quickly() -> None:
    began = real_time.process_time()
    made = turns(queue(500, schedule=EVENINGS), pace=Pace(posts_per_day=2, spacing_s=900))
    assert real_time.process_time() - began < 5
    assert len({turn.at for turn in made}) == 500


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ({"posts_per_day": 0}, "posts_per_day must be a whole number from 1"),
        ({"posts_per_day": 1.5}, "whole number"),
        ({"posts_per_day": True}, "whole number"),
        ({"spacing_minutes": -1}, "spacing_minutes must be a number from 0"),
        ({"ramp": "2,4"}, "ramp must be a list"),
        ({"ramp": [1, -2]}, "ramp must be a whole number"),
        ({"ramp_from": "tomorrow"}, "tomorrow"),
    ],
)
def test_a_pace_that_makes_no_sense_is_refused(stored: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pace.read(stored)


def test_a_pace_is_written_as_it_is_read() -> None:
    stored = {"posts_per_day": 4, "spacing_minutes": 90.0, "ramp": [1, 2], "ramp_from": "2026-05-04"}
    assert pace.write(pace.read(stored)) == stored


schedules = st.sampled_from(
    [Schedule(), EVENINGS, Schedule(windows=EVENINGS.windows, windows_for=WindowsFor.OLD_POSTS)]
)
jobs_ = st.lists(
    st.builds(Waiting, job_id=st.just(1), schedule=schedules, is_old=st.booleans(), is_urgent=st.booleans())
)


@given(
    jobs_,
    st.integers(1, 4),
    st.sampled_from([0, 600, 7_200]),
    st.integers(0, 5),
    st.sampled_from(["UTC", "Asia/Kolkata"]),
)
def test_no_plan_ever_breaks_a_rule(jobs: list[Waiting], most: int, spacing_s: int, taken: int, zone: str) -> None:
    made = turns(jobs, pace=Pace(posts_per_day=most, spacing_s=spacing_s), taken=taken, last_at=NOW, zone=zone)
    assert all(turn.at >= NOW for turn in made)
    given_ = sorted([NOW, *(turn.at for turn in made)])
    assert all((b - a).total_seconds() >= spacing_s for a, b in pairwise(given_))
    per_day = Counter({day_of(NOW, zone): taken})
    per_day.update(day_of(turn.at, zone) for turn in made)
    assert all(count <= most for day, count in per_day.items() if day != day_of(NOW, zone) or taken <= most)
    for job, turn in zip(jobs, made, strict=True):
        assert job.is_urgent or job.schedule.may_go_at(turn.at, is_old=job.is_old) == turn.at
