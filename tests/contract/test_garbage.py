"""Garbage for every call: whatever a platform, or something before it, answers, it ends in a class of ours, soon, in
little memory, and is never read as “no new posts” or as “published”.

Nothing here knows a platform; the calls are in test_garbage_kit.py, the garbage is the simulator's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from forwarder_core.bounds import LONGEST_WAIT_S
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Reconciled, Trace
from forwarder_core.errors import Invalid, StepFailed, failure_classes
from forwarder_core.simulator.testing import Simulator
from tests.contract.test_connectors_kit import hurried, make_clip
from tests.contract.test_garbage_kit import CALLS, Call, Road, any_calls

GARBAGE: dict[str, dict[str, Any]] = {
    "wrong_json": {},
    "a list": {"fault": "wrong_json", "body": []},
    "broken_json": {},
    "html_200": {},
    "empty_200": {},
    "truncated": {},
    "gzip_bomb": {},
    "drip": {},
    "lists for values": {"fault": "wrong_types", "leaf": "list"},
    "numbers for values": {"fault": "wrong_types", "leaf": "number"},
    "nulls for values": {"fault": "wrong_types", "leaf": "null"},
    "wait for ages": {"fault": "http_429", "retry_after": 10**30},
}
# What garbage may be taken for. None of these stops an account, ends a source's post or blames the file.
HARMLESS = {
    "network_error",
    "platform_transient",
    "session_gone",
    "contract_changed",
    "client_outdated",
    "rate_limited",
    "outcome_unknown",
    "proxy_blocked",
}
MOST_SECONDS = 12.0  # an answer may take one, a call is several, a downloader starts Python
MOST_GROWTH_BYTES = 64 << 20
ROADS = [(s.platform, m.name) for s in registry.specs().values() if s.hosts for m in s.auth_methods]
PARAMETERS = [
    pytest.param(road, call, id=f"{road[0]}-{road[1]}-{call.name}")
    for road in ROADS
    for call in CALLS.get(road, any_calls)()
]


@pytest.fixture(scope="module")
def roads(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, str]], Road]:
    made: dict[tuple[str, str], Road] = {}
    folder = tmp_path_factory.mktemp("garbage")
    clip = make_clip(folder, 71)

    def road(name: tuple[str, str]) -> Road:
        if name not in made:
            made[name] = Road(simulator, *name, clip, folder)
        return made[name]

    return road


def test_the_table_is_about_roads_there_are() -> None:
    assert set(CALLS) <= set(ROADS)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "call"), PARAMETERS)
def test_garbage_is_told_from_an_answer(
    name: tuple[str, str],
    call: Call,
    roads: Callable[[tuple[str, str]], Road],
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried(monkeypatch)
    assert all_trouble(roads(name), call, simulator) == []


def all_trouble(road: Road, call: Call, simulator: Simulator) -> list[str]:
    garbage = {what: value for what, value in GARBAGE.items() if not call.only or what in call.only}
    return [
        f"{what}: {text}" for what, value in garbage.items() if (text := trouble(road, call, simulator, value, what))
    ]


def trouble(road: Road, call: Call, simulator: Simulator, value: dict[str, Any], what: str) -> str:
    """What is wrong with how the call ended; "" where nothing is."""
    if call.opens_first:
        road.open_one()
    before = road.live()
    fault = str(value.get("fault", what))
    more = {key: each for key, each in value.items() if key != "fault"}
    simulator.arm(fault, count=None, match=call.match(road), **more)
    began = time.monotonic()
    with memory() as grown:
        ended = outcome(road, call)
    seconds = time.monotonic() - began
    simulator.disarm()
    if seconds > MOST_SECONDS:
        return f"took {seconds:.1f} s"
    if grown() > MOST_GROWTH_BYTES:
        return f"took {grown() >> 20} MiB"
    return judged(road, call, ended, is_published=bool(road.live() - before))


def outcome(road: Road, call: Call) -> Any:
    try:
        return call.act(road)
    except Exception as e:  # noqa: BLE001 - which exceptions leave a connector is what is tested
        return e


def judged(road: Road, call: Call, ended: Any, *, is_published: bool) -> str:
    if isinstance(ended, Exception):
        if call.is_by_hand and isinstance(ended, Invalid):
            return ""
        if not isinstance(ended, StepFailed):
            return f"left as {type(ended).__name__}: {ended!s:.200}"
        if ended.code not in HARMLESS or ended.code not in failure_classes():
            return f"was taken for {ended.code}: {ended} ({ended.raw})"
        if ended.retry_after_s is not None and not 0 < ended.retry_after_s <= LONGEST_WAIT_S:
            return f"would wait {ended.retry_after_s} s"
        if is_published and ended.code != "outcome_unknown":
            return f"is published, and said to be {ended.code}"
        return ""
    if isinstance(ended, Reconciled) and ended.trace is Trace.NOT_FOUND:
        return f"was taken for “not there”: {ended.evidence}"
    return "" if call.is_true(road, ended) else f"was taken for {ended!s:.300}"


@contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """How far the process grew at its peak, in bytes, beyond what it held at the beginning."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    began = _status("VmRSS")
    yield lambda: _status("VmHWM") - began


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
