"""A token does what its scope holds, from where it may come."""

from __future__ import annotations

import pytest

from forwarder_core.domain.machines import Scope, bad_networks, may_come_from, needed, widest


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/jobs", Scope.READ),
        ("HEAD", "/metrics", Scope.READ),
        ("POST", "/api/jobs/1/retry", Scope.WRITE),
        ("GET", "/api/settings", Scope.READ),
        ("PUT", "/api/settings/telegram", Scope.ADMIN),
        ("GET", "/api/api-tokens", Scope.ADMIN),
        ("PUT", "/api/admin/password", Scope.ADMIN),
        ("DELETE", "/api/webhooks/1", Scope.ADMIN),
        ("POST", "/api/settingsx", Scope.WRITE),
    ],
)
def test_what_a_call_needs(method: str, path: str, scope: Scope) -> None:
    assert needed(method, path) is scope


def test_a_scope_holds_those_before_it() -> None:
    assert Scope.WRITE.held == (Scope.READ, Scope.WRITE)
    assert widest([Scope.READ, Scope.ADMIN, Scope.WRITE]) is Scope.ADMIN


def test_addresses_are_looked_up_in_networks() -> None:
    assert may_come_from("anything", ())
    assert may_come_from("::ffff:203.0.113.9", ["203.0.113.0/24"])
    assert not may_come_from("203.0.114.9", ["203.0.113.0/24"]) and not may_come_from("unknown", ["0.0.0.0/0"])
    assert bad_networks(["203.0.113.1", "x", 7]) == ["x", "7"] and bad_networks("x") == ["x"]
