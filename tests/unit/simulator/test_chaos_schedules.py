"""What a drill will do is fixed by its seed: the orders in which everything starts, the troubles of machines."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forwarder_core.services.tunables import ALL
from forwarder_core.simulator.chaos import Drill
from forwarder_core.simulator.chaos_hosts import SILENT_S, Trouble, load_of, schedule
from forwarder_core.simulator.chaos_orders import CORE, orders_of


def drill(seed: int) -> Drill:
    return cast(Drill, SimpleNamespace(draw=Random(seed)))


def test_all_orders_are_all_orders_each_once() -> None:
    every = orders_of(drill(1), 120)
    assert len(set(map(tuple, every))) == 120
    assert all(set(order) == set(CORE) for order in every)


def test_a_seed_repeats_its_orders() -> None:
    assert orders_of(drill(3), 7) == orders_of(drill(3), 7) != orders_of(drill(4), 7)


@pytest.mark.parametrize(("kills", "forgets"), [(2, 0), (3, 1), (7, 2)])
def test_machines_are_killed_and_cut_off_before_the_broker_forgets(kills: int, forgets: int) -> None:
    troubles = list(schedule(kills))
    assert troubles[:2] == [Trouble.KILLED, Trouble.CUT_OFF] and len(troubles) == kills
    assert troubles.count(Trouble.FORGETS) == forgets


def test_a_drill_of_machines_stays_within_what_may_be_tuned() -> None:
    tuned: dict[str, Any] = dict(load_of(2).tuned)
    assert tuned["lease.silent_host_s"] == SILENT_S >= ALL["lease.silent_host_s"].least
