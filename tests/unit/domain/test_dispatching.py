"""What fits: never more at an end than it takes, never a free place left empty that somebody waits for."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.dispatching import fitting
from forwarder_core.domain.jobs import Dispatch


def job(id_: int, source: int, destination: int) -> Dispatch:
    return Dispatch(id_, 1, 1, id_, 0, source, destination)


def test_the_first_that_fits_goes_whoever_stands_before_it() -> None:
    due = [job(1, 10, 20), job(2, 11, 20), job(3, 11, 21)]
    found = fitting(due, [(10, 99)], room=5, per_destination=1, per_source=1)
    assert [d.job_id for d in found] == [2]


def test_a_no_of_the_gate_takes_no_place_and_the_gate_is_asked_only_where_there_is_one() -> None:
    asked: list[int] = []

    def may(d: Dispatch) -> bool:
        asked.append(d.job_id)
        return d.job_id != 1

    due = [job(n, n, 20) for n in range(1, 6)]
    found = fitting(due, [], room=9, per_destination=2, per_source=1, may=may)
    assert [d.job_id for d in found] == [2, 3] and asked == [1, 2, 3]


ends = st.tuples(st.integers(1, 4), st.integers(5, 8))


@given(
    st.lists(ends, max_size=30), st.lists(ends, max_size=8), st.integers(0, 12), st.integers(1, 3), st.integers(1, 3)
)
def test_no_end_gets_more_than_it_takes_and_nobody_is_left_who_would_fit(
    waiting: list[tuple[int, int]], under_way: list[tuple[int, int]], room: int, per_destination: int, per_source: int
) -> None:
    due = [job(n, *pair) for n, pair in enumerate(waiting)]
    found = fitting(due, under_way, room=room, per_destination=per_destination, per_source=per_source)
    sources = Counter([s for s, _ in under_way] + [d.source_account_id for d in found])
    destinations = Counter([d for _, d in under_way] + [d.destination_account_id for d in found])
    for d in found:
        assert sources[d.source_account_id] <= per_source and destinations[d.destination_account_id] <= per_destination
    assert len(found) <= room
    if len(found) < room:
        left = [d for d in due if d not in found]
        assert not [
            d
            for d in left
            if sources[d.source_account_id] < per_source and destinations[d.destination_account_id] < per_destination
        ]
