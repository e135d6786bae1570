"""What happens after a failure: for every class where the job goes, how long it waits, and whether a retry is burnt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.jobs import MOVES, JobStatus, WaitReason
from forwarder_core.domain.retries import NextMove, RetryPolicy, Strategy, after
from forwarder_core.errors import Retry, StepFailed, failure_classes

USUAL = RetryPolicy()
CLASSES = {code: cls for code, cls in failure_classes().items() if cls is not StepFailed}

BACKOFF = NextMove(JobStatus.RETRY_WAIT, WaitReason.BACKOFF, 10.0, True)
DEAD = NextMove(JobStatus.DEAD, None, None, False)
HELD = NextMove(JobStatus.PAUSED, WaitReason.ACCOUNT, None, False)

# The first failure of a job, under the usual policy, where the platform named no wait.
EXPECTED = {
    "network_error": BACKOFF,
    "proxy_error": BACKOFF,
    "proxy_blocked": BACKOFF,
    "platform_transient": BACKOFF,
    "session_gone": BACKOFF,
    "local_error": BACKOFF,
    "rate_limited": NextMove(JobStatus.RETRY_WAIT, WaitReason.RATE, 900.0, False),
    "quota_exhausted": NextMove(JobStatus.RETRY_WAIT, WaitReason.QUOTA, 3_600.0, False),
    "destination_daily_limit": NextMove(JobStatus.RETRY_WAIT, WaitReason.DAILY_LIMIT, 86_400.0, False),
    "action_blocked": HELD,
    "token_expired": HELD,
    "invalid_credentials": HELD,
    "account_suspended": HELD,
    "captcha_detected": NextMove(JobStatus.CAPTCHA, None, None, False),
    "source_gone": DEAD,
    "source_login_required": DEAD,
    "geo_blocked": BACKOFF,
    "bot_check": BACKOFF,
    "media_rejected": DEAD,
    "metadata_rejected": BACKOFF,
    "policy_rejected": DEAD,
    "duplicate": NextMove(JobStatus.CANCELLED, None, None, False),
    "connection_stopped": NextMove(JobStatus.CANCELLED, None, None, False),
    "outcome_unknown": NextMove(JobStatus.RETRY_WAIT, WaitReason.SETTLING, 60.0, False),
    "unconfirmed": NextMove(JobStatus.UNCONFIRMED, None, None, False),
    "client_outdated": DEAD,
    "contract_changed": DEAD,
    "bug": DEAD,
}


def test_every_failure_has_its_line_in_this_table() -> None:
    assert set(EXPECTED) == set(CLASSES)


@pytest.mark.parametrize("code", sorted(EXPECTED))
def test_where_a_job_goes_after_its_first_failure(code: str) -> None:
    assert after(CLASSES[code]("It failed."), retries_used=0, policy=USUAL) == EXPECTED[code]


@pytest.mark.parametrize("code", sorted(CLASSES))
def test_a_running_job_may_go_where_every_failure_sends_it(code: str) -> None:
    for used in range(6):
        assert after(CLASSES[code]("It failed."), retries_used=used, policy=USUAL).status in MOVES[JobStatus.RUNNING]


def test_three_retries_after_10_60_and_300_seconds_and_then_the_end() -> None:
    moves = [after(CLASSES["network_error"]("Cut."), retries_used=used, policy=USUAL) for used in range(5)]
    assert [move.wait_s for move in moves] == [10, 60, 300, None, None]
    assert [move.status for move in moves[3:]] == [JobStatus.DEAD, JobStatus.DEAD]


def test_what_is_tried_once_more_is_dead_after_that() -> None:
    once = CLASSES["geo_blocked"]("Not here.")
    assert after(once, retries_used=0, policy=USUAL).status is JobStatus.RETRY_WAIT
    assert after(once, retries_used=1, policy=USUAL).status is JobStatus.DEAD
    assert after(once, retries_used=0, policy=RetryPolicy(max_retries=0)).status is JobStatus.DEAD


@pytest.mark.parametrize("code", [code for code, cls in CLASSES.items() if cls.retry is Retry.AS_TOLD])
def test_a_wait_the_platform_named_is_obeyed_and_burns_nothing_however_often(code: str) -> None:
    told = after(CLASSES[code]("Slow down.", retry_after_s=42), retries_used=99, policy=USUAL)
    assert (told.status, told.wait_s, told.burns_retry) == (JobStatus.RETRY_WAIT, 42, False)
    assert after(CLASSES[code]("Slow down.", retry_after_s=0), retries_used=0, policy=USUAL).wait_s == 0


def test_a_platform_that_names_a_longer_wait_than_the_policy_is_believed() -> None:
    busy = CLASSES["platform_transient"]
    assert after(busy("Busy.", retry_after_s=200), retries_used=0, policy=USUAL).wait_s == 200
    assert after(busy("Busy.", retry_after_s=1), retries_used=0, policy=USUAL).wait_s == 10


def test_an_unknown_outcome_is_asked_about_for_as_long_as_it_takes() -> None:
    assert after(CLASSES["outcome_unknown"]("?"), retries_used=50, policy=USUAL) == EXPECTED["outcome_unknown"]


def test_classes_can_be_taken_out_of_the_retries_and_into_them() -> None:
    policy = RetryPolicy(no_retry_on=frozenset({"network_error", "geo_blocked"}), retry_on=frozenset({"source_gone"}))
    assert after(CLASSES["network_error"]("Cut."), retries_used=0, policy=policy) == DEAD
    assert after(CLASSES["geo_blocked"]("No."), retries_used=0, policy=policy) == DEAD
    assert after(CLASSES["source_gone"]("Gone."), retries_used=0, policy=policy) == BACKOFF
    assert after(CLASSES["source_gone"]("Gone."), retries_used=3, policy=policy) == DEAD


@pytest.mark.parametrize("code", ["captcha_detected", "token_expired", "rate_limited", "outcome_unknown", "duplicate"])
def test_no_policy_makes_a_retry_of_what_must_wait_for_a_person_or_an_answer(code: str) -> None:
    policy = RetryPolicy(retry_on=frozenset({code}), no_retry_on=frozenset({code}))
    assert after(CLASSES[code]("It failed."), retries_used=0, policy=policy) == EXPECTED[code]


def test_an_exponential_wait_grows_sixfold_up_to_its_most() -> None:
    policy = RetryPolicy(delays_s=(), max_retries=9)
    assert [policy.delay_s(n) for n in range(1, 6)] == [10, 60, 360, 600, 600]


def test_a_fixed_wait_stays_and_is_capped_too() -> None:
    assert RetryPolicy(delays_s=(), strategy=Strategy.FIXED, initial_delay_s=20).delay_s(5) == 20
    assert RetryPolicy(delays_s=(), strategy=Strategy.FIXED, initial_delay_s=900).delay_s(1) == 600


def test_more_retries_than_named_waits_use_the_last_one() -> None:
    policy = RetryPolicy(max_retries=5, delays_s=(1.0, 2.0))
    assert [after(CLASSES["network_error"]("Cut."), retries_used=n, policy=policy).wait_s for n in range(6)] == [
        1,
        2,
        2,
        2,
        2,
        None,
    ]


@given(
    st.sampled_from(sorted(CLASSES)),
    st.integers(0, 30),
    st.none() | st.floats(0, 1e6),
    st.builds(
        RetryPolicy,
        max_retries=st.integers(0, 20),
        delays_s=st.lists(st.floats(0, 1e4), max_size=4).map(tuple),
        strategy=st.sampled_from(Strategy),
        multiplier=st.floats(1, 10),
        initial_delay_s=st.floats(0, 1e4),
        max_delay_s=st.floats(0, 1e5),
        retry_on=st.sets(st.sampled_from(sorted(CLASSES))).map(frozenset),
        no_retry_on=st.sets(st.sampled_from(sorted(CLASSES))).map(frozenset),
    ),
)
def test_whatever_fails_the_job_gets_a_named_state_and_only_a_burnt_retry_counts(
    code: str, used: int, told: float | None, policy: RetryPolicy
) -> None:
    move = after(CLASSES[code]("It failed.", retry_after_s=told), retries_used=used, policy=policy)
    assert move.status in MOVES[JobStatus.RUNNING] - {JobStatus.SUCCESS, JobStatus.QUEUED}
    assert (move.status is JobStatus.RETRY_WAIT) == (move.wait_s is not None)
    assert not move.burns_retry or (move.wait_reason is WaitReason.BACKOFF and used < policy.max_retries)
    assert (move.wait_reason is not None) == (move.status in (JobStatus.RETRY_WAIT, JobStatus.PAUSED))
