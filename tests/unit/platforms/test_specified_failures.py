"""Each line of the functional specification's §4.10.2, as it really arrives: the exception a library raises for it, the
class it becomes, and whether that class is tried again.
"""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httplib2
import httpx
import instagrapi.exceptions as insta
import pytest
import requests
import socks
from googleapiclient.errors import HttpError

from forwarder_core import egress
from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import MediaRejected, Retry, StepFailed, failure_classes
from forwarder_core.media.probe import probe
from forwarder_core.platforms.instagram import errors as instagram
from forwarder_core.platforms.instagram.graph_errors import refusal as meta
from forwarder_core.platforms.youtube import errors as youtube
from forwarder_core.tunnels import TunnelRefused

DIRECT = Exit()
BEHIND = Exit(ProxyAddress("http", "proxy.example", 3128, "user", "hunter2"))
RETRIED = {Retry.BACKOFF, Retry.AS_TOLD}


def on_youtube(error: BaseException, exit_: Exit = DIRECT) -> StepFailed:
    return youtube.failure(error, exit_, datetime.now(UTC))


def on_instagram(error: Exception, exit_: Exit = DIRECT) -> StepFailed:
    return instagram.failure(error, exit_)


def google_said(status: int, reason: str | None = None) -> StepFailed:
    body = {"error": {"errors": [{"reason": reason}]}} if reason else {}
    return on_youtube(HttpError(httplib2.Response({"status": str(status)}), json.dumps(body).encode()))


def insta_said(kind: type[insta.ClientError], status: int, **words: str) -> StepFailed:
    answer: Any = SimpleNamespace(status_code=status, url="https://i.instagram.com/", text="", headers={})
    return on_instagram(kind(response=answer, **words))


def meta_said(status: int) -> StepFailed:
    return meta(status, {}, b"")


LINES: list[tuple[str, StepFailed, str, bool]] = [
    # 1. Network errors
    ("connection timeout", on_instagram(requests.ConnectTimeout("slow")), "network_error", True),
    ("connection timeout", on_youtube(TimeoutError("timed out")), "network_error", True),
    ("connection timeout", egress.network_failure(httpx.ConnectTimeout("slow"), DIRECT), "network_error", True),
    ("DNS resolution failure", on_youtube(socket.gaierror(-2, "unknown")), "network_error", True),
    ("DNS resolution failure", on_youtube(httplib2.ServerNotFoundError("x")), "network_error", True),
    ("DNS resolution failure", egress.network_failure(httpx.ConnectError("[Errno -2]"), DIRECT), "network_error", True),
    ("TLS handshake failure", on_youtube(ssl.SSLError("handshake failure")), "network_error", True),
    ("TLS handshake failure", on_instagram(requests.exceptions.SSLError("handshake")), "network_error", True),
    ("socket errors", on_youtube(ConnectionResetError("reset")), "network_error", True),
    ("socket errors", on_instagram(ConnectionResetError("reset")), "network_error", True),
    ("socket errors", egress.network_failure(httpx.ReadError("reset"), DIRECT), "network_error", True),
    # 2. API errors
    ("HTTP 429", google_said(429), "rate_limited", True),
    ("HTTP 429", insta_said(insta.ClientThrottledError, 429), "rate_limited", True),
    ("HTTP 429", meta_said(429), "rate_limited", True),
    *[(f"HTTP {status}", google_said(status), "platform_transient", True) for status in (500, 502, 503)],
    *[(f"HTTP {s}", insta_said(insta.ClientError, s), "platform_transient", True) for s in (500, 502, 503)],
    *[(f"HTTP {status}", meta_said(status), "platform_transient", True) for status in (500, 502, 503)],
    ("HTTP 401", google_said(401), "token_expired", False),
    ("HTTP 401", insta_said(insta.ClientUnauthorizedError, 401), "token_expired", False),
    ("HTTP 401", meta_said(401), "token_expired", False),
    # 3. Platform-specific errors
    (
        "challenge_required",
        insta_said(insta.ChallengeRequired, 400, message="challenge_required"),
        "captcha_detected",
        False,
    ),
    ("quota_exceeded", google_said(403, "quotaExceeded"), "quota_exhausted", True),
    ("login_required", insta_said(insta.LoginRequired, 403, message="login_required"), "token_expired", False),
    # 5. Proxy errors
    ("proxy authentication failed", on_youtube(TunnelRefused("login", "407"), BEHIND), "proxy_error", True),
    ("proxy authentication failed", on_instagram(requests.exceptions.ProxyError("407"), BEHIND), "proxy_error", True),
    ("proxy authentication failed", egress.network_failure(httpx.ProxyError("407"), BEHIND), "proxy_error", True),
    ("proxy connection timeout", on_youtube(TunnelRefused("unreachable", "timed out"), BEHIND), "proxy_error", True),
    ("proxy connection timeout", egress.network_failure(httpx.ConnectTimeout("slow"), BEHIND), "proxy_error", True),
    ("proxy returned error", on_youtube(TunnelRefused("denied", "502"), BEHIND), "proxy_error", True),
    ("proxy returned error", on_instagram(socks.GeneralProxyError("502"), BEHIND), "proxy_error", True),
    ("proxy returned error", egress.network_failure(httpx.ConnectError("refused"), BEHIND), "proxy_error", True),
]


@pytest.mark.parametrize(
    ("line", "failure", "code", "is_retried"), LINES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_each_line_has_its_class(line: str, failure: StepFailed, code: str, is_retried: bool) -> None:
    assert failure.code == code
    assert (failure.retry in RETRIED) is is_retried
    assert "hunter2" not in f"{failure} {failure.raw}"


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\x00\x00\x00\x18ftypisom" + bytes(64)])
def test_a_file_that_is_corrupt_or_of_no_known_codec_is_rejected(content: bytes, tmp_path: Path) -> None:
    """4. File processing errors; what ffmpeg itself fails at is in tests/integration/test_media_hostile.py."""
    file = tmp_path / "clip.mp4"
    file.write_bytes(content)
    with pytest.raises(MediaRejected) as caught:
        probe(file)
    assert caught.value.retry is Retry.NEVER


@pytest.mark.parametrize(
    ("word", "code", "is_retried"),
    [
        ("network_timeout", "network_error", True),
        ("api_rate_limit", "rate_limited", True),
        ("token_expired", "token_expired", False),
        ("proxy_error", "proxy_error", True),
        ("captcha_detected", "captcha_detected", False),
        ("video_too_large", "media_rejected", False),
        ("account_suspended", "account_suspended", False),
    ],
)
def test_each_word_of_the_clients_own_table_is_as_retriable_as_it_says(word: str, code: str, is_retried: bool) -> None:
    assert (failure_classes()[code].retry in RETRIED) is is_retried, word
