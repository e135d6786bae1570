"""Which platform answers under which name."""

from __future__ import annotations

import pytest

from forwarder_core.simulator.hosts import HostTable, SharedHost, is_loopback, without_port

TABLE = HostTable({"instagram": ["i.instagram.com", "*.cdninstagram.com"], "youtube": ["www.googleapis.com"]})


@pytest.mark.parametrize(
    ("host", "platform"),
    [
        ("i.instagram.com", "instagram"),
        ("I.Instagram.com.", "instagram"),
        ("scontent-1.cdninstagram.com", "instagram"),
        ("a.b.cdninstagram.com", None),  # as in the certificate, a star is one label
        ("cdninstagram.com", None),
        ("www.googleapis.com", "youtube"),
        ("example.com", None),
        ("", None),
    ],
)
def test_a_name_leads_to_its_platform(host: str, platform: str | None) -> None:
    assert TABLE.platform(host) == platform


def test_an_exact_name_wins_over_a_star() -> None:
    table = HostTable({"one": ["*.x.example"], "two": ["a.x.example"]})

    assert (table.platform("a.x.example"), table.platform("b.x.example")) == ("two", "one")


def test_two_platforms_cannot_share_a_name() -> None:
    with pytest.raises(SharedHost, match=r"one and two both claim the host x\.example"):
        HostTable({"one": ["x.example"], "two": ["x.example"]})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_this_machine_is_told_from_the_world(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback("i.instagram.com")


def test_a_port_is_no_part_of_the_name() -> None:
    assert without_port("i.instagram.com:443") == "i.instagram.com"
    assert without_port("[::1]:80") == "[::1]"
