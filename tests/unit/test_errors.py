"""The error tree is reference data: engine, alerts, docs and screens read codes, titles and actions from it."""

from __future__ import annotations

from collections import Counter

import pytest

from forwarder_core import errors
from forwarder_core.errors import (
    FieldError,
    ForwarderError,
    Invalid,
    NetworkFailed,
    RequestError,
    Retry,
    Severity,
    StepFailed,
    TooManyRequests,
    failure_classes,
)


def tree(root: type[ForwarderError]) -> list[type[ForwarderError]]:
    """Those with a code of their own: a platform's inner subclass is its parent to everybody else."""
    below = [leaf for sub in root.__subclasses__() for leaf in tree(sub)]
    return [root, *below] if "code" in vars(root) else below


FAILURES = [cls for cls in tree(StepFailed) if cls is not StepFailed]
OURS = [cls for cls in tree(ForwarderError) if cls.__module__ == errors.__name__]


def test_no_two_failures_share_a_code() -> None:
    counted = Counter(cls.code for cls in tree(StepFailed))
    assert [code for code, times in counted.items() if times > 1] == []


def test_no_two_classes_of_this_module_share_a_code() -> None:
    counted = Counter(cls.code for cls in OURS)
    assert [code for code, times in counted.items() if times > 1] == []


def test_failure_classes_lists_every_class_once_under_its_own_code() -> None:
    assert failure_classes() == {cls.code: cls for cls in tree(StepFailed)}
    assert {"network_error", "rate_limited", "captcha_detected", "outcome_unknown", "bug"} <= failure_classes().keys()


@pytest.mark.parametrize("cls", FAILURES, ids=lambda cls: cls.__name__)
def test_every_failure_tells_the_admin_what_it_is_and_what_to_do(cls: type[StepFailed]) -> None:
    assert cls.__dict__.get("title"), "a title of its own"
    assert cls.action != ForwarderError.action, "an action of its own, not the root's"
    assert cls.action.strip().endswith(".")
    assert isinstance(cls.retry, Retry) and isinstance(cls.severity, Severity)
    assert cls.wait_s >= 0


@pytest.mark.parametrize("cls", FAILURES, ids=lambda cls: cls.__name__)
def test_a_failure_that_waits_as_told_has_a_wait_of_its_own_for_a_silent_platform(cls: type[StepFailed]) -> None:
    if cls.retry in (Retry.AS_TOLD, Retry.RECONCILE):
        assert cls.wait_s > 0
    else:
        assert cls.retry is not None


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_every_code_is_a_stable_lower_case_word(cls: type[ForwarderError]) -> None:
    assert cls.code == cls.code.lower() and cls.code.replace("_", "").isalnum()


@pytest.mark.parametrize("cls", tree(RequestError), ids=lambda cls: cls.__name__)
def test_every_request_error_has_a_client_or_availability_status(cls: type[RequestError]) -> None:
    assert 400 <= cls.status < 500 or cls.status == 503


def test_the_message_is_the_text_of_the_error_and_an_action_given_wins_over_the_class() -> None:
    plain = NetworkFailed("The connection failed.")
    told = NetworkFailed("The connection failed.", action="Plug the cable in.", retry_after_s=7, raw="ECONNRESET")
    assert str(plain) == plain.message == "The connection failed."
    assert plain.action == NetworkFailed.action and plain.retry_after_s is None and plain.raw is None
    assert (told.action, told.retry_after_s, told.raw) == ("Plug the cable in.", 7, "ECONNRESET")
    assert NetworkFailed.action != "Plug the cable in."


def test_invalid_carries_every_bad_field_and_too_many_requests_its_wait() -> None:
    refused = Invalid("No.", FieldError("alias", "must not be empty"), FieldError("handle", "is taken"))
    assert [f.field for f in refused.fields] == ["alias", "handle"]
    assert TooManyRequests("Slow down.", retry_after_s=30).retry_after_s == 30
