"""Every class of every library on the private road, by name: an upgrade that adds or drops one fails here until
somebody has decided what it means. What the classes become with Instagram's own words in them is in test_errors.py.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import instagrapi.exceptions
import pytest
import requests.exceptions
import urllib3.exceptions
from curl_cffi.requests import exceptions as curl

from forwarder_core.egress import Exit
from forwarder_core.errors import failure_classes
from forwarder_core.platforms.instagram.errors import failure

TRANSIENT, GONE, CHALLENGE, EXPIRED = "platform_transient", "source_gone", "captcha_detected", "token_expired"
INVALID, NETWORK, RATE, BLOCKED = "invalid_credentials", "network_error", "rate_limited", "action_blocked"
CHANGED, FILE = "contract_changed", "media_rejected"

INSTAGRAPI = {
    "AccountContactPointRequired": TRANSIENT,
    "AccountEditError": TRANSIENT,
    "AccountSuspended": "account_suspended",
    "AgeEligibilityError": CHALLENGE,
    "AlbumConfigureError": TRANSIENT,
    "AlbumNotDownload": GONE,
    "AlbumUnknownFormat": FILE,
    "BadCredentials": INVALID,
    "BadPassword": INVALID,
    "CaptchaChallengeRequired": CHALLENGE,
    "ChallengeError": CHALLENGE,
    "ChallengeRedirection": CHALLENGE,
    "ChallengeRequired": CHALLENGE,
    "ChallengeSelfieCaptcha": CHALLENGE,
    "ChallengeUnknownStep": CHALLENGE,
    "ClientBadRequestError": TRANSIENT,
    "ClientConnectionError": NETWORK,
    "ClientError": TRANSIENT,
    "ClientErrorWithTitle": TRANSIENT,
    "ClientForbiddenError": EXPIRED,
    "ClientGraphqlError": TRANSIENT,
    "ClientIncompleteReadError": NETWORK,
    "ClientJSONDecodeError": TRANSIENT,
    "ClientLoginRequired": EXPIRED,
    "ClientNeedsUpgradeError": "client_outdated",
    "ClientNotFoundError": GONE,
    "ClientRequestTimeout": NETWORK,
    "ClientStatusFail": TRANSIENT,
    "ClientThrottledError": RATE,
    "ClientUnauthorizedError": EXPIRED,
    "ClientUnknownError": TRANSIENT,
    "ClipConfigureError": TRANSIENT,
    "ClipNotUpload": TRANSIENT,
    "CollectionError": TRANSIENT,
    "CollectionNotFound": GONE,
    "CommentNotFound": TRANSIENT,
    "CommentUnavailable": TRANSIENT,
    "CommentsDisabled": TRANSIENT,
    "DirectError": TRANSIENT,
    "DirectMessageNotFound": GONE,
    "DirectMessageRequestsDisabled": TRANSIENT,
    "DirectThreadNotFound": GONE,
    "EmailInvalidError": TRANSIENT,
    "EmailNotAvailableError": TRANSIENT,
    "EmailVerificationSendError": TRANSIENT,
    "FeedbackRequired": BLOCKED,
    "GenericRequestError": TRANSIENT,
    "HashtagError": TRANSIENT,
    "HashtagNotFound": GONE,
    "HighlightNotFound": GONE,
    "IGTVConfigureError": TRANSIENT,
    "IGTVNotUpload": TRANSIENT,
    "InvalidMediaId": GONE,
    "InvalidTargetUser": GONE,
    "LegacyForceSetNewPasswordForm": CHALLENGE,
    "LocationError": TRANSIENT,
    "LocationNotFound": GONE,
    "LoginRequired": EXPIRED,
    "MediaError": TRANSIENT,
    "MediaNotFound": GONE,
    "MediaUnavailable": GONE,
    "NotFoundError": GONE,
    "NoteNotFound": GONE,
    "PhotoConfigureError": TRANSIENT,
    "PhotoConfigureStoryError": TRANSIENT,
    "PhotoNotUpload": TRANSIENT,
    "PleaseWaitFewMinutes": RATE,
    "PrivateAccount": GONE,
    "PrivateError": TRANSIENT,
    "ProxyAddressIsBlocked": "proxy_blocked",
    "RateLimitError": RATE,
    "RecaptchaChallengeForm": CHALLENGE,
    "RelatedProfileRequired": TRANSIENT,
    "ReloginAttemptExceeded": EXPIRED,
    "ResetPasswordError": INVALID,
    "SelectContactPointRecoveryForm": CHALLENGE,
    "SentryBlock": BLOCKED,
    "SignupSpamError": BLOCKED,
    "StoryNotFound": GONE,
    "SubmitPhoneNumberForm": CHALLENGE,
    "TrackNotFound": GONE,
    "TwoFactorRequired": CHALLENGE,
    "UnknownError": CHANGED,
    "UserError": TRANSIENT,
    "UserNotFound": GONE,
    "ValidationError": CHANGED,
    "VideoConfigureError": TRANSIENT,
    "VideoConfigureStoryError": TRANSIENT,
    "VideoNotDownload": GONE,
    "VideoNotUpload": TRANSIENT,
    "VideoTooLongException": FILE,
    "WrongCursorError": CHANGED,
}
REQUESTS = {
    "ChunkedEncodingError": NETWORK,
    "ConnectTimeout": NETWORK,
    "ConnectionError": NETWORK,
    "ContentDecodingError": TRANSIENT,
    "HTTPError": TRANSIENT,
    "InvalidHeader": CHANGED,
    "InvalidJSONError": TRANSIENT,
    "InvalidProxyURL": NETWORK,
    "InvalidSchema": CHANGED,
    "InvalidURL": CHANGED,
    "JSONDecodeError": TRANSIENT,
    "MissingSchema": CHANGED,
    "ProxyError": NETWORK,  # without a proxy, as here; behind one it is the proxy's (test_transport.py)
    "ReadTimeout": NETWORK,
    "RequestException": NETWORK,
    "RetryError": NETWORK,
    "SSLError": NETWORK,
    "StreamConsumedError": NETWORK,
    "Timeout": NETWORK,
    "TooManyRedirects": TRANSIENT,
    "URLRequired": NETWORK,
    "UnrewindableBodyError": NETWORK,
}
# These the library's adapters turn into those of requests; one that slips through is the connection's all the same.
OF_THE_LINE = {"BodyNotHttplibCompatible", "ClosedPoolError", "CurlError", "DNSError", "DecodeError", "IncompleteRead"}


def exceptions_of(module: ModuleType) -> dict[str, type[Exception]]:
    found = {c.__name__: c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Exception)}
    root = module.__name__.partition(".")[0]
    return {
        name: kind for name, kind in found.items() if not issubclass(kind, Warning) and kind.__module__.startswith(root)
    }


def bare(kind: type[Exception]) -> Exception:
    """One of this class that says nothing, however its class wants to be made."""
    made: Any = kind.__new__(kind)
    Exception.__init__(made)
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("module", "expected"),
    [(instagrapi.exceptions, INSTAGRAPI), (requests.exceptions, REQUESTS)],
    ids=["instagrapi", "requests"],
)
def test_each_class_of_the_library_has_a_row(module: ModuleType, expected: dict[str, str]) -> None:
    assert set(exceptions_of(module)) == set(expected)
    made = {name: failure(bare(kind), Exit()).code for name, kind in exceptions_of(module).items()}
    assert made == expected
    assert set(expected.values()) <= failure_classes().keys()


@pytest.mark.parametrize("module", [curl, urllib3.exceptions], ids=["curl_cffi", "urllib3"])
def test_what_the_adapters_let_through_is_a_failed_connection_and_never_a_bug_of_ours(module: ModuleType) -> None:
    found = exceptions_of(module)
    assert OF_THE_LINE & set(found)
    codes = {name: failure(odd(kind), Exit()).code for name, kind in found.items()}
    assert set(codes.values()) <= {NETWORK, TRANSIENT, CHANGED}, codes
    assert {codes[name] for name in OF_THE_LINE & set(found)} == {NETWORK}


def odd(kind: type[Exception]) -> Exception:
    """With words, where the class can be made of them: some of these cannot even be printed when bare."""
    for given in (("x",), ("x", "y"), ("x", "y", "z"), (1, 2), ("x", 1, "z")):
        try:
            made = kind(*given)
            str(made)
        except Exception:  # noqa: BLE001 - the next way of making it
            continue
        return made
    return kind.__base__("x") if kind.__base__ else Exception("x")  # type: ignore[return-value]
