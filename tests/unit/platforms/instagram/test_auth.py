"""The account form of Instagram: what may be typed in, and what is stored of it."""

from __future__ import annotations

import pytest

from forwarder_core.errors import Invalid
from forwarder_core.platforms.instagram.auth import secrets_from_form

SESSION = "40000007919%3AabcdefghijklmN%3A12%3Adeadbeef"


def refused(**fields: str) -> set[str]:
    with pytest.raises(Invalid) as caught:
        secrets_from_form(fields)
    return {field.field for field in caught.value.fields}


def test_a_password_is_kept_as_typed() -> None:
    assert secrets_from_form({"password": " with spaces ", "session_id": "", "totp_seed": " "}) == {
        "password": " with spaces "
    }


@pytest.mark.parametrize("typed", [SESSION, SESSION.replace("%3A", ":"), f" sessionid={SESSION}; ", f'"{SESSION}"'])
def test_a_session_id_is_stored_percent_encoded(typed: str) -> None:
    assert secrets_from_form({"session_id": typed}) == {"session_id": SESSION}


@pytest.mark.parametrize("typed", ["short", "40000007919", "x" * 40, "12345%3Ashort"])
def test_what_is_no_session_id_is_refused(typed: str) -> None:
    assert refused(session_id=typed) == {"credentials.session_id"}


@pytest.mark.parametrize(
    "typed",
    [
        "jbsw y3dp ehpk 3pxp",
        "JBSW-Y3DP-EHPK-3PXP",
        "JBSWY3DPEHPK3PXP",
        "otpauth://totp/Instagram:me?secret=JBSWY3DPEHPK3PXP&issuer=Instagram",
    ],
)
def test_a_two_factor_secret_is_stored_plain(typed: str) -> None:
    assert secrets_from_form({"password": "x", "totp_seed": typed})["totp_seed"] == "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize("typed", ["123456", "not base32!", "otpauth://totp/x?issuer=y", "A"])
def test_what_is_no_two_factor_secret_is_refused(typed: str) -> None:
    assert refused(password="x", totp_seed=typed) == {"credentials.totp_seed"}


def test_one_of_password_and_session_id_is_needed() -> None:
    assert refused() == refused(totp_seed="JBSWY3DPEHPK3PXP") == {"credentials.password"}


def test_all_bad_fields_are_named_at_once() -> None:
    assert refused(session_id="x", totp_seed="!", token="y") == {
        "credentials.session_id",
        "credentials.totp_seed",
        "credentials.token",
    }
