"""Which names the door answers to, and where a sign-in may lead."""

from __future__ import annotations

import pytest

from admin_app.door.origins import Origins, safe_next
from forwarder_core.settings import Settings

LOCAL = Origins.of(Settings())
PUBLIC = Origins.of(Settings(bind="0.0.0.0:8080", public_url="https://forwarder.example.com"))


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:9999", "[::1]:8080", "localhost."])
def test_the_door_answers_to_this_machine(host: str) -> None:
    assert LOCAL.answers_to(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil", "10.0.0.5", "a@localhost", "localhost:x"]
)
def test_the_door_answers_to_no_other_name(host: str) -> None:
    assert not LOCAL.answers_to(host)


def test_bound_to_every_address_it_answers_to_addresses_and_its_public_name() -> None:
    assert PUBLIC.answers_to("192.168.1.5:8080") and PUBLIC.answers_to("forwarder.example.com")
    assert not PUBLIC.answers_to("rebound.evil.example:8080") and not PUBLIC.answers_to("0x7f000001")


def test_only_pages_of_the_door_itself_are_its_own() -> None:
    assert LOCAL.is_own("http://127.0.0.1:8080", "127.0.0.1:8080")
    assert PUBLIC.is_own("https://forwarder.example.com", "127.0.0.1:8080")
    for origin in ("null", "https://evil.example", "http://127.0.0.1:3000", "http://127.0.0.1:8080.evil.example", ""):
        assert not LOCAL.is_own(origin, "127.0.0.1:8080")


@pytest.mark.parametrize("wanted", ["/jobs/5", "/jobs?id=5&x=%C3%BC", "/dagster/runs/abc"])
def test_a_path_of_ours_is_kept(wanted: str) -> None:
    assert safe_next(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        *(None, "", "//evil.example", "https:evil.example", "https://evil.example", "/\\evil.example", "\\\\evil"),
        *("%2f%2fevil", "/%2fevil", "/%5cevil", "/x\r\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:a=b", "javascript:a()"),
        *("/login", "/logout", "/login?next=/x", "/" + "a" * 3_000, "/ü"),
    ],
)
def test_anything_else_leads_to_the_first_page(wanted: str | None) -> None:
    assert safe_next(wanted) == "/"
