"""What is said about retries: 001's example as it is written, who wins, and that nonsense is refused by its place."""

from __future__ import annotations

from typing import Any

import pytest

from forwarder_core.domain.jobs import JobStatus
from forwarder_core.domain.retries import RetryPolicy, Strategy, after
from forwarder_core.domain.retry_rules import ERROR_WORDS, Layer, code_of, layer_of, policy_for
from forwarder_core.errors import Invalid, failure_classes

# Functional specification 4.10.1, letter by letter.
EXAMPLE = {
    "max_attempts": 3,
    "backoff_strategy": "exponential",
    "backoff_multiplier": 6,
    "initial_delay_seconds": 10,
    "max_delay_seconds": 600,
    "retry_on_errors": ["network_timeout", "proxy_error", "api_temporary_error", "rate_limit_exceeded"],
    "no_retry_on_errors": ["invalid_credentials", "account_suspended", "video_too_large", "copyright_violation"],
}
USUAL = layer_of({"max_attempts": 3, "delays_seconds": [10, 60, 300]})


def waits(code: str, *layers: Layer) -> list[float | None]:
    """The waits of a job that fails with this class again and again, to its end."""
    policy = policy_for(code, layers)
    moves = []
    for used in range(30):
        moves.append(after(failure_classes()[code]("It failed."), retries_used=used, policy=policy))
        if moves[-1].status is not JobStatus.RETRY_WAIT:
            return [move.wait_s for move in moves[:-1]]
    return [move.wait_s for move in moves]


def refused(said: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as e:
        layer_of(said)
    return {f.field: f.message for f in e.value.fields}


def test_the_example_of_the_specification_is_understood_word_for_word() -> None:
    assert layer_of(EXAMPLE) == Layer(
        rule={
            "max_retries": 3,
            "strategy": Strategy.EXPONENTIAL,
            "multiplier": 6.0,
            "initial_delay_s": 10.0,
            "max_delay_s": 600.0,
        },
        is_retried={
            "network_error": True,
            "proxy_error": True,
            "platform_transient": True,
            "rate_limited": True,
            "invalid_credentials": False,
            "account_suspended": False,
            "media_rejected": False,
            "policy_rejected": False,
        },
    )
    assert waits("network_error", USUAL, layer_of(EXAMPLE)) == [10, 60, 360]
    assert waits("media_rejected", USUAL, layer_of(EXAMPLE)) == []


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("network_timeout", "network_error"),
        ("api_rate_limit", "rate_limited"),
        ("token_expired", "token_expired"),
        ("proxy_error", "proxy_error"),
        ("captcha_detected", "captcha_detected"),
        ("video_too_large", "media_rejected"),
        ("account_suspended", "account_suspended"),
        ("challenge_required", "captcha_detected"),
        ("quota_exceeded", "quota_exhausted"),
        ("login_required", "token_expired"),
    ],
)
def test_every_error_of_the_specification_has_a_class(word: str, code: str) -> None:
    assert code_of(word) == code


def test_every_foreign_word_leads_to_a_class_and_hides_none() -> None:
    assert set(ERROR_WORDS.values()) <= set(failure_classes())
    assert not set(ERROR_WORDS) & set(failure_classes())
    assert code_of("no_such_error") is None


def test_what_is_closest_to_the_failure_wins_word_by_word() -> None:
    usual = layer_of(
        {"max_attempts": 3, "delays_seconds": [10, 60], "per_class": {"network_error": {"delays_seconds": [7]}}}
    )
    assert waits("network_error", usual) == [7, 7, 7]
    assert waits("proxy_error", usual) == [10, 60, 60]
    own = layer_of({"max_attempts": 2})
    assert waits("network_error", usual, own) == [7, 7], "the connection says how many, not how long"
    own = layer_of({"max_attempts": 2, "initial_delay_seconds": 5, "backoff_strategy": "fixed"})
    assert waits("network_error", usual, own) == [5, 5], "the connection comes before the installation's class"
    own = layer_of({"max_attempts": 2, "per_class": {"network_timeout": {"max_attempts": 4, "delays_seconds": [1]}}})
    assert waits("network_error", usual, own) == [1, 1, 1, 1]
    assert waits("proxy_error", usual, own) == [10, 60]


def test_half_a_formula_takes_the_other_half_from_below() -> None:
    usual = layer_of({"delays_seconds": [10], "backoff_multiplier": 2, "max_delay_seconds": 15})
    assert waits("network_error", usual) == [10, 10, 10], "named waits win over a formula said with them"
    assert waits("network_error", usual, layer_of({"initial_delay_seconds": 4})) == [4, 8, 15]


def test_a_class_tried_once_is_tried_as_often_as_is_said_of_it_and_of_no_other() -> None:
    assert waits("geo_blocked", USUAL, layer_of({"max_attempts": 5})) == [10]
    assert waits("geo_blocked", USUAL, layer_of({"per_class": {"geo_blocked": {"max_attempts": 2}}})) == [10, 60]


def test_a_connection_may_turn_retries_on_again_that_the_installation_turned_off() -> None:
    usual = layer_of({"no_retry_on_errors": ["network_timeout"], "retry_on_errors": ["source_gone"]})
    assert waits("network_error", usual) == [] and waits("source_gone", usual) == [10, 60, 300]
    own = layer_of({"retry_on_errors": ["network_error"], "no_retry_on_errors": ["source_gone"]})
    assert waits("network_error", usual, own) == [10, 60, 300] and waits("source_gone", usual, own) == []


def test_nobody_saying_anything_is_the_specifications_own_default() -> None:
    assert policy_for("network_error", ()) == RetryPolicy()
    assert waits("network_error", Layer()) == [10, 60, 300]


def test_everything_that_makes_no_sense_is_named_at_its_place() -> None:
    said = {
        "max_attempts": -1,
        "max_retries": 3,
        "backoff_strategy": "quadratic",
        "backoff_multiplier": "six",
        "delays_seconds": [],
        "retry_on_errors": ["network_timeout", "nonsense"],
        "no_retry_on_errors": "network_timeout",
        "per_class": {
            "nonsense": {},
            "captcha_detected": {"max_attempts": 1},
            "network_error": {"max_attempts": 2.5, "delay": 3},
            "network_timeout": {},
            "proxy_error": 3,
        },
    }
    assert sorted(refused(said)) == [
        "backoff_multiplier",
        "backoff_strategy",
        "delays_seconds",
        "max_attempts",
        "max_retries",
        "no_retry_on_errors",
        "per_class.captcha_detected",
        "per_class.network_error.delay",
        "per_class.network_error.max_attempts",
        "per_class.network_timeout",
        "per_class.nonsense",
        "per_class.proxy_error",
        "retry_on_errors.1",
    ]


def test_an_error_cannot_be_retried_and_not_retried() -> None:
    assert list(refused({"retry_on_errors": ["network_timeout"], "no_retry_on_errors": ["network_error"]})) == [
        "no_retry_on_errors"
    ]


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), None, "3", [3], 21, -1])
def test_a_number_of_retries_is_a_number_within_bounds(value: Any) -> None:
    assert list(refused({"max_attempts": value})) == ["max_attempts"]
