"""What happens after a failure: the pure decision of the engine. Waits are rows, not sleeping workers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forwarder_core.domain.jobs import JobStatus, WaitReason
from forwarder_core.errors import Retry, StepFailed

DEFAULT_DELAYS_S = (10.0, 60.0, 300.0)  # brief §10


class Strategy(StrEnum):
    EXPONENTIAL = "exponential"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Three retries after 10, 60 and 300 s by default, so up to four attempts.

    `delays_s` wins where given; else the wait before retry n (from 1) is
    `initial_delay_s * multiplier ** (n - 1)`, never more than `max_delay_s`. `is_named`: `max_retries` was said for
    this very class of failure, and so holds for one that is usually tried once more only.
    """

    max_retries: int = 3
    delays_s: tuple[float, ...] = DEFAULT_DELAYS_S
    strategy: Strategy = Strategy.EXPONENTIAL
    multiplier: float = 6.0
    initial_delay_s: float = 10.0
    max_delay_s: float = 600.0
    retry_on: frozenset[str] = frozenset()
    no_retry_on: frozenset[str] = frozenset()
    is_named: bool = False

    def delay_s(self, retry: int) -> float:
        if self.delays_s:
            return self.delays_s[min(retry, len(self.delays_s)) - 1]
        growth = self.multiplier ** (retry - 1) if self.strategy is Strategy.EXPONENTIAL else 1.0
        return min(self.initial_delay_s * growth, self.max_delay_s)


@dataclass(frozen=True, slots=True)
class NextMove:
    """Where a failed job goes. `wait_s` None = until a person or an event says so."""

    status: JobStatus
    wait_reason: WaitReason | None
    wait_s: float | None
    burns_retry: bool


_REASONS = {
    "rate_limited": WaitReason.RATE,
    "quota_exhausted": WaitReason.QUOTA,
    "destination_daily_limit": WaitReason.DAILY_LIMIT,
}


def after(failure: StepFailed, *, retries_used: int, policy: RetryPolicy, is_free: bool = False) -> NextMove:
    """The next move of a job whose attempt ended with `failure` after `retries_used` burnt retries.

    `is_free`: the trouble is known to be everybody's (a breaker is open), so this failure burns no retry.
    """
    rule = rule_of(type(failure), policy)
    if rule is Retry.HOLD:
        if failure.code == "captcha_detected":
            return NextMove(JobStatus.CAPTCHA, None, None, False)
        return NextMove(JobStatus.PAUSED, WaitReason.ACCOUNT, None, False)
    if rule is Retry.AS_TOLD:
        wait = failure.retry_after_s if failure.retry_after_s is not None else float(failure.wait_s)
        return NextMove(JobStatus.RETRY_WAIT, _REASONS.get(failure.code, WaitReason.RATE), wait, False)
    if rule is Retry.RECONCILE:
        wait = failure.retry_after_s if failure.retry_after_s is not None else float(failure.wait_s)
        return NextMove(JobStatus.RETRY_WAIT, WaitReason.SETTLING, wait, False)
    if rule in _ENDS:
        return NextMove(_ENDS[rule], None, None, False)
    if is_free and rule is Retry.BACKOFF:
        return NextMove(JobStatus.RETRY_WAIT, WaitReason.BREAKER, policy.delay_s(retries_used + 1), False)
    if retries_used >= allowed(type(failure), policy):
        return _DEAD
    wait = max(policy.delay_s(retries_used + 1), failure.retry_after_s or 0.0)
    return NextMove(JobStatus.RETRY_WAIT, WaitReason.BACKOFF, wait, True)


def rule_of(failure: type[StepFailed], policy: RetryPolicy) -> Retry:
    """The rule of the class, where the policy does not turn retries off or on for it. What waits for a person, an
    answer or as it is told is beyond any policy."""
    if failure.code in policy.no_retry_on and failure.retry in (Retry.BACKOFF, Retry.ONCE):
        return Retry.NEVER
    if failure.code in policy.retry_on and failure.retry is Retry.NEVER:
        return Retry.BACKOFF
    return failure.retry


def allowed(failure: type[StepFailed], policy: RetryPolicy) -> int:
    """How many retries a failure of this class may burn."""
    rule = rule_of(failure, policy)
    if rule is Retry.BACKOFF or (rule is Retry.ONCE and policy.is_named):
        return policy.max_retries
    return min(1, policy.max_retries) if rule is Retry.ONCE else 0


_ENDS = {Retry.ASK: JobStatus.UNCONFIRMED, Retry.DONE: JobStatus.CANCELLED}
_DEAD = NextMove(JobStatus.DEAD, None, None, False)
