"""Every exception of the client library ends in one class of ours: a row per case, and no class forgotten."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import instagrapi.exceptions as vendor
import pydantic
import pytest
import requests

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    AccountDisabled,
    ActionBlocked,
    AuthExpired,
    AuthInvalid,
    Bug,
    ChallengeRequired,
    ClientOutdated,
    ContractChanged,
    Fenced,
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
from forwarder_core.platforms.instagram.errors import BY_CLASS, failure, translated

DIRECT = Exit()


def answer(status: int, *, url: str = "https://i.instagram.com/api/v1/x/", text: str = "", **headers: str) -> Any:
    return SimpleNamespace(status_code=status, url=url, text=text, headers=headers)


def invalid() -> pydantic.ValidationError:
    try:
        pydantic.TypeAdapter(int).validate_python("x")
    except pydantic.ValidationError as e:
        return e
    raise AssertionError


CASES: list[tuple[Exception, type[StepFailed]]] = [
    (vendor.ClientConnectionError("gone"), NetworkFailed),
    (vendor.ClientIncompleteReadError("half"), NetworkFailed),
    (vendor.ClientRequestTimeout(response=answer(408)), NetworkFailed),
    (requests.Timeout("slow"), NetworkFailed),
    (requests.ConnectionError("refused"), NetworkFailed),
    (requests.exceptions.SSLError("bad certificate"), NetworkFailed),
    (requests.exceptions.ChunkedEncodingError("half"), NetworkFailed),
    (requests.RequestException("curl failed to write"), NetworkFailed),
    (ConnectionResetError("reset"), NetworkFailed),
    (vendor.ClientThrottledError(response=answer(429)), RateLimited),
    (vendor.PleaseWaitFewMinutes(message="Please wait a few minutes before you try again."), RateLimited),
    (vendor.RateLimitError(error_type="rate_limit_error"), RateLimited),
    (vendor.FeedbackRequired(message="feedback_required: we limit"), ActionBlocked),
    (vendor.SignupSpamError(), ActionBlocked),
    (vendor.SentryBlock(error_type="sentry_block"), ActionBlocked),
    (vendor.LoginRequired(message="login_required", response=answer(403)), AuthExpired),
    (vendor.ClientLoginRequired(), AuthExpired),
    (vendor.ClientUnauthorizedError(response=answer(401)), AuthExpired),
    (vendor.ClientForbiddenError(response=answer(403)), AuthExpired),
    (vendor.ReloginAttemptExceeded(), AuthExpired),
    (
        vendor.ChallengeRequired(message="challenge_required", challenge={"api_path": "/challenge/1/x/"}),
        ChallengeRequired,
    ),
    (vendor.SelectContactPointRecoveryForm(), ChallengeRequired),
    (vendor.RecaptchaChallengeForm(), ChallengeRequired),
    (vendor.SubmitPhoneNumberForm(), ChallengeRequired),
    (vendor.ChallengeSelfieCaptcha(), ChallengeRequired),
    (vendor.ChallengeUnknownStep(), ChallengeRequired),
    (vendor.LegacyForceSetNewPasswordForm(), ChallengeRequired),
    (vendor.ChallengeRedirection(), ChallengeRequired),
    (vendor.CaptchaChallengeRequired(), ChallengeRequired),
    (vendor.UnknownError(message="checkpoint_required"), ChallengeRequired),
    (vendor.UnknownError(message="consent_required"), ChallengeRequired),
    (vendor.TwoFactorRequired(message="Two-factor authentication required"), ChallengeRequired),
    (vendor.UnknownError(message="no", error_type="sms_code_validation_code_invalid"), AuthInvalid),
    (vendor.BadPassword(message="The password you entered is incorrect."), AuthInvalid),
    (vendor.BadCredentials("Both are needed"), AuthInvalid),
    (vendor.ResetPasswordError(), AuthInvalid),
    (vendor.AccountSuspended(), AccountDisabled),
    (vendor.UnknownError(message="inactive user"), AccountDisabled),
    (vendor.ProxyAddressIsBlocked(), ProxyBlocked),
    (vendor.UnknownError(message="Sorry", error_type="ip_block"), ProxyBlocked),
    (vendor.ClientNeedsUpgradeError(message="Please upgrade", error_type="needs_upgrade"), ClientOutdated),
    (vendor.MediaNotFound(), SourceGone),
    (vendor.MediaUnavailable(message="Media is unavailable"), SourceGone),
    (vendor.InvalidMediaId(), SourceGone),
    (vendor.PrivateAccount(), SourceGone),
    (vendor.UserNotFound(), SourceGone),
    (vendor.ClientNotFoundError(response=answer(404)), SourceGone),
    (vendor.VideoTooLongException(message="VideoTooLongException"), MediaRejected),
    (vendor.ClipNotUpload("refused", response=answer(400), status_code=400), MediaRejected),
    (vendor.ClientError(message="media_needs_reupload"), MediaRejected),
    (vendor.ClipNotUpload("oops", response=answer(503), status_code=503), PlatformTransient),
    (vendor.ClipNotUpload("slow down", response=answer(429), status_code=429), RateLimited),
    (vendor.ClipConfigureError(), PlatformTransient),
    (vendor.PhotoNotUpload(response=answer(500)), PlatformTransient),
    (vendor.ClientError(response=answer(502)), PlatformTransient),
    (vendor.ClientError(response=answer(407)), ProxyFailed),
    (vendor.ClientBadRequestError(response=answer(400)), PlatformTransient),
    (vendor.UnknownError(message="something new"), ContractChanged),
    (vendor.ClientJSONDecodeError("x", response=answer(200, text="<html>")), PlatformTransient),
    (
        vendor.ClientJSONDecodeError("x", response=answer(200, url="https://i.instagram.com/challenge/1/a/")),
        ChallengeRequired,
    ),
    (vendor.ClientJSONDecodeError("x", response=answer(200, text="<iframe src='/challenge/1/a/'>")), ChallengeRequired),
    (
        vendor.ClientJSONDecodeError("x", response=answer(200, url="https://www.instagram.com/accounts/login/")),
        AuthExpired,
    ),
    (vendor.ClientGraphqlError([{"message": "no"}]), PlatformTransient),
    (vendor.ValidationError("odd"), ContractChanged),
    (vendor.WrongCursorError(), ContractChanged),
    (requests.HTTPError("x", response=answer(429)), RateLimited),
    (requests.HTTPError("x", response=answer(500)), PlatformTransient),
    (requests.TooManyRedirects("x"), PlatformTransient),
    (requests.exceptions.JSONDecodeError("x", "", 0), PlatformTransient),
    (invalid(), ContractChanged),
    (KeyError("items"), ContractChanged),
    (IndexError("pop from empty list"), ContractChanged),
    (AssertionError("User without pk"), ContractChanged),
    (AttributeError("'list' object has no attribute 'get'"), ContractChanged),
    (TypeError("int() argument"), ContractChanged),
    (ValueError("not enough values"), ContractChanged),
    (FileNotFoundError(2, "No such file"), LocalFailed),
    (MemoryError(), LocalFailed),
    (RuntimeError("nobody foresaw this"), Bug),
]


@pytest.mark.parametrize(
    ("error", "expected"), CASES, ids=lambda value: getattr(value, "__name__", type(value).__name__)
)
def test_each_exception_has_its_class(error: Exception, expected: type[StepFailed]) -> None:
    made = failure(error, DIRECT)
    assert type(made) is expected
    assert made.message.endswith(".")


ALL = [c for c in vars(vendor).values() if inspect.isclass(c) and issubclass(c, Exception)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_no_class_of_the_library_is_forgotten(kind: type[Exception]) -> None:
    row = next((BY_CLASS[base] for base in kind.__mro__ if base in BY_CLASS), None)
    assert row is not None, f"{kind.__name__} has neither a row nor an ancestor with one"


def test_the_wait_of_the_answer_is_kept() -> None:
    made = failure(vendor.ClientThrottledError(response=answer(429, **{"Retry-After": "90"})), DIRECT)
    assert made.retry_after_s == 90


def test_translated_keeps_the_cause() -> None:
    with pytest.raises(AuthExpired) as caught, translated(DIRECT):
        raise vendor.LoginRequired(message="login_required")
    assert isinstance(caught.value.__cause__, vendor.LoginRequired)


def test_translated_lets_our_own_errors_and_interrupts_through() -> None:
    with pytest.raises(Fenced), translated(DIRECT):
        raise Fenced("not mine any more")
    with pytest.raises(KeyboardInterrupt), translated(DIRECT):
        raise KeyboardInterrupt


def test_no_answer_s_body_is_kept_for_the_log() -> None:
    error = vendor.ClientJSONDecodeError("JSONDecodeError", response=answer(200, text="Bearer IGT:2:c2VjcmV0"))
    assert "IGT:2" not in (failure(error, DIRECT).raw or "")


def test_a_proxy_s_login_is_not_kept_for_the_log() -> None:
    way_out = Exit(proxy=ProxyAddress("http", "10.0.0.1", 8080, "someone", "s3cr3t"))
    made = failure(requests.exceptions.ProxyError("http://someone:s3cr3t@10.0.0.1:8080 refused"), way_out)
    assert type(made) is ProxyFailed
    assert "s3cr3t" not in f"{made}{made.raw}"
