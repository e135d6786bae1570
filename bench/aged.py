"""The bench `history`: what a stack costs and how soon it acts, before a past of a million jobs and after.

One stack, 100 connections at rest and six busy ones, measured twice: at rest, latency, forwards. In between its
connections are given a year of jobs with publications, decisions and attempts, five log events each, and 10,000 live
partitions. Ours is after, the baseline before: no ratio shall be beyond 1.1. The facts to know: the analytics of that
year are computed in between, as a system that lived through it had done day by day; and both looks at rest begin at
the same moment of a quarter of an hour, for which the bench waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import create_engine, text

from bench import forward, history, idle, lanes, latency, stack
from bench.figures import row
from forwarder_core.services import analytics_days
from forwarder_core.simulator.drill import Lane
from forwarder_pipelines import partitions

_SETTLE_S = 20.0
_QUARTER_S, _PHASE_S = 900.0, 450.0  # schedules run by the clock; see _until_alike
_POSTS = 5  # of both looks together not so many that the source shows a page more
_AT_ONCE = 5
_VOLLEYS = 5  # the seconds of one hang on when the sensors come round


def measure(rounds: int = 1, jobs: int = history.JOBS) -> dict[str, Any]:
    """`{metric: {ours, baseline, ratio, unit, rounds}}`; a round is a quarter of an hour, and one will do."""
    with stack.running(stack.WHOLE) as up:
        bench = _Bench(up)
        before = [bench.look() for _ in range(rounds)]
        _live_through(up, bench.lanes, jobs or history.JOBS)
        after = [bench.look() for _ in range(rounds)]
    units = {"cpu": "CPU-s", "rest": "% of a core", "memory": "MB"}
    return {
        name: row(
            [value for one in after for value in one[name]],
            [value for one in before for value in one[name]],
            units.get(name.partition("_")[0], "s"),
            digits=3,
        )
        for name in before[0]
    }


class _Bench:
    def __init__(self, up: stack.Stack) -> None:
        self._up = up
        resting = idle.lay(up)
        first = len(resting) + 1
        (quick,) = lanes.lay(up, 1, every_s=latency.EVERY_S, at_once=1, first=first)
        busy = lanes.lay(up, forward.LANES, every_s=forward.EVERY_S, at_once=forward.LANES, first=first + 1)
        self.lanes = [*resting, quick, *busy]
        self._latency, self._forward = latency.Bench(up, quick), forward.Bench(up, busy)
        self._latency.forward(1)  # both warm
        self._forward.forward("compliant", _AT_ONCE)

    def look(self) -> dict[str, list[float]]:
        """Values by metric, the first word of its name telling their unit."""
        self._up.rest(_until_alike(self._up.core.clock.now()))
        rest = idle.look(self._up)
        begun, ended = self._latency.forward(_POSTS)
        many = [self._forward.forward("compliant", _AT_ONCE) for _ in range(_VOLLEYS)]
        return {
            "rest_cpu_of_everything": [sum(rest.cpu.values())],
            "memory_of_everything": [sum(rest.memory.values())],
            "known_to_begun": begun,
            "known_to_live": ended,
            f"wall_of_{_AT_ONCE}_forwards_at_once": [volley.moving_s for volley in many],
            f"cpu_of_a_forward_{_AT_ONCE}_at_once": [volley.cost.cpu_s for volley in many],
        }


def _until_alike(now: datetime) -> float:
    """Seconds until the same moment of a quarter of an hour, so that what runs every five and every fifteen minutes has
    one run in each look at a system that rests, and what runs every hour, in its first quarter, none."""
    second = now.minute * 60 + now.second + now.microsecond / 1e6
    wait = (_PHASE_S - second - _SETTLE_S) % _QUARTER_S + _SETTLE_S
    is_hourly = (second + wait) % 3_600 < _QUARTER_S
    return wait + _QUARTER_S if is_hourly else wait


def _live_through(up: stack.Stack, lived: Sequence[Lane], jobs: int) -> None:
    dagster = create_engine(up.running.databases.dagster)
    of = history.Lanes([lane.connection_id for lane in lived], [lane.source.account_id for lane in lived])
    history.fill(up.core, dagster, of, jobs, partitions=partitions.posts.name or "")
    analytics_days.catch_up(up.core)
    with dagster.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.execute(text("CHECKPOINT"))
    dagster.dispose()
    up.core.engine.dispose()  # what the filling's sessions hold of memory is not the stack's
