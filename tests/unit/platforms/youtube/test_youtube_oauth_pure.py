"""The pure parts of the sign-in on Google's page: its address, its answer, and what must be registered first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from forwarder_core.connectors.sign_ins import PendingSignIn
from forwarder_core.errors import Forbidden, Invalid
from forwarder_core.platforms.youtube.auth import SCOPES
from forwarder_core.platforms.youtube.oauth import (
    begin,
    challenge,
    code_of,
    consent_url,
    redirect_warning,
    token_secrets,
)

CALLBACK = "https://forwarder.example.org/oauth2callback"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "access_token": "ya29.a",
    "expires_in": 3599,
    "refresh_token": "1//x",
    "scope": " ".join(SCOPES),
    "token_type": "Bearer",
}


def test_the_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_address_asks_for_a_lasting_token_and_holds_no_verifier() -> None:
    url = consent_url("client", CALLBACK, "state", "verifier", "someone@example.org")
    query = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert (query["access_type"], query["prompt"], query["response_type"]) == ("offline", "consent", "code")
    assert (query["redirect_uri"], query["state"], query["scope"]) == (CALLBACK, "state", " ".join(SCOPES))
    assert (query["code_challenge"], query["code_challenge_method"]) == (challenge("verifier"), "S256")
    assert query["login_hint"] == "someone@example.org"
    assert "verifier" not in url.replace("code_challenge", "")


def test_each_sign_in_has_a_state_and_verifier_of_its_own() -> None:
    one, two = (begin({"client_id": "c"}, CALLBACK).pending for _ in range(2))
    assert one.state != two.state
    assert one.code_verifier != two.code_verifier
    assert 43 <= len(one.code_verifier) <= 128
    assert one.code_verifier not in repr(one)


def test_without_a_client_there_is_nothing_to_begin() -> None:
    with pytest.raises(Invalid) as caught:
        begin({}, CALLBACK)
    assert [each.field for each in caught.value.fields] == ["oauth_client"]


@pytest.mark.parametrize(
    ("kind", "registered", "redirect_uri", "is_warned"),
    [
        ("web", CALLBACK, CALLBACK, False),
        ("web", f"https://other.example {CALLBACK}", CALLBACK, False),
        ("web", f"{CALLBACK}/", CALLBACK, True),
        ("web", "", CALLBACK, True),
        ("installed", "http://localhost", "http://localhost:8080/oauth2callback", False),
        ("installed", "http://localhost", CALLBACK, True),
    ],
)
def test_the_exact_address_to_register_is_named(kind: str, registered: str, redirect_uri: str, is_warned: bool) -> None:
    warning = redirect_warning({"client_kind": kind, "redirect_uris": registered}, redirect_uri)
    assert (warning is not None) == is_warned
    assert warning is None or redirect_uri in warning


def test_only_the_answer_to_this_very_sign_in_counts() -> None:
    pending = PendingSignIn("state", "verifier", CALLBACK)
    assert code_of({"state": "state", "code": "4/x"}, pending) == "4/x"
    for query in ({}, {"code": "4/x"}, {"state": "", "code": "4/x"}, {"state": "ställe", "code": "4/x"}):
        with pytest.raises(Forbidden):
            code_of(query, pending)
    for query in ({"error": "access_denied"}, {"error": "other"}, {}, {"code": ""}):
        with pytest.raises(Invalid):
            code_of(query | {"state": "state"}, pending)


def test_a_token_is_kept_with_its_end() -> None:
    assert token_secrets(ANSWER, NOW) == {
        "refresh_token": "1//x",
        "access_token": "ya29.a",
        "access_token_expiry": "2026-11-20T00:59:59+00:00",
        "issued_at": "2026-11-20T00:00:00+00:00",
        "scopes": " ".join(SCOPES),
    }


def test_the_end_google_gives_a_refresh_token_is_kept_beside_that_of_the_access_token() -> None:
    kept = token_secrets(ANSWER | {"refresh_token_expires_in": 604_799}, NOW)
    assert kept["refresh_token_expiry"] == "2026-11-26T23:59:59+00:00"


@pytest.mark.parametrize("change", [{"scope": SCOPES[0]}, {"scope": ""}, {"refresh_token": None}])
def test_a_token_that_is_not_enough_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        token_secrets(ANSWER | change, NOW)
