"""Faults strike where they are armed, and as often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from forwarder_core.simulator.faults import Place
from forwarder_core.simulator.journal import RequestEntry, current
from forwarder_core.simulator.world import SimulatedWorld


@pytest.mark.parametrize(
    ("armed", "here", "is_hit"),
    [
        (Place(), Place(platform="youtube", route="/x"), True),
        (Place(platform="youtube"), Place(platform="instagram"), False),
        (Place(route="/api/v1/clips"), Place(route="/api/v1/clips/user/"), True),
        (Place(route="/api/v1/clips"), Place(route="/api/v1/media"), False),
        (Place(route="*/info/"), Place(route="/api/v1/media/1/info/"), True),
        (Place(route="*/info/"), Place(), False),
        (Place(account="7"), Place(account="7"), True),
        (Place(account="7"), Place(), False),
        (Place(host="*.instagram.com"), Place(host="i.instagram.com"), True),
        (Place(host="*.instagram.com"), Place(host="www.googleapis.com"), False),
        (Place(proxy="8100"), Place(proxy="8101"), False),
    ],
)
def test_a_fault_strikes_where_its_place_covers(armed: Place, here: Place, is_hit: bool) -> None:
    assert armed.covers(here) is is_hit


def test_a_fault_strikes_as_often_as_armed(world: SimulatedWorld) -> None:
    world.faults.arm("quota", Place(platform="youtube"), count=2, value={"reason": "quotaExceeded"})

    struck = [world.take_fault("youtube", "/upload", None, "quota", "duplicate") for _ in range(3)]

    assert [fault and (fault.name, fault.value) for fault in struck] == [
        ("quota", {"reason": "quotaExceeded"}),
        ("quota", {"reason": "quotaExceeded"}),
        None,
    ]
    assert [(fault.remaining, fault.hits) for fault in world.faults.armed()] == [(0, 2)]


def test_a_fault_without_a_count_strikes_until_deleted(world: SimulatedWorld) -> None:
    armed = world.faults.arm("quota", Place(), count=None, value={})

    assert all(world.take_fault("youtube", "/", None, "quota") for _ in range(20))

    assert world.faults.disarm(armed.id) == 1
    assert world.take_fault("youtube", "/", None, "quota") is None


def test_only_the_asked_names_are_taken(world: SimulatedWorld) -> None:
    world.faults.arm("quota", Place(), value={})

    assert world.take_fault("youtube", "/", None, "duplicate") is None


def test_a_fault_on_an_account_is_found_by_its_name_too(world: SimulatedWorld) -> None:
    account = world.add_account("instagram", "alice")
    world.faults.arm("challenge", Place(platform="instagram", account=account.id), count=2, value={})

    assert world.take_fault("instagram", "/", "bob", "challenge") is None
    assert world.take_fault("instagram", "/", "alice", "challenge")
    assert world.take_fault("instagram", "/", account.id, "challenge")


def test_one_strike_is_one_strike_however_many_ask_together(world: SimulatedWorld) -> None:
    world.faults.arm("quota", Place(), count=3, value={})

    with ThreadPoolExecutor(8) as pool:
        struck = list(pool.map(lambda _: world.take_fault("youtube", "/", None, "quota"), range(40)))

    assert sum(fault is not None for fault in struck) == 3


def test_what_struck_and_whose_request_it_was_stands_in_the_log(world: SimulatedWorld) -> None:
    world.faults.arm("quota", Place(), value={})
    entry = RequestEntry(at=world.now(), client="c", host="h", method="GET", path="/")
    token = current.set(entry)

    world.take_fault("youtube", "/", None, "quota")
    world.saw("youtube", "UC1")

    current.reset(token)
    assert (entry.faults, entry.platform, entry.account) == (["quota"], "youtube", "UC1")
