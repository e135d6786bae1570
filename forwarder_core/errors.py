"""The one error tree. Every error has a stable `code` and an `action`: what the admin should do.

    ForwarderError
    ├── StartError            the product cannot start as it is set up (exit code 2, one line, no traceback)
    │   └── SettingsError · PortTaken · DatabaseUnreachable · FfmpegMissing · DiskFull · WeakSecret · AlreadyRunning
    ├── RequestError          what a person or program asked for cannot be done (has an HTTP status)
    │   └── NotFound · Invalid · Conflict · NotSignedIn · Forbidden · TooManyRequests · Unavailable
    ├── StepFailed            a step of a forward or of a poll failed; carries the retry rule of its class
    │   ├── NetworkFailed · ProxyFailed · ProxyBlocked · PlatformTransient (SessionGone)               waits 10/60/300 s
    │   ├── RateLimited · QuotaExhausted · DestinationDailyLimit                              waits as told, burns none
    │   ├── AuthExpired · AuthInvalid · AccountDisabled · ActionBlocked · ChallengeRequired   a person must act
    │   ├── SourceGone · SourceLoginRequired · GeoBlocked · BotCheck                          the source refuses
    │   ├── MediaRejected · MetadataRejected · PolicyRejected · AlreadyPublished              the destination refuses
    │   ├── ConnectionStopped                                                              the admin changed their mind
    │   ├── OutcomeUnknown (Unconfirmed)                                                      reconcile, never repeat
    │   └── ClientOutdated · ContractChanged · LocalFailed · Bug                              ours to mend
    └── Fenced                another worker holds this job now; stop at once, write nothing
        └── AwaitingAnswer    this worker laid the job down: it goes on when a person has answered

Vendor exceptions die in `platforms/*/errors.py`; nothing above a platform folder catches one.
The classes of StepFailed and their waits are reference data: engine, alerts and docs read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Scope(StrEnum):
    """Who must rest after a failure: a cool-down belongs to exactly one of these."""

    JOB = "job"
    ACCOUNT = "account"
    DESTINATION = "destination"
    PROXY = "proxy"
    PROJECT = "project"
    PLATFORM = "platform"


class Severity(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Retry(StrEnum):
    """How the engine goes on after a failure of this class."""

    BACKOFF = "backoff"  # burns a retry; waits of the retry policy
    AS_TOLD = "as_told"  # burns none; waits for what the platform said, else for the class's own wait
    ONCE = "once"  # one more try, then dead
    NEVER = "never"  # dead at once
    HOLD = "hold"  # waits for a person; the job is not dead
    RECONCILE = "reconcile"  # ask the destination what happened first
    ASK = "ask"  # only a person can say what happened
    DONE = "done"  # nothing is left to do, and nothing was done


class ForwarderError(Exception):
    """Root of the tree. `str(error)` is one sentence for the admin, free of secrets."""

    code: ClassVar[str] = "error"
    action: str = "Look at the log of this event; report it if it happens again."

    def __init__(self, message: str, *, action: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if action is not None:
            self.action = action


class StartError(ForwarderError):
    code = "start_failed"


class SettingsError(StartError):
    """All bad settings at once, one per line."""

    code = "settings_invalid"
    action = "Correct the settings named above (docs/configuration.md lists each with default and unit)."


class WeakSecret(StartError):
    code = "secret_weak"
    action = "Remove the setting to have a strong one generated, or give a longer one."


class PortTaken(StartError):
    code = "port_taken"
    action = "Stop the program that holds the port, or set another one."


class DatabaseUnreachable(StartError):
    code = "database_unreachable"
    action = "Check FORWARDER_DATABASE_URL: host, port, user, password, and that the server accepts this machine."


class FfmpegMissing(StartError):
    code = "ffmpeg_missing"
    action = "Install ffmpeg, or set FORWARDER_FFMPEG to its full path."


class DiskFull(StartError):
    code = "disk_full"
    action = "Free space on the disk that holds FORWARDER_HOME."


class AlreadyRunning(StartError):
    code = "already_running"
    action = "Stop the other one, or give this one another FORWARDER_HOME."


class RequestError(ForwarderError):
    code = "bad_request"
    status: ClassVar[int] = 400


class NotFound(RequestError):
    code = "not_found"
    status = 404
    action = "Check the id; it may have been deleted."


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field of a request, `field` as a dotted path."""

    field: str
    message: str


class Invalid(RequestError):
    code = "invalid"
    status = 422
    action = "Correct the fields named and send again."

    def __init__(self, message: str, *fields: FieldError, action: str | None = None) -> None:
        super().__init__(message, action=action)
        self.fields = fields


class Conflict(RequestError):
    code = "conflict"
    status = 409
    action = "Reload, look at the present state, and decide again."


class NotSignedIn(RequestError):
    code = "not_signed_in"
    status = 401
    action = "Sign in again."


class Forbidden(RequestError):
    code = "forbidden"
    status = 403
    action = "Send the request from the app itself, with its CSRF token."


class TooManyRequests(RequestError):
    code = "too_many_requests"
    status = 429
    action = "Wait for the time given in Retry-After."

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(RequestError):
    code = "unavailable"
    status = 503
    action = "Try again in a few seconds; look at the health page if it lasts."


class Fenced(ForwarderError):
    code = "fenced"
    action = "Nothing to do: another worker carries this job."


class AwaitingAnswer(Fenced):
    code = "awaiting_answer"
    action = "Answer the question on the job, or in Telegram."


class StepFailed(ForwarderError):
    """A step failed in a way the engine knows how to go on from.

    `retry_after_s`: what the platform told us to wait, in seconds. `raw`: the platform's own words, redacted,
    for the log. `wait_s` of the class is used where the platform said nothing.
    """

    code = "step_failed"
    retry: ClassVar[Retry] = Retry.NEVER
    scope: ClassVar[Scope] = Scope.JOB
    severity: ClassVar[Severity] = Severity.MEDIUM
    title: ClassVar[str] = "Step failed"
    wait_s: ClassVar[int] = 0

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        raw: str | None = None,
        action: str | None = None,
    ) -> None:
        super().__init__(message, action=action)
        self.retry_after_s = retry_after_s
        self.raw = raw


class NetworkFailed(StepFailed):
    code, retry, title = "network_error", Retry.BACKOFF, "Network error"
    action = "Nothing yet: it is retried by itself. Check the server's network if it repeats."


class ProxyFailed(StepFailed):
    code, retry, scope, title = "proxy_error", Retry.BACKOFF, Scope.PROXY, "Proxy unreachable or refused the login"
    action = "Test or replace the proxy under Proxies."


class ProxyBlocked(StepFailed):
    code, retry, scope, title = "proxy_blocked", Retry.BACKOFF, Scope.PROXY, "Platform refuses this address"
    severity, wait_s = Severity.HIGH, 60
    action = "Give the account another proxy under Proxies."


class PlatformTransient(StepFailed):
    code, retry, title = "platform_transient", Retry.BACKOFF, "Platform error"
    action = "Nothing yet: it is retried by itself."


class SessionGone(PlatformTransient):
    """The upload session is not there any more and nothing irreversible was sent in it: begin a new one."""

    code, title = "session_gone", "Upload session expired"


class RateLimited(StepFailed):
    code, retry, scope, title = "rate_limited", Retry.AS_TOLD, Scope.ACCOUNT, "Rate limited"
    severity, wait_s = Severity.HIGH, 15 * 60
    action = "Nothing yet: it waits as the platform asked. Lower the frequency if it repeats."


class QuotaExhausted(StepFailed):
    """`retry_after_s` runs to midnight Pacific, where Google resets its counters."""

    code, retry, scope, title = "quota_exhausted", Retry.AS_TOLD, Scope.PROJECT, "API quota used up"
    severity, wait_s = Severity.HIGH, 3600
    action = "It goes on after the reset. Ask Google for more quota if it repeats."


class DestinationDailyLimit(StepFailed):
    code, retry, scope, title = "destination_daily_limit", Retry.AS_TOLD, Scope.DESTINATION, "Daily post limit reached"
    severity, wait_s = Severity.HIGH, 24 * 3600
    action = "It goes on when the destination accepts posts again. Spread the posts over more days."


class ActionBlocked(StepFailed):
    code, retry, scope, title = "action_blocked", Retry.HOLD, Scope.ACCOUNT, "Platform blocked this action"
    severity, wait_s = Severity.CRITICAL, 24 * 3600
    action = "Stop posting from this account and look into the platform's app for the reason."


class AuthExpired(StepFailed):
    code, retry, scope, title = "token_expired", Retry.HOLD, Scope.ACCOUNT, "ACCESS TOKEN EXPIRED"
    severity = Severity.CRITICAL
    action = "Re-authenticate in Accounts → the account → Update token."


class AuthInvalid(StepFailed):
    code, retry, scope, title = "invalid_credentials", Retry.HOLD, Scope.ACCOUNT, "Login refused or permission missing"
    severity = Severity.CRITICAL
    action = "Check the password or the granted permissions in Accounts."


class ChallengeRequired(StepFailed):
    code, retry, scope, title = "captcha_detected", Retry.HOLD, Scope.ACCOUNT, "CAPTCHA DETECTED"
    severity = Severity.HIGH
    action = "Complete the check in the platform's app, then press Mark CAPTCHA solved on the account."


class AccountDisabled(StepFailed):
    code, retry, scope, title = "account_suspended", Retry.HOLD, Scope.ACCOUNT, "Account suspended"
    severity = Severity.CRITICAL
    action = "Appeal in the platform's app; its connections stay paused until then."


class SourceGone(StepFailed):
    code, title = "source_gone", "Source clip not available"
    severity = Severity.LOW
    action = "Nothing: the post was deleted or made private at its source."


class SourceLoginRequired(StepFailed):
    code, title = "source_login_required", "Source wants a login"
    action = "Give the source account a login or cookies in Accounts."


class GeoBlocked(StepFailed):
    code, retry, title = "geo_blocked", Retry.ONCE, "Source blocked in this country"
    action = "Give the source account a proxy in a country where the clip can be seen."


class BotCheck(StepFailed):
    code, retry, scope, title = "bot_check", Retry.ONCE, Scope.ACCOUNT, "Source asks whether this is a robot"
    severity = Severity.HIGH
    action = "Add cookies of a signed-in browser to the source account, or use a file drop."


class MediaRejected(StepFailed):
    code, title = "media_rejected", "The file cannot be used"
    action = "Look at the reason; change the connection's transform options or the source file."


class MetadataRejected(StepFailed):
    code, retry, title = "metadata_rejected", Retry.ONCE, "Title or caption refused"
    action = "Change the caption template of the connection."


class PolicyRejected(StepFailed):
    code, title = "policy_rejected", "Rejected by the destination's rules"
    severity = Severity.HIGH
    action = "Look into the destination's own notice; do not post this again."


class AlreadyPublished(StepFailed):
    code, retry, title = "duplicate", Retry.DONE, "Already there"
    severity = Severity.INFO
    action = "Nothing: the destination has this post."


class ConnectionStopped(StepFailed):
    """Found out on behalf of a stopped connection: the post is not live, and it is not published any more."""

    code, retry, title = "connection_stopped", Retry.DONE, "Connection stopped"
    severity = Severity.INFO
    action = "Start the connection, then retry the job when it should go on after all."


class OutcomeUnknown(StepFailed):
    code, retry, title = "outcome_unknown", Retry.RECONCILE, "Unclear whether it was posted"
    severity, wait_s = Severity.HIGH, 60
    action = "The system checks the destination by itself; if it stays unclear, say on the job whether it is live."


class Unconfirmed(OutcomeUnknown):
    """The destination would not say for longer than anything lags."""

    code, retry, title, wait_s = "unconfirmed", Retry.ASK, "Not known whether it was posted", 0
    action = "Look at the destination, then press It is live or Publish again on the job."


class ClientOutdated(StepFailed):
    code, scope, title = "client_outdated", Scope.PLATFORM, "Client library no longer accepted"
    severity = Severity.CRITICAL
    action = "Update the product."


class ContractChanged(StepFailed):
    code, scope, title = "contract_changed", Scope.PLATFORM, "Platform answered in an unknown form"
    severity = Severity.HIGH
    action = "Update the product; report the log of this job if it is already the newest."


class LocalFailed(StepFailed):
    code, retry, title = "local_error", Retry.BACKOFF, "This server could not do the work"
    severity, wait_s = Severity.HIGH, 300
    action = "Check free disk space and memory of the server."


class Bug(StepFailed):
    code, title = "bug", "Unexpected error"
    severity = Severity.HIGH
    action = "Report the log of this job; retry it by hand after an update."


def failure_classes() -> dict[str, type[StepFailed]]:
    """Every class of failure by its stable code, for alerts, docs, filters and retry policies.

    A platform's own subclass without a code of its own is, to all of these, its parent.
    """

    def walk(cls: type[StepFailed]) -> list[type[StepFailed]]:
        return [cls, *(leaf for sub in cls.__subclasses__() for leaf in walk(sub))]

    return {cls.code: cls for cls in walk(StepFailed) if "code" in vars(cls)}
