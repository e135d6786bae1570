"""What a soak says of cost and waits, and what a calm one leaves out."""

from __future__ import annotations

from forwarder_core.simulator.soak import SoakPlan
from forwarder_core.simulator.soak_figures import Figures


def test_waits_are_told_by_their_middle_and_by_nineteen_of_twenty() -> None:
    told = Figures(cpu_s=0.51239, begun_s=range(1, 21), live_s=()).as_dict()
    assert told == {
        "cpu_s_per_forward": 0.512,
        "known_to_begun_s": {"median": 10.5, "p95": 20},
        "known_to_live_s": {"median": None, "p95": None},
    }


def test_a_calm_soak_has_the_same_posts_and_no_fault() -> None:
    troubled, calm = SoakPlan(seed=1, posts=100), SoakPlan(seed=1, posts=100, is_calm=True)
    assert (troubled.wanted_posts, troubled.wanted_faults) == (100, 20)
    assert (calm.wanted_posts, calm.wanted_faults) == (100, 0)
