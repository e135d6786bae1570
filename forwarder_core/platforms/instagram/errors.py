"""Where every exception of instagrapi ends: each becomes one class of our own tree, by table.

What lives here: the tables by class, by Instagram's own words and by HTTP status, and `translated`, which stands
around every call of the library. What does not: telling network from proxy (`transport`), and any retry.
The fact to know: the class alone misleads. A checkpoint, a wrong two-factor code and an outdated client all arrive as
`UnknownError`, so Instagram's words are asked first and the class second.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, NamedTuple

import instagrapi.exceptions as vendor
import pydantic
import requests
import socks
import urllib3
from curl_cffi import CurlError

from forwarder_core.bounds import told_wait_s
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    AccountDisabled,
    ActionBlocked,
    AuthExpired,
    AuthInvalid,
    Bug,
    ChallengeRequired,
    ClientOutdated,
    ContractChanged,
    ForwarderError,
    LocalFailed,
    MediaRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyBlocked,
    ProxyFailed,
    RateLimited,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.instagram.transport import connection_failure

_RAW_CHARS = 300


class Row(NamedTuple):
    """What an exception becomes, and the sentence the admin reads."""

    becomes: type[StepFailed]
    says: str


_CHALLENGE = Row(ChallengeRequired, "Instagram asks for a confirmation of this account.")
_EXPIRED = Row(AuthExpired, "Instagram has ended the session of this account.")
_GONE = Row(SourceGone, "Instagram does not show this post or profile any more.")
_SLOW_DOWN = Row(RateLimited, "Instagram asks this account to slow down.")
_ODD = Row(PlatformTransient, "Instagram answered with an error.")
_UNREADABLE = Row(ContractChanged, "Instagram's answer has a form the client library does not know.")
_ELSEWHERE = Row(ContractChanged, "Instagram led to an address that is none.")
_REFUSED_FILE = Row(MediaRejected, "Instagram refused the file.")
_BLOCKED = Row(ActionBlocked, "Instagram blocked this action for this account.")
_WRONG_LOGIN = Row(AuthInvalid, "Instagram refused the login.")
_OUTDATED = Row(ClientOutdated, "Instagram does not accept this version of the client library any more.")
_DISABLED = Row(AccountDisabled, "Instagram has suspended this account.")
_PAGE = Row(PlatformTransient, "Instagram answered with a web page or nothing instead of data.")
_ADDRESS_BLOCKED = Row(ProxyBlocked, "Instagram refuses logins from this address.")
_TWO_FACTOR = Row(ChallengeRequired, "Instagram asks for a two-factor code.")
_WRONG_CODE = Row(AuthInvalid, "Instagram refused the two-factor code; check the two-factor secret.")

CONNECTION = Row(NetworkFailed, "")  # judged by `transport`: it takes the exit to tell network from proxy

# Looked up along the exception's own line of ancestors: the nearest row wins.
BY_CLASS: dict[type[BaseException], Row] = {
    vendor.ClientThrottledError: _SLOW_DOWN,
    vendor.PleaseWaitFewMinutes: _SLOW_DOWN,
    vendor.RateLimitError: _SLOW_DOWN,
    vendor.FeedbackRequired: _BLOCKED,
    vendor.SentryBlock: _BLOCKED,
    vendor.LoginRequired: _EXPIRED,
    vendor.ClientLoginRequired: _EXPIRED,
    vendor.ClientUnauthorizedError: _EXPIRED,
    vendor.ClientForbiddenError: _EXPIRED,
    vendor.ReloginAttemptExceeded: _EXPIRED,
    vendor.ChallengeError: _CHALLENGE,
    vendor.CaptchaChallengeRequired: _CHALLENGE,
    vendor.AgeEligibilityError: _CHALLENGE,
    vendor.TwoFactorRequired: _TWO_FACTOR,
    vendor.BadPassword: Row(AuthInvalid, "Instagram refused the login: wrong password, or it distrusts this address."),
    vendor.BadCredentials: _WRONG_LOGIN,
    vendor.ResetPasswordError: Row(AuthInvalid, "Instagram wants the password of this account to be reset."),
    vendor.AccountSuspended: _DISABLED,
    vendor.ProxyAddressIsBlocked: _ADDRESS_BLOCKED,
    vendor.ClientNeedsUpgradeError: _OUTDATED,
    vendor.NotFoundError: _GONE,
    vendor.ClientNotFoundError: _GONE,
    vendor.MediaUnavailable: _GONE,
    vendor.InvalidMediaId: _GONE,
    vendor.PrivateAccount: _GONE,
    vendor.InvalidTargetUser: _GONE,
    vendor.VideoNotDownload: _GONE,
    vendor.AlbumNotDownload: _GONE,
    vendor.VideoTooLongException: Row(MediaRejected, "Instagram refused the file: the video is too long."),
    vendor.AlbumUnknownFormat: _REFUSED_FILE,
    vendor.ClipConfigureError: Row(PlatformTransient, "Instagram did not finish the Reel."),
    vendor.ClipNotUpload: Row(PlatformTransient, "Instagram did not take the file."),
    vendor.VideoNotUpload: Row(PlatformTransient, "Instagram did not take the file."),
    vendor.PhotoNotUpload: Row(PlatformTransient, "Instagram did not take the cover picture."),
    vendor.IGTVNotUpload: Row(PlatformTransient, "Instagram did not take the file."),
    vendor.ClientJSONDecodeError: _PAGE,
    vendor.ClientGraphqlError: _ODD,
    vendor.WrongCursorError: _UNREADABLE,
    vendor.ValidationError: _UNREADABLE,
    vendor.UnknownError: Row(ContractChanged, "Instagram refused in words not known here."),
    vendor.PrivateError: _ODD,
    vendor.ClientError: _ODD,
    vendor.ClientConnectionError: CONNECTION,
    vendor.ClientIncompleteReadError: CONNECTION,
    vendor.ClientRequestTimeout: CONNECTION,
    requests.HTTPError: _ODD,
    requests.TooManyRedirects: _PAGE,
    requests.exceptions.InvalidJSONError: _PAGE,
    requests.exceptions.ContentDecodingError: Row(PlatformTransient, "Instagram's answer could not be read."),
    requests.exceptions.InvalidProxyURL: CONNECTION,
    requests.exceptions.InvalidURL: _ELSEWHERE,
    requests.exceptions.InvalidSchema: _ELSEWHERE,
    requests.exceptions.MissingSchema: _ELSEWHERE,
    requests.exceptions.InvalidHeader: _UNREADABLE,
    requests.RequestException: CONNECTION,
    CurlError: CONNECTION,
    urllib3.exceptions.LocationValueError: _ELSEWHERE,
    urllib3.exceptions.HTTPError: CONNECTION,
    json.JSONDecodeError: _PAGE,
    pydantic.ValidationError: _UNREADABLE,
    RecursionError: _UNREADABLE,
    OverflowError: _UNREADABLE,
    LookupError: _UNREADABLE,
    AssertionError: _UNREADABLE,
    AttributeError: _UNREADABLE,
    TypeError: _UNREADABLE,
    ValueError: _UNREADABLE,
    MemoryError: Row(LocalFailed, "This server ran out of memory while working on the file."),
    ConnectionError: CONNECTION,
    TimeoutError: CONNECTION,
    socket.gaierror: CONNECTION,
    socks.ProxyError: CONNECTION,
    ssl.SSLError: CONNECTION,
    OSError: Row(LocalFailed, "This server could not read or write the file."),
}

# Sought, in this order, in what Instagram itself wrote: `message`, `error_type`, `error_title`.
BY_WORDS: tuple[tuple[str, Row], ...] = (
    ("checkpoint_required", _CHALLENGE),
    ("checkpoint_challenge_required", _CHALLENGE),
    ("challenge_required", _CHALLENGE),
    ("consent_required", _CHALLENGE),
    ("needs_upgrade", _OUTDATED),
    ("two_factor_required", _TWO_FACTOR),
    ("sms_code_validation_code_invalid", _WRONG_CODE),
    ("check the security code", _WRONG_CODE),
    ("inactive user", _DISABLED),
    ("account has been disabled", _DISABLED),
    ("ip_block", _ADDRESS_BLOCKED),
    ("login_required", _EXPIRED),
    ("user_has_logged_out", _EXPIRED),
    ("please wait a few minutes", _SLOW_DOWN),
    ("rate_limit_error", _SLOW_DOWN),
    ("feedback_required", _BLOCKED),
    ("sentry_block", _BLOCKED),
    ("videotoolongexception", _REFUSED_FILE),
    ("media_needs_reupload", _REFUSED_FILE),
    ("media not found", _GONE),
    ("user not found", _GONE),
    ("transcode not finished", Row(PlatformTransient, "Instagram has not finished converting the Reel.")),
)

# Asked where neither words nor a specific class decide.
BY_STATUS: dict[int, Row] = {
    401: _EXPIRED,
    403: _EXPIRED,
    404: _GONE,
    407: Row(ProxyFailed, "The proxy refused the login (HTTP 407)."),
    408: Row(NetworkFailed, "Instagram gave up waiting for the request (HTTP 408)."),
    429: _SLOW_DOWN,
}

_ASK_STATUS_FIRST = {vendor.ClientError, vendor.PrivateError, vendor.ClipNotUpload, requests.HTTPError}
_UPLOADS = (vendor.ClipNotUpload, vendor.PhotoNotUpload, vendor.VideoNotUpload)
_CHALLENGE_PATHS = ("/challenge/", "/checkpoint/", "/auth_platform/")
_ACTIONS: dict[Row, str] = {
    _TWO_FACTOR: "Add the two-factor secret of the account in Accounts, or confirm the login in the app.",
    _WRONG_CODE: "Enter the two-factor secret again and check this server's clock.",
}


class translated(ContextDecorator):
    """Around every call of the library: whatever it throws leaves as a class of our tree, with the cause kept."""

    def __init__(self, exit_: Exit) -> None:
        self._exit = exit_

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ForwarderError):
            raise failure(error, self._exit) from error


def failure(error: Exception, exit_: Exit) -> StepFailed:
    """The one class of our tree for `error`."""
    row = row_for(error)
    if row is CONNECTION:
        return connection_failure(error, exit_)
    if row is None:
        return Bug(f"The Instagram client failed unexpectedly ({type(error).__name__}).", raw=_raw(error))
    return row.becomes(row.says, retry_after_s=_retry_after_s(error), raw=_raw(error), action=_ACTIONS.get(row))


def refusal(status: int, headers: Mapping[str, str]) -> StepFailed:
    """The class of an answer of ours, not of the library's, that is no success."""
    row = BY_STATUS.get(status, _ODD)
    return row.becomes(row.says, retry_after_s=told_wait_s(headers), raw=f"HTTP {status}")


def row_for(error: BaseException) -> Row | None:
    """Words first, then the address an answer came from, then status or class. None = nobody foresaw this."""
    if by_words := _by_words(error):
        return by_words
    if _was_sent_to_challenge(error):
        return _CHALLENGE
    if _was_sent_to_login(error):
        return _EXPIRED
    for kind in type(error).__mro__:
        if kind not in BY_CLASS:
            continue
        if kind in _ASK_STATUS_FIRST and (by_status := _by_status(error)):
            return by_status
        return BY_CLASS[kind]
    return None


def _by_words(error: BaseException) -> Row | None:
    if not isinstance(error, vendor.ClientError):
        return None
    said = " ".join(str(getattr(error, name, "") or "") for name in ("message", "error_type", "error_title")).lower()
    return next((row for words, row in BY_WORDS if words in said), None)


def _by_status(error: BaseException) -> Row | None:
    status = _status(error)
    if isinstance(error, _UPLOADS) and 400 <= status < 500 and status not in BY_STATUS:
        return _REFUSED_FILE
    return BY_STATUS.get(status)


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", None) or getattr(error, "status_code", None) or 0)


def _was_sent_to_challenge(error: BaseException) -> bool:
    """A redirect that ended on the challenge page, or a page that embeds it, arrives as unreadable JSON."""
    response = _page(error)
    if response is None:
        return False
    text = str(response.text)[:20_000]
    return any(path in str(response.url) or ("<iframe" in text and path in text) for path in _CHALLENGE_PATHS)


def _was_sent_to_login(error: BaseException) -> bool:
    response = _page(error)
    return response is not None and "/accounts/login" in str(response.url)


def _page(error: BaseException) -> Any | None:
    return getattr(error, "response", None) if isinstance(error, vendor.ClientJSONDecodeError) else None


def _retry_after_s(error: BaseException) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return told_wait_s(headers)


def _raw(error: BaseException) -> str:
    """Instagram's words for the log: its message and type, never an answer's body, which may hold a session."""
    said = [str(getattr(error, name, "") or "") for name in ("message", "error_type")]
    words = " · ".join(part for part in said if part) if isinstance(error, vendor.ClientError) else str(error)
    return f"{type(error).__name__}: {words}"[:_RAW_CHARS]
