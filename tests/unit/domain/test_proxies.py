"""Which proxy a call takes, whose way out is which, and when a proxy is not well."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder_core.domain.proxies import (
    Assignment,
    Blame,
    End,
    Health,
    Mode,
    Proxy,
    ProxyPolicy,
    ProxyType,
    Test,
    Use,
    Verdict,
    average_latency_ms,
    choose,
    conflict,
    health_after,
    verdict,
    way_of,
)

POOL = (7, 8, 9, 10)
INSTAGRAM = End(account_id=1, alias="travel", platform="instagram", proxy_id=None)
YOUTUBE = End(account_id=2, alias="shorts", platform="youtube", proxy_id=None)


def use(n: int = 1, proxy_id: int | None = None, **policy: Any) -> Use:
    return Use(
        connection_id=n,
        name=f"connection {n}",
        status="active",
        status_reason=None,
        proxy_id=proxy_id,
        policy=ProxyPolicy(**policy),
        source=INSTAGRAM,
        destination=YOUTUBE,
    )


def probed(blame: Blame, latency_ms: int | None = None) -> Test:
    return Test(endpoint="https://example.com", blame=blame, latency_ms=latency_ms)


def test_round_robin_takes_one_after_the_other() -> None:
    assert [choose(Mode.ROUND_ROBIN, POOL, key=1, turn=n) for n in range(6)] == [7, 8, 9, 10, 7, 8]


def test_random_spreads_over_the_pool_and_is_the_same_for_the_same_job() -> None:
    first = [choose(Mode.RANDOM, POOL, key=1, turn=n) for n in range(400)]

    assert first == [choose(Mode.RANDOM, POOL, key=1, turn=n) for n in range(400)]
    assert set(first) == set(POOL) and min(Counter(first).values()) > 60


def test_least_used_takes_the_one_with_the_fewest_uses_and_of_equals_the_first() -> None:
    assert choose(Mode.LEAST_USED, POOL, key=1, uses={7: 3, 8: 1, 9: 2, 10: 1}) == 8


def test_sticky_keeps_the_preferred_one_while_it_is_usable() -> None:
    assert choose(Mode.STICKY, POOL, key=1, turn=5, preferred=9) == 9
    assert choose(Mode.STICKY, (7, 8), key=1, preferred=9) in (7, 8)


def test_a_proxy_that_leaves_moves_only_those_who_were_on_it() -> None:
    before = {key: choose(Mode.STICKY, POOL, key=key) for key in range(200)}
    after = {key: choose(Mode.STICKY, (7, 8, 10), key=key) for key in range(200)}

    assert set(before.values()) == set(POOL)
    assert all(after[key] == before[key] for key in before if before[key] != 9)


@pytest.mark.parametrize("mode", Mode)
def test_an_empty_pool_gives_none(mode: Mode) -> None:
    assert choose(mode, (), key=1) is None


def test_the_connection_goes_before_the_account_and_the_account_before_the_global_ones() -> None:
    owner = End(account_id=2, alias="shorts", platform="youtube", proxy_id=5)
    own, bare = use(1, proxy_id=9, pool=(7, 8)), use(2)

    by_connection, by_account = way_of(owner, own, [own], (1, 2)), way_of(owner, bare, [bare], (1, 2))
    by_global = way_of(YOUTUBE, bare, [bare], (1, 2))

    assert by_connection and by_connection.pool == (9, 7, 8) and by_connection.preferred == 9
    assert by_account and by_account.pool == (5,)
    assert by_global and by_global.pool == (1, 2)
    assert way_of(YOUTUBE, bare, [bare], ()) is None


def test_an_instagram_account_has_one_way_out_whichever_of_its_connections_asks() -> None:
    with_pool, bare = use(1, pool=POOL, mode=Mode.ROUND_ROBIN), use(2)

    ways = [way_of(INSTAGRAM, asking, [with_pool, bare], (1,)) for asking in (with_pool, bare, None)]

    assert ways[0] is not None and ways[0] == ways[1] == ways[2]
    assert ways[0].policy.mode is Mode.STICKY and ways[0].key == INSTAGRAM.account_id
    assert way_of(YOUTUBE, with_pool, [with_pool], ()).policy.mode is Mode.ROUND_ROBIN  # type: ignore[union-attr]


def test_a_second_exit_for_an_instagram_account_is_refused_with_the_reason() -> None:
    other = use(1, proxy_id=7)
    owner = End(account_id=1, alias="travel", platform="instagram", proxy_id=7)

    assert "connection 1 takes account travel through another proxy" in str(conflict(INSTAGRAM, (8,), [other]))
    assert "a proxy of its own" in str(conflict(owner, (8,), []))
    assert conflict(INSTAGRAM, (7,), [other]) is None
    assert conflict(owner, (7,), [other]) is None
    assert conflict(INSTAGRAM, (), [other]) is None
    assert conflict(YOUTUBE, (8,), [other]) is None


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ([Blame.NOBODY, Blame.NOBODY], Verdict.PASSED),
        ([Blame.NOBODY, Blame.TARGET], Verdict.PASSED),
        ([Blame.NOBODY, Blame.PROXY], Verdict.FAILED),
        ([Blame.TARGET, Blame.TARGET], Verdict.FAILED),
        ([Blame.NETWORK, Blame.NETWORK], Verdict.UNKNOWN),
        ([Blame.NETWORK, Blame.PROXY], Verdict.FAILED),
    ],
)
def test_only_the_proxys_own_trouble_or_no_target_at_all_fails_a_check(tests: list[Blame], expected: Verdict) -> None:
    assert verdict([probed(blame) for blame in tests]) is expected


def test_the_average_is_of_the_targets_that_were_reached() -> None:
    assert average_latency_ms([probed(Blame.NOBODY, 142), probed(Blame.NOBODY, 156), probed(Blame.TARGET, 900)]) == 149
    assert average_latency_ms([probed(Blame.PROXY)]) is None


def test_three_failures_in_a_row_make_it_unhealthy_and_one_success_well() -> None:
    seen = []
    proxy = Proxy(
        id=1,
        alias="a",
        type=ProxyType.HTTP,
        host="192.0.2.1",
        port=8080,
        has_login=False,
        assignment=Assignment.GLOBAL,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        health=Health.HEALTHY,
    )
    for passed in (False, False, True, False, False, False):
        health, failures = health_after(proxy, passed)
        seen.append((health, failures))
        proxy = Proxy(
            **{n: getattr(proxy, n) for n in proxy.__dataclass_fields__}
            | {"health": health, "consecutive_failures": failures}
        )
    healthy, unhealthy = Health.HEALTHY, Health.UNHEALTHY
    assert seen == [(healthy, 1), (healthy, 2), (healthy, 0), (healthy, 1), (healthy, 2), (unhealthy, 3)]


def test_a_policy_is_read_as_the_specification_writes_it() -> None:
    stored = {"mode": "round_robin", "pool": [7, 8, 9, 10], "fallback_to_direct": False, "max_retry_per_proxy": 2}

    assert ProxyPolicy.of(stored).as_dict() == stored
    assert ProxyPolicy.of({}) == ProxyPolicy(mode=Mode.STICKY, pool=(), fallback_to_direct=False)


@pytest.mark.parametrize(
    "bad",
    [{"mode": "fastest"}, {"pool": "7"}, {"pool": [0]}, {"pool": ["x"]}, {"max_retry_per_proxy": 0}, {"pools": []}],
)
def test_a_policy_that_cannot_be_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ProxyPolicy.of(bad)
