"""Every code of Meta's Graph API ends in one class of ours: a row per code, and the wait it asks for."""

from __future__ import annotations

import json

import pytest

from forwarder_core.errors import (
    AccountDisabled,
    ActionBlocked,
    AlreadyPublished,
    AuthExpired,
    AuthInvalid,
    ChallengeRequired,
    ClientOutdated,
    ContractChanged,
    DestinationDailyLimit,
    MediaRejected,
    MetadataRejected,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SessionGone,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.instagram.graph_errors import (
    BY_CODE,
    BY_STATUS,
    BY_SUBCODE,
    BY_UPLOAD_TYPE,
    processing_failure,
    refusal,
)

BY_SUBCODE_EXPECTED: dict[int, type[StepFailed]] = {
    33: SourceGone,
    458: AuthExpired,
    459: ChallengeRequired,
    460: AuthExpired,
    463: AuthExpired,
    464: ChallengeRequired,
    467: AuthExpired,
    2207001: SessionGone,
    2207003: NetworkFailed,
    2207004: MediaRejected,
    2207006: SessionGone,
    2207008: SessionGone,
    2207010: MetadataRejected,
    2207020: SessionGone,
    2207023: MediaRejected,
    2207026: MediaRejected,
    2207027: PlatformTransient,
    2207032: SessionGone,
    2207042: DestinationDailyLimit,
    2207050: AccountDisabled,
    2207051: ActionBlocked,
    2207052: NetworkFailed,
    2207053: SessionGone,
    2207057: MetadataRejected,
    2207077: NetworkFailed,
    2207082: SessionGone,
    36000: MediaRejected,
    36001: MediaRejected,
    36002: MediaRejected,
    36003: MediaRejected,
    36004: MediaRejected,
}
BY_CODE_EXPECTED: dict[int, type[StepFailed]] = {
    1: PlatformTransient,
    2: PlatformTransient,
    3: AuthInvalid,
    4: RateLimited,
    9: DestinationDailyLimit,
    10: AuthInvalid,
    12: ClientOutdated,
    17: RateLimited,
    24: SessionGone,
    25: AccountDisabled,
    32: RateLimited,
    102: AuthExpired,
    190: AuthExpired,
    **dict.fromkeys(range(200, 300), AuthInvalid),
    341: RateLimited,
    368: ActionBlocked,
    506: AlreadyPublished,
    613: RateLimited,
    803: SourceGone,
    2500: AuthExpired,
    2635: ClientOutdated,
    9004: NetworkFailed,
    9007: PlatformTransient,
    80002: RateLimited,
    **{code: BY_SUBCODE_EXPECTED[code] for code in range(36000, 36005)},
}
STATUS_EXPECTED: dict[int, type[StepFailed]] = {
    401: AuthExpired,
    403: AuthInvalid,
    404: SourceGone,
    407: ProxyFailed,
    408: PlatformTransient,
    413: MediaRejected,
    429: RateLimited,
    500: PlatformTransient,
    503: PlatformTransient,
    400: ContractChanged,
    302: ContractChanged,
}


def meta(code: int, subcode: int | None = None, *, headers: dict[str, str] | None = None, **more: object) -> StepFailed:
    error = {"message": "why", "type": "OAuthException", "code": code, **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return refusal(400, headers or {}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(("subcode", "expected"), BY_SUBCODE_EXPECTED.items())
def test_a_subcode_decides_whatever_its_code(subcode: int, expected: type[StepFailed]) -> None:
    assert type(meta(100, subcode)) is expected
    assert type(meta(4, subcode)) is expected


@pytest.mark.parametrize(("code", "expected"), BY_CODE_EXPECTED.items())
def test_a_code_decides_where_the_subcode_is_unknown(code: int, expected: type[StepFailed]) -> None:
    assert type(meta(code)) is type(meta(code, 99)) is expected


@pytest.mark.parametrize(("status", "expected"), STATUS_EXPECTED.items())
def test_a_status_decides_where_there_is_no_code(status: int, expected: type[StepFailed]) -> None:
    for body in (b"", b"<html>", b"[]", b'{"message": "x"}'):
        assert type(refusal(status, {}, body)) is expected


def test_no_row_is_untested() -> None:
    assert set(BY_SUBCODE) == set(BY_SUBCODE_EXPECTED)
    assert set(BY_CODE) == set(BY_CODE_EXPECTED)
    assert set(BY_STATUS) <= set(STATUS_EXPECTED)


@pytest.mark.parametrize(
    ("code", "subcode", "expected"),
    [(100, 2207999, PlatformTransient), (100, None, ContractChanged), (77777, None, ContractChanged)],
)
def test_what_nobody_foresaw(code: int, subcode: int | None, expected: type[StepFailed]) -> None:
    error = meta(code, subcode)
    assert type(error) is expected
    assert str(code) in (error.raw or ""), "the platform's own words are kept"


@pytest.mark.parametrize(
    ("code", "subcode", "expected"),
    [(190, None, PlatformTransient), (10, None, PlatformTransient), (4, None, RateLimited), (24, 2207006, SessionGone)],
)
def test_what_meta_calls_transient_stops_no_account(code: int, subcode: int | None, expected: type[StepFailed]) -> None:
    assert type(meta(code, subcode, is_transient=True)) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "90"}, 90.0),
        ({"x-app-usage": '{"call_count": 99, "total_time": 20}'}, None),
        ({"x-app-usage": '{"call_count": 100, "total_time": 20}'}, 3600.0),
        (
            {"x-business-use-case-usage": '{"178": [{"call_count": 100, "estimated_time_to_regain_access": 19}]}'},
            1140.0,
        ),
        ({"x-business-use-case-usage": "not json", "x-app-usage": "[]"}, None),
        ({"x-business-use-case-usage": '{"178": "odd", "179": [null]}'}, None),
    ],
)
def test_the_wait_is_the_one_the_usage_headers_tell(headers: dict[str, str], expected: float | None) -> None:
    assert meta(4, headers=headers).retry_after_s == expected


def test_only_a_limit_waits_as_told() -> None:
    assert meta(2, headers={"retry-after": "90"}).retry_after_s is None
    assert meta(9, 2207042).retry_after_s == 3600


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        ({"retriable": True, "type": "ServiceUnavailable", "message": "busy"}, PlatformTransient),
        ({"retriable": False, "type": "NotAuthorizedError", "message": "no"}, AuthInvalid),
        ({"retriable": False, "type": "OffsetInvalidError", "message": "no"}, PlatformTransient),
        ({"retriable": False, "type": "ProcessingFailedError", "message": "no"}, PlatformTransient),
        ({"retriable": False, "type": "InvalidRequest", "message": "no"}, SessionGone),
    ],
)
def test_the_upload_host_words_its_refusals_differently(upload: object, expected: type[StepFailed]) -> None:
    assert type(refusal(400, {}, json.dumps({"debug_info": upload}).encode())) is expected
    assert set(BY_UPLOAD_TYPE) == {"NotAuthorizedError", "OffsetInvalidError", "ProcessingFailedError"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Error: Media upload has failed with error code 2207026", MediaRejected),
        ("Error: Media upload has failed with error code 2207053", SessionGone),
        ("Error: 2207077", SessionGone),
        ("Error: 2207010", MetadataRejected),
        ("Error: 2207999", SessionGone),
        ("", SessionGone),
    ],
)
def test_a_container_that_failed_is_dead_whatever_the_reason(words: str, expected: type[StepFailed]) -> None:
    assert type(processing_failure(words)) is expected


def test_a_token_in_metas_words_does_not_reach_the_log() -> None:
    token = "EAA" + "x1" * 30
    assert token not in (meta(190, message=f"Malformed access token {token}").raw or "")
