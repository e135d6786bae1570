"""A circle of connections is found whatever its length, and a report is as good as its worst check."""

from __future__ import annotations

import pytest

from forwarder_core.domain.rehearsals import Check, Outcome, Rehearsal, way_back


@pytest.mark.parametrize(
    ("roads", "way"),
    [
        ([], ()),
        ([(1, 2)], ()),
        ([(2, 1)], (2, 1)),
        ([(2, 3), (3, 4), (4, 1), (2, 5)], (2, 3, 4, 1)),
        ([(2, 3), (3, 2)], ()),
        ([(2, 3), (3, 1), (2, 1)], (2, 1)),
    ],
)
def test_the_shortest_way_back_to_the_source_is_named(roads: list[tuple[int, int]], way: tuple[int, ...]) -> None:
    assert way_back(roads, source=1, destination=2) == way


def test_a_report_is_its_worst_check() -> None:
    fine, odd, bad = Check.ok("a", "Fine."), Check.warning("b", "Odd.", "Look."), Check.failed("c", "Bad.", "Mend it.")
    assert Rehearsal((fine,)).outcome is Outcome.OK
    assert Rehearsal((fine, odd)).outcome is Outcome.WARNING and Rehearsal((fine, odd)).failed == ()
    assert Rehearsal((bad, fine, odd)).outcome is Outcome.FAILED and Rehearsal((bad, fine)).failed == (bad,)
