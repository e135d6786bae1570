"""Which of an account's secrets the logs mask: all but what is no secret by itself."""

from __future__ import annotations

import pytest

from forwarder_core import logs
from forwarder_core.connectors import registry
from forwarder_core.logs import redact
from forwarder_core.services.credentials import remember

SECRET, PLAIN = "s3cr3t-" + "x" * 20, "17841400000000001"


def test_ids_dates_and_folders_stay_readable_and_secrets_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_live", set())
    plain = {
        "ig_user_id": PLAIN,
        "facebook_page_id": "1234567890",
        "variant": "facebook_login",
        "folder": "/srv/videos",
    }
    dates = {"issued_at": "2026-11-20T10:00:00+00:00", "token_checked_at": "2026-11-21T10:00:00+00:00"}
    remember({**plain, **dates, "access_token": SECRET})
    for text in {**plain, **dates}.values():
        assert redact(f"looked at {text}") == f"looked at {text}"
    assert SECRET not in redact(f"sent {SECRET}")


def test_no_field_that_some_platform_calls_a_secret_is_left_readable() -> None:
    secret = {f.name for s in registry.specs().values() for m in s.auth_methods for f in m.fields if f.is_secret}
    assert not registry.plain_fields() & secret
