"""Where every failure of Google's client libraries ends: each becomes one class of `forwarder_core.errors`.

What lives here: the tables reason → class, and the one function that reads them. What does not: retries (the engine
decides) and what a rejected video means (visibility.py).
The fact to know: Google's `reason` decides, the HTTP status only where there is none. One 403 is a used-up quota of
the whole project, another a missing permission of one account.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import google.auth.exceptions
import googleapiclient.errors
import httplib2
import httplib2.decode

from forwarder_core.bounds import told_wait_s
from forwarder_core.clock import Clock
from forwarder_core.connectors.shapes import MISREAD, misread
from forwarder_core.egress import Exit
from forwarder_core.errors import (
    AccountDisabled,
    AuthExpired,
    AuthInvalid,
    Bug,
    ContractChanged,
    DestinationDailyLimit,
    LocalFailed,
    MediaRejected,
    MetadataRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    QuotaExhausted,
    RateLimited,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.youtube.wire import AnswerTooLarge
from forwarder_core.tunnels import TunnelRefused

# Everything a call through the client library can throw. TimeoutError, TLS and proxy errors are OSErrors.
VENDOR_ERRORS = (
    googleapiclient.errors.Error,
    google.auth.exceptions.GoogleAuthError,
    httplib2.HttpLib2Error,
    httplib2.decode.DecodeLimitError,
    httplib2.decode.DecodeRatioError,
    http.client.HTTPException,
    OSError,
    *MISREAD,  # of an answer the library itself could not read
)

_PACIFIC = ZoneInfo("America/Los_Angeles")
_RAW_CHARS = 500
_SECRETS = re.compile(
    r"(?i)(upload_id|access_token|refresh_token|client_secret|id_token|code)(\W{1,5})[\w./~%+-]+"
    r"|(bearer|basic)(\s+)[\w./~+=-]+"
    r"|ya29\.[\w.-]+|1//[\w-]+|GOCSPX-[\w-]+"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one of Google's reasons is to us. `action` None = the action of the class."""

    failure: type[StepFailed]
    words: str
    action: str | None = None


_QUOTA = Rule(QuotaExhausted, "The Google project has used up its YouTube quota for today.")
_RATE = Rule(RateLimited, "YouTube asks to slow down.")
_EXPIRED = Rule(AuthExpired, "Google does not accept the sign-in of this account any more.")
_CLIENT = Rule(
    AuthExpired,
    "Google does not accept the OAuth client of this account.",
    "Upload the client JSON again in Accounts, then sign in with Google.",
)
_PERMISSION = Rule(AuthInvalid, "The sign-in lacks a permission that is needed.")
_SUSPENDED = Rule(AccountDisabled, "YouTube has suspended this account.")
_CLOSED = Rule(AccountDisabled, "This YouTube account was closed.")
_NO_CHANNEL = Rule(
    AuthInvalid, "This Google account has no YouTube channel.", "Create the channel in YouTube, then try again."
)
_API_OFF = Rule(
    AuthInvalid,
    "The YouTube Data API is not switched on in the Google project.",
    "Enable “YouTube Data API v3” in the Google Cloud console for the project of this OAuth client.",
)
_BUSY = Rule(PlatformTransient, "YouTube had an error of its own.")
_WORDS = Rule(MetadataRejected, "YouTube refused the title, description or tags.")
_NOT_THERE = Rule(SourceGone, "YouTube does not know this channel, playlist or video.")
_NOT_READ = Rule(PlatformTransient, "YouTube's answer could not be read.")
_UNKNOWN_FORM = Rule(ContractChanged, "YouTube answered in a form not known here.")
_MISUSED = Rule(Bug, "Google's client library was used in a way it does not take.")
_UNKNOWN_CALL = Rule(ContractChanged, "YouTube refused the call in a form not known here.")

BY_REASON: Mapping[str, Rule] = {
    "quotaExceeded": _QUOTA,
    "dailyLimitExceeded": _QUOTA,
    "uploadLimitExceeded": Rule(DestinationDailyLimit, "The channel has reached its upload limit for today."),
    "rateLimitExceeded": _RATE,
    "userRateLimitExceeded": _RATE,
    "RATE_LIMIT_EXCEEDED": _RATE,
    "backendError": _BUSY,
    "internalError": _BUSY,
    "authError": _EXPIRED,
    "insufficientPermissions": _PERMISSION,
    "forbidden": _PERMISSION,
    "youtubeSignupRequired": _NO_CHANNEL,
    "accessNotConfigured": _API_OFF,
    "SERVICE_DISABLED": _API_OFF,
    "authenticatedUserAccountSuspended": _SUSPENDED,
    "authenticatedUserAccountClosed": _CLOSED,
    "channelSuspended": _SUSPENDED,
    "channelClosed": _CLOSED,
    "channelNotFound": _NOT_THERE,
    "playlistNotFound": _NOT_THERE,
    "videoNotFound": _NOT_THERE,
    "invalidTitle": _WORDS,
    "invalidDescription": _WORDS,
    "invalidTags": _WORDS,
    "invalidCategoryId": _WORDS,
    "invalidFilename": _WORDS,
    "mediaBodyRequired": _WORDS,
    "invalidVideoMetadata": _WORDS,
    "uploadTooLarge": Rule(MediaRejected, "The file is larger than YouTube takes."),
}

BY_OAUTH_ERROR: Mapping[str, Rule] = {
    "invalid_grant": _EXPIRED,
    "invalid_client": _CLIENT,
    "deleted_client": _CLIENT,
    "disabled_client": _CLIENT,
    "unauthorized_client": _CLIENT,
    "invalid_scope": _PERMISSION,
}

_REAUTH = google.auth.exceptions.ReauthFailError  # a RefreshError that no refresh mends

# Looked up along the exception's own line of ancestors; what is not here is the connection's fault. HttpError,
# RefreshError and TransportError say more, and are read for themselves.
BY_CLASS: Mapping[type[BaseException], Rule] = {
    AnswerTooLarge: _NOT_READ,
    httplib2.decode.DecodeLimitError: _NOT_READ,
    httplib2.decode.DecodeRatioError: _NOT_READ,
    httplib2.FailedToDecompressContent: _NOT_READ,
    httplib2.MalformedHeader: _NOT_READ,
    httplib2.RedirectLimit: _NOT_READ,
    httplib2.RedirectMissingLocation: _NOT_READ,
    httplib2.RelativeURIError: _UNKNOWN_FORM,
    httplib2.UnimplementedDigestAuthOptionError: _UNKNOWN_FORM,
    httplib2.UnimplementedHmacDigestAuthOptionError: _UNKNOWN_FORM,
    httplib2.ProxiesUnavailableError: _MISUSED,
    http.client.InvalidURL: _UNKNOWN_FORM,
    http.client.UnimplementedFileMode: _MISUSED,
    googleapiclient.errors.MediaUploadSizeError: Rule(MediaRejected, "The file is larger than YouTube takes."),
    googleapiclient.errors.InvalidJsonError: _UNKNOWN_FORM,
    googleapiclient.errors.Error: _MISUSED,
    google.auth.exceptions.ReauthFailError: _EXPIRED,
    google.auth.exceptions.OAuthError: _EXPIRED,
    google.auth.exceptions.UserAccessTokenError: _EXPIRED,
    google.auth.exceptions.ResponseError: _BUSY,
    google.auth.exceptions.MalformedError: _UNKNOWN_FORM,
    google.auth.exceptions.ClientCertError: _MISUSED,
    google.auth.exceptions.DefaultCredentialsError: _MISUSED,
    google.auth.exceptions.MutualTLSChannelError: _MISUSED,
    google.auth.exceptions.InvalidOperation: _MISUSED,
    google.auth.exceptions.InvalidResource: _MISUSED,
    google.auth.exceptions.InvalidType: _MISUSED,
    google.auth.exceptions.InvalidValue: _MISUSED,
    google.auth.exceptions.TimeoutError: Rule(NetworkFailed, "The connection to YouTube failed."),
    google.auth.exceptions.GoogleAuthError: _BUSY,
}

BY_STATUS: Mapping[int, Rule] = {
    401: _EXPIRED,
    403: _PERMISSION,
    407: Rule(ProxyFailed, "The proxy refused the login (HTTP 407)."),
    408: _BUSY,
    413: BY_REASON["uploadTooLarge"],
    429: _RATE,
}


@contextmanager
def translated(exit_: Exit, clock: Clock) -> Iterator[None]:
    """Whatever the client library throws inside leaves as our own class."""
    try:
        yield
    except VENDOR_ERRORS as e:
        raise failure(e, exit_, clock.now()) from e


def failure(error: BaseException, exit_: Exit, now: datetime) -> StepFailed:
    """Our class for one of VENDOR_ERRORS, with the wait that Google asked for."""
    if isinstance(error, googleapiclient.errors.HttpError) and error.resp is not None:
        return _http_failure(error, now)
    if isinstance(error, google.auth.exceptions.RefreshError) and not isinstance(error, _REAUTH):
        return _refresh_failure(error)
    if isinstance(error, google.auth.exceptions.TransportError):
        original = error.args[0] if error.args else None
        return _connection_failure(original if isinstance(original, BaseException) else error, exit_)
    rule = next((BY_CLASS[kind] for kind in type(error).__mro__ if kind in BY_CLASS), None)
    if rule is not None:
        raw = redacted(f"{type(error).__name__}: {error}")
        return rule.failure(f"{rule.words.rstrip('.')} ({type(error).__name__}).", raw=raw, action=rule.action)
    if isinstance(error, MISREAD) and not isinstance(error, OSError):
        return misread("YouTube", error)
    return _connection_failure(error, exit_)


def is_refusal(error: BaseException) -> bool:
    """Is this a definite no, so that what was asked for cannot have happened?

    A status without a reason comes from something between YouTube and us; a session that is not known any more (404,
    410) may have ended well before. An error of the sign-in or of the way to the proxy means nothing was sent.
    """
    if isinstance(error, googleapiclient.errors.HttpError):
        status = int(error.resp.status)
        return 400 <= status < 500 and status not in (404, 408, 410) and bool(_reasons(error.content))
    never_left = (google.auth.exceptions.GoogleAuthError, TunnelRefused, ConnectionRefusedError)
    return isinstance(error, never_left)


def seconds_to_quota_reset(now: datetime) -> float:
    """To the next midnight Pacific, where Google resets its daily counters."""
    tomorrow = now.astimezone(_PACIFIC).date() + timedelta(days=1)
    return (datetime.combine(tomorrow, time(), _PACIFIC) - now).total_seconds()


def redacted(text: str) -> str:
    """Google's words without session ids and tokens, cut to a length a log can bear."""
    return _SECRETS.sub(lambda m: f"{m[1] or m[3] or ''}{m[2] or m[4] or ''}***", text)[:_RAW_CHARS]


def _http_failure(error: Any, now: datetime) -> StepFailed:
    status, reasons = int(error.resp.status), _reasons(error.content)
    known = next((BY_REASON[reason] for reason in reasons if reason in BY_REASON), None)
    rule = known or BY_STATUS.get(status) or (_BUSY if status >= 500 else _UNKNOWN_CALL)
    said = f"HTTP {status}{', ' + reasons[0] if reasons else ''}"
    return rule.failure(
        f"{rule.words.rstrip('.')} ({said}).",
        retry_after_s=_wait_s(rule.failure, error.resp, now),
        raw=redacted(f"{said}: {error.content.decode('utf-8', 'replace')}"),
        action=rule.action,
    )


def _wait_s(failed: type[StepFailed], headers: Mapping[str, str], now: datetime) -> float | None:
    if failed is QuotaExhausted:
        return seconds_to_quota_reset(now)
    if failed is DestinationDailyLimit:
        return float(DestinationDailyLimit.wait_s)
    return told_wait_s(headers)


def _refresh_failure(error: Any) -> StepFailed:
    """Only a named OAuth error is about the account. Whatever else the token endpoint answers is its own trouble,
    and google-auth calls even a 503 with a web page not retryable."""
    answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
    code = str(answer.get("error") or str(error).partition(":")[0])
    rule = BY_OAUTH_ERROR.get(code)
    if rule is None or error.retryable:
        return PlatformTransient("Google's sign-in had an error of its own.", raw=redacted(str(error)))
    return rule.failure(f"{rule.words.rstrip('.')} ({code}).", raw=redacted(str(error)), action=rule.action)


def _connection_failure(error: BaseException, exit_: Exit) -> StepFailed:
    kind, raw = type(error).__name__, redacted(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return LocalFailed("The file to be sent could not be read.", raw=raw)
    if isinstance(error, TunnelRefused):
        return ProxyFailed(f"Proxy {exit_.called} could not be used. {error.text}.", raw=raw)
    if isinstance(error, ssl.SSLCertVerificationError):
        words = "YouTube's certificate was not accepted: something between here and there opens the connection."
        return NetworkFailed(words, raw=raw, action="Check the proxy, and FORWARDER_CA_BUNDLE where one is set.")
    return NetworkFailed(f"The connection to YouTube failed ({kind}).", raw=raw)


def _reasons(content: bytes) -> list[str]:
    """Every reason in an error body, in both forms Google uses; none where the body is no such JSON."""
    try:
        error = json.loads(content)["error"]
        listed = [*error.get("errors", ()), *error.get("details", ())]
        return [str(item["reason"]) for item in listed if "reason" in item]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
