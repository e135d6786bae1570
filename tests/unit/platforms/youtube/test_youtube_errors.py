"""One row per mapping: what Google's libraries throw, and the class it must become."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import google.auth.exceptions
import httplib2
import pytest
from googleapiclient.errors import HttpError, ResumableUploadError

from forwarder_core import errors as ours
from forwarder_core.clock import ManualClock
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.platforms.youtube.errors import (
    BY_OAUTH_ERROR,
    BY_REASON,
    failure,
    is_refusal,
    redacted,
    seconds_to_quota_reset,
    translated,
)
from forwarder_core.tunnels import TunnelRefused

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
DIRECT = Exit()
PROXIED = Exit(proxy=ProxyAddress("http", "proxy.example", 3128, "user", "hunter2"))


def http_error(
    status: int,
    reason: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    cls: type[HttpError] = HttpError,
) -> HttpError:
    body = {"error": {"code": status, "message": "words", "errors": [{"reason": reason}]}} if reason else "words"
    answer = httplib2.Response({"status": str(status), **(headers or {})})
    return cls(answer, json.dumps(body).encode(), uri="https://youtube.googleapis.com/x")


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (403, "quotaExceeded", ours.QuotaExhausted),
        (403, "dailyLimitExceeded", ours.QuotaExhausted),
        (400, "uploadLimitExceeded", ours.DestinationDailyLimit),
        (403, "rateLimitExceeded", ours.RateLimited),
        (403, "userRateLimitExceeded", ours.RateLimited),
        (429, "RATE_LIMIT_EXCEEDED", ours.RateLimited),
        (500, "backendError", ours.PlatformTransient),
        (503, "internalError", ours.PlatformTransient),
        (401, "authError", ours.AuthExpired),
        (403, "insufficientPermissions", ours.AuthInvalid),
        (403, "forbidden", ours.AuthInvalid),
        (401, "youtubeSignupRequired", ours.AuthInvalid),
        (403, "accessNotConfigured", ours.AuthInvalid),
        (403, "SERVICE_DISABLED", ours.AuthInvalid),
        (403, "authenticatedUserAccountSuspended", ours.AccountDisabled),
        (403, "authenticatedUserAccountClosed", ours.AccountDisabled),
        (403, "channelSuspended", ours.AccountDisabled),
        (403, "channelClosed", ours.AccountDisabled),
        (404, "channelNotFound", ours.SourceGone),
        (404, "playlistNotFound", ours.SourceGone),
        (404, "videoNotFound", ours.SourceGone),
        (400, "invalidTitle", ours.MetadataRejected),
        (400, "invalidDescription", ours.MetadataRejected),
        (400, "invalidTags", ours.MetadataRejected),
        (400, "invalidCategoryId", ours.MetadataRejected),
        (400, "invalidFilename", ours.MetadataRejected),
        (400, "mediaBodyRequired", ours.MetadataRejected),
        (400, "invalidVideoMetadata", ours.MetadataRejected),
        (413, "uploadTooLarge", ours.MediaRejected),
        (400, "neverHeardOf", ours.ContractChanged),
        (503, "neverHeardOf", ours.PlatformTransient),
        (401, None, ours.AuthExpired),
        (403, None, ours.AuthInvalid),
        (404, None, ours.ContractChanged),
        (407, None, ours.ProxyFailed),
        (408, None, ours.PlatformTransient),
        (413, None, ours.MediaRejected),
        (429, None, ours.RateLimited),
        (502, None, ours.PlatformTransient),
    ],
)
@pytest.mark.parametrize("cls", [HttpError, ResumableUploadError])
def test_each_reason_of_google_becomes_one_class(
    status: int, reason: str | None, expected: type[ours.StepFailed], cls: type[HttpError]
) -> None:
    assert type(failure(http_error(status, reason, cls=cls), DIRECT, NOW)) is expected


def test_no_mapping_is_without_a_row_above() -> None:
    marks = test_each_reason_of_google_becomes_one_class.pytestmark
    rows = next(mark.args[1] for mark in marks if mark.args[0] == ("status", "reason", "expected"))
    assert set(BY_REASON) <= {reason for _, reason, _ in rows}


@pytest.mark.parametrize(
    ("code", "retryable", "expected"),
    [
        ("invalid_grant", False, ours.AuthExpired),
        ("invalid_client", False, ours.AuthExpired),
        ("deleted_client", False, ours.AuthExpired),
        ("disabled_client", False, ours.AuthExpired),
        ("unauthorized_client", False, ours.AuthExpired),
        ("invalid_scope", False, ours.AuthInvalid),
        ("internal_failure", True, ours.PlatformTransient),
        ("<html>503</html>", False, ours.PlatformTransient),
    ],
)
def test_each_oauth_error_becomes_one_class(code: str, retryable: bool, expected: type[ours.StepFailed]) -> None:
    answer = {"error": code, "error_description": "words"}
    error = google.auth.exceptions.RefreshError(f"{code}: words", answer, retryable=retryable)
    assert type(failure(error, DIRECT, NOW)) is expected
    assert set(BY_OAUTH_ERROR) <= {
        "invalid_grant",
        "invalid_client",
        "deleted_client",
        "disabled_client",
        "unauthorized_client",
        "invalid_scope",
    }


@pytest.mark.parametrize(
    ("error", "exit_", "expected"),
    [
        (ConnectionResetError("reset"), DIRECT, ours.NetworkFailed),
        (TimeoutError("timed out"), PROXIED, ours.NetworkFailed),
        (socket.gaierror(-2, "unknown"), DIRECT, ours.NetworkFailed),
        (httplib2.ServerNotFoundError("no host"), DIRECT, ours.NetworkFailed),
        (http.client.IncompleteRead(b""), DIRECT, ours.NetworkFailed),
        (http.client.RemoteDisconnected("closed"), DIRECT, ours.NetworkFailed),
        (ssl.SSLCertVerificationError("self signed"), DIRECT, ours.NetworkFailed),
        (TunnelRefused("unreachable", "refused"), PROXIED, ours.ProxyFailed),
        (TunnelRefused("unreachable", "no host", is_by_target=True), PROXIED, ours.ProxyFailed),
        (FileNotFoundError(2, "gone", "/media/x.mp4"), DIRECT, ours.LocalFailed),
        (google.auth.exceptions.TransportError(TimeoutError("slow")), DIRECT, ours.NetworkFailed),
        (google.auth.exceptions.TransportError(TunnelRefused("unreachable", "refused")), PROXIED, ours.ProxyFailed),
        (google.auth.exceptions.TransportError("words"), DIRECT, ours.NetworkFailed),
    ],
)
def test_each_broken_connection_becomes_one_class(
    error: Exception, exit_: Exit, expected: type[ours.StepFailed]
) -> None:
    assert type(failure(error, exit_, NOW)) is expected


def test_what_leaves_the_folder_is_ours_and_keeps_its_cause() -> None:
    with pytest.raises(ours.NetworkFailed) as caught, translated(DIRECT, ManualClock()):
        raise TimeoutError("slow")
    assert isinstance(caught.value.__cause__, TimeoutError)
    with pytest.raises(ZeroDivisionError), translated(DIRECT, ManualClock()):
        raise ZeroDivisionError


def test_both_forms_of_googles_error_body_are_read() -> None:
    details = [{"@type": "Help"}, {"@type": "ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}]
    body = json.dumps({"error": {"status": "RESOURCE_EXHAUSTED", "details": details}}).encode()
    error = HttpError(httplib2.Response({"status": "400"}), body)
    assert isinstance(failure(error, DIRECT, NOW), ours.RateLimited)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "words"}', b'{"error": {"errors": [1]}}'])
def test_an_odd_error_body_falls_back_to_the_status(body: bytes) -> None:
    error = HttpError(httplib2.Response({"status": "503"}), body)
    assert isinstance(failure(error, DIRECT, NOW), ours.PlatformTransient)
    assert not is_refusal(error)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 20, 10, 0, tzinfo=UTC), 22),  # 02:00 PST
        (datetime(2026, 7, 1, 6, 30, tzinfo=UTC), 0.5),  # 23:30 PDT
        (datetime(2026, 11, 1, 8, 0, tzinfo=UTC), 24),  # the night the clocks go back: 25 h day, 01:00 PDT
    ],
)
def test_the_quota_comes_back_at_midnight_pacific(now: datetime, hours: float) -> None:
    assert seconds_to_quota_reset(now) == hours * 3600
    found = failure(http_error(403, "quotaExceeded"), DIRECT, now)
    assert isinstance(found, ours.QuotaExhausted)
    assert found.retry_after_s == hours * 3600


def test_googles_own_wait_is_kept() -> None:
    told = failure(http_error(429, "rateLimitExceeded", headers={"retry-after": "37"}), DIRECT, NOW)
    assert isinstance(told, ours.RateLimited)
    assert told.retry_after_s == 37
    assert failure(http_error(429), DIRECT, NOW).retry_after_s is None
    assert failure(http_error(400, "uploadLimitExceeded"), DIRECT, NOW).retry_after_s == 24 * 3600


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (http_error(400, "invalidTitle"), True),
        (http_error(403, "quotaExceeded"), True),
        (http_error(401, "authError"), True),
        (http_error(404, "notFound"), False),
        (http_error(408, "timeout"), False),
        (http_error(410, "gone"), False),
        (http_error(400), False),
        (http_error(503, "backendError"), False),
        (google.auth.exceptions.RefreshError("invalid_grant: words"), True),
        (TunnelRefused("unreachable", "refused"), True),
        (ConnectionRefusedError(), True),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (http.client.IncompleteRead(b""), False),
    ],
)
def test_only_a_plain_no_is_a_refusal(error: Exception, refused: bool) -> None:
    assert is_refusal(error) is refused


@pytest.mark.parametrize(
    "secret",
    [
        "https://youtube.googleapis.com/upload?part=a&upload_id=SECRET-x_y&z=1",
        '{"access_token": "SECRET", "a": 1}',
        "refresh_token=SECRET&grant_type=x",
        "'client_secret': 'SECRET'",
        "Authorization: Bearer SECRET.part",
        "token ya29.SECRET-1",
        "token 1//SECRET_2",
        "GOCSPX-SECRET",
    ],
)
def test_raw_words_carry_no_secret(secret: str) -> None:
    assert "SECRET" not in redacted(secret)


def test_raw_words_stay_readable_and_short() -> None:
    assert redacted("HTTP 403, quotaExceeded: reason") == "HTTP 403, quotaExceeded: reason"
    assert len(redacted("x" * 10_000)) == 500


def test_a_proxys_login_is_in_no_message() -> None:
    found: Any = failure(TunnelRefused("unreachable", "refused"), PROXIED, NOW)
    assert "hunter2" not in f"{found} {found.raw}"
    assert "proxy.example:3128" in str(found)
