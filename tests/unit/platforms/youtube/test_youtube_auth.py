"""The two JSON files of the account form: what is taken from them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forwarder_core.errors import Invalid
from forwarder_core.platforms.youtube.auth import SCOPES, secrets_from_form

CLIENT = {"client_id": "12-ab.apps.googleusercontent.com", "client_secret": "GOCSPX-abc"}
TOKEN = {"refresh_token": "1//xyz"}


def client(kind: str = "installed", **more: Any) -> str:
    return json.dumps({kind: CLIENT | more})


def token(**more: Any) -> str:
    return json.dumps(TOKEN | more)


@pytest.mark.parametrize("kind", ["installed", "web"])
def test_both_kinds_of_client_are_taken(kind: str) -> None:
    text = client(
        kind,
        auth_uri="https://accounts.google.com/o/oauth2/auth",
        token_uri="https://oauth2.googleapis.com/token",
        redirect_uris=["http://localhost:8080/oauth2callback"],
    )
    assert secrets_from_form({"oauth_client": text, "token": ""}) == CLIENT | {
        "client_kind": kind,
        "redirect_uris": "http://localhost:8080/oauth2callback",
    }


@pytest.mark.parametrize(
    ("given", "access"),
    [
        ({"token": "ya29.a", "expiry": "2026-11-20T10:00:00Z"}, True),
        ({"token": "ya29.a", "expiry": "2026-11-20T10:00:00.123456"}, True),
        ({"access_token": "ya29.a", "token_expiry": "2026-11-20T12:00:00+02:00"}, True),
        ({"access_token": "ya29.a", "expires_in": 3599, "token_type": "Bearer"}, False),
        ({"token": "ya29.a", "expiry": "soon"}, False),
        ({}, False),
    ],
)
def test_every_common_form_of_a_token_is_taken(given: dict[str, Any], access: bool) -> None:
    secrets = secrets_from_form({"oauth_client": client(), "token": token(**given)})
    assert secrets.pop("access_token", None) == ("ya29.a" if access else None)
    assert str(secrets.pop("access_token_expiry", "2026-11-20T10:00:00+00:00")).startswith("2026-11-20T10:00:00")
    assert secrets == CLIENT | TOKEN | {"client_kind": "installed", "redirect_uris": ""}


def test_a_token_file_may_bring_its_client_along() -> None:
    assert secrets_from_form({"token": token(**CLIENT)}) == CLIENT | TOKEN


def test_enough_permissions_are_enough_in_either_form() -> None:
    for scopes in (list(SCOPES), " ".join(SCOPES), "https://www.googleapis.com/auth/youtube"):
        named = " ".join(scopes) if isinstance(scopes, list) else scopes
        assert secrets_from_form({"token": token(scopes=scopes)}) == {**TOKEN, "scopes": named}


@pytest.mark.parametrize(
    "text",
    [
        client(token_uri="http://oauth2.googleapis.com/token"),
        client(token_uri="https://127.0.0.1:9/token"),
        client(token_uri="https://oauth2.googleapis.com.evil.example/token"),
        client(token_uri="https://oauth2.googleapis.com@evil.example/token"),
        client(token_uri="https://oauth2.googleapis.com:444/token"),
        client(auth_uri="https://evil.example/auth"),
        client(auth_uri="https://[::1"),
        client(auth_uri=None),
        client(auth_uri=["https://accounts.google.com/"]),
        client(client_id=""),
        client(client_secret=12),
        client(client_secret="a\nb"),
        client(client_id="x" * 3000),
        client("service_account"),
        json.dumps({"installed": CLIENT, "web": CLIENT}),
        json.dumps({"installed": [CLIENT]}),
        json.dumps([CLIENT]),
        "<html></html>",
        '{"installed": NaN}',
        "[" * 30_000,
        client(padding="x" * 70_000),
        "PK\x03\x04",
    ],
)
def test_any_other_client_file_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        secrets_from_form({"oauth_client": text})
    assert [each.field for each in caught.value.fields] == ["oauth_client"]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        token(refresh_token=None),
        token(client_id="other.apps.googleusercontent.com"),
        token(scopes=[SCOPES[1]]),
        token(scopes=[SCOPES[0]]),
        token(scopes={"a": 1}),
        "null",
        "x" * 70_000,
    ],
)
def test_any_other_token_file_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        secrets_from_form({"oauth_client": client(), "token": text})
    assert [each.field for each in caught.value.fields] == ["token"]


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(Invalid):
        secrets_from_form({})


COOKIE = ".youtube.com\tTRUE\t/\tTRUE\t1800000000\tSID\tg.a000"


def test_cookies_of_youtube_are_taken_and_others_left_out() -> None:
    text = f"# Netscape HTTP Cookie File\r\n\r\n{COOKIE}\r\n.bank.example\tTRUE\t/\tTRUE\t0\tkey\tvalue\r\n"
    secrets = secrets_from_form({"cookies": text})
    assert secrets == {"cookies": f"# Netscape HTTP Cookie File\n{COOKIE}\n"}


@pytest.mark.parametrize(
    "text",
    ["{}", "SID=g.a000", ".bank.example\tTRUE\t/\tTRUE\t0\tkey\tvalue", ".notyoutube.com" + COOKIE[12:], "x" * 300_000],
)
def test_any_other_cookie_file_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        secrets_from_form({"cookies": text})
    assert [each.field for each in caught.value.fields] == ["cookies"]


@pytest.mark.parametrize("uris", ["https://a.example", [1], ["https://a.example/\n"]])
def test_addresses_of_a_client_file_must_be_a_list_of_addresses(uris: Any) -> None:
    with pytest.raises(Invalid):
        secrets_from_form({"oauth_client": client("web", redirect_uris=uris)})
