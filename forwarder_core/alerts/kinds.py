"""The kinds of alerts, and what is true of each whatever it says.

A kind is stored with every message and is a key of the admin's preferences: adding one is free, renaming is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forwarder_core.errors import Severity


class AlertKind(StrEnum):
    JOB_RETRYING = "job_retrying"
    JOB_DEAD = "job_dead"
    JOB_RECOVERED = "job_recovered"
    JOB_SUCCEEDED = "job_succeeded"
    JOB_UNCONFIRMED = "job_unconfirmed"
    APPROVAL = "approval"
    JOB_ANSWERED = "job_answered"
    CAPTCHA = "captcha"
    CAPTCHA_RESOLVED = "captcha_resolved"
    ACCOUNT = "account"
    CONNECTION_PAUSED = "connection_paused"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_EXPIRING = "token_expiring"
    REFRESH_FAILED = "refresh_failed"
    TOKEN_REFRESHED = "token_refreshed"
    PROXY_UNHEALTHY = "proxy_unhealthy"
    PROXY_RECOVERED = "proxy_recovered"
    PROXY_EXIT_CHANGED = "proxy_exit_changed"
    GAP = "gap"
    CENSUS = "census"
    QUOTA = "quota"
    DISK = "disk"
    SILENCE = "silence"
    THRESHOLD = "threshold"
    BACK_TO_NORMAL = "back_to_normal"
    HEARTBEAT = "heartbeat"
    DAILY_SUMMARY = "daily_summary"
    WEEKLY_SUMMARY = "weekly_summary"
    REPORT = "report"
    ANOMALY = "anomaly"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """`resolves`: the kinds in the same thread this one is the happy end of. `severity` where no error says one."""

    title: str
    severity: Severity
    is_on: bool = True
    is_silent: bool = False  # arrives without a sound
    resolves: tuple[AlertKind, ...] = ()


_K = AlertKind
RULES: dict[AlertKind, KindRule] = {
    _K.JOB_RETRYING: KindRule(title="A job failed and is retried", severity=Severity.MEDIUM),
    _K.JOB_DEAD: KindRule(title="A job failed for good", severity=Severity.HIGH),
    _K.JOB_RECOVERED: KindRule(
        title="A job succeeded after a failure",
        severity=Severity.INFO,
        resolves=(_K.JOB_RETRYING, _K.JOB_DEAD, _K.JOB_UNCONFIRMED),
    ),
    _K.JOB_SUCCEEDED: KindRule(title="Every success", severity=Severity.INFO, is_on=False, is_silent=True),
    _K.JOB_UNCONFIRMED: KindRule(title="Not known whether a post is live", severity=Severity.HIGH),
    _K.APPROVAL: KindRule(title="A post waits for your answer", severity=Severity.MEDIUM),
    _K.JOB_ANSWERED: KindRule(
        title="A question was answered",
        severity=Severity.INFO,
        is_silent=True,
        resolves=(_K.APPROVAL, _K.JOB_UNCONFIRMED),
    ),
    _K.CAPTCHA: KindRule(title="CAPTCHA detected", severity=Severity.HIGH),
    _K.CAPTCHA_RESOLVED: KindRule(title="CAPTCHA solved", severity=Severity.INFO, resolves=(_K.CAPTCHA,)),
    _K.ACCOUNT: KindRule(title="An account needs a person", severity=Severity.CRITICAL),
    _K.CONNECTION_PAUSED: KindRule(title="A connection paused itself", severity=Severity.HIGH),
    _K.TOKEN_EXPIRED: KindRule(title="A token expired", severity=Severity.CRITICAL),
    _K.TOKEN_EXPIRING: KindRule(title="A token expires soon", severity=Severity.MEDIUM),
    _K.REFRESH_FAILED: KindRule(title="A token could not be refreshed", severity=Severity.CRITICAL),
    _K.TOKEN_REFRESHED: KindRule(
        title="A token is in order again",
        severity=Severity.INFO,
        resolves=(_K.TOKEN_EXPIRED, _K.TOKEN_EXPIRING, _K.REFRESH_FAILED, _K.ACCOUNT),
    ),
    _K.PROXY_UNHEALTHY: KindRule(title="A proxy is unhealthy", severity=Severity.HIGH),
    _K.PROXY_RECOVERED: KindRule(
        title="A proxy is healthy again", severity=Severity.INFO, resolves=(_K.PROXY_UNHEALTHY,)
    ),
    _K.PROXY_EXIT_CHANGED: KindRule(title="A proxy shows another address", severity=Severity.MEDIUM),
    _K.GAP: KindRule(title="A listing could not be read far enough", severity=Severity.MEDIUM),
    _K.CENSUS: KindRule(title="A post without a decision, or a job that does not move", severity=Severity.HIGH),
    _K.QUOTA: KindRule(title="A quota is nearly used up", severity=Severity.MEDIUM),
    _K.DISK: KindRule(title="The disk is nearly full", severity=Severity.HIGH),
    _K.SILENCE: KindRule(title="A source is silent for unusually long", severity=Severity.MEDIUM),
    _K.THRESHOLD: KindRule(title="A rate crossed its threshold", severity=Severity.HIGH),
    _K.BACK_TO_NORMAL: KindRule(
        title="A value is back within its threshold",
        severity=Severity.INFO,
        is_silent=True,
        resolves=(_K.THRESHOLD, _K.SILENCE, _K.DISK, _K.CENSUS, _K.QUOTA),
    ),
    _K.HEARTBEAT: KindRule(title="Daily sign of life", severity=Severity.INFO, is_silent=True),
    _K.DAILY_SUMMARY: KindRule(title="Daily summary", severity=Severity.INFO, is_silent=True),
    _K.WEEKLY_SUMMARY: KindRule(title="Weekly summary", severity=Severity.INFO, is_silent=True),
    _K.REPORT: KindRule(title="A report is ready", severity=Severity.INFO, is_silent=True),
    _K.ANOMALY: KindRule(title="A day unlike the others", severity=Severity.HIGH),
    _K.TEST: KindRule(title="Test message", severity=Severity.INFO),
}
_UNKNOWN = KindRule(title="Alert", severity=Severity.MEDIUM)


def rule_of(kind: str) -> KindRule:
    """A kind stored by another version is an alert all the same."""
    return RULES[AlertKind(kind)] if kind in RULES else _UNKNOWN


def is_wanted(kind: str, said: dict[str, bool]) -> bool:
    """Does the admin want messages of this kind? `said`: what was switched, by kind."""
    return said.get(kind, rule_of(kind).is_on)
