"""From a stored event to the message people read. Pure: the same facts give the same text.

The formats are in `jobs`, `accounts` and `system`, the digest of many in `digest`. The fact to know: everything in a
payload may have been written by a stranger (captions, aliases, a platform's error), so formats go through `Page`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from forwarder_core.alerts import accounts, jobs, system
from forwarder_core.alerts.buttons import buttons_of
from forwarder_core.alerts.facts import Facts, Frame
from forwarder_core.alerts.kinds import AlertKind, rule_of
from forwarder_core.alerts.text import Message, Page, Span, safe

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)  # what odd facts can lead to
Format = Callable[[Facts, Frame, str], Page]
_K = AlertKind
_FORMATS: dict[AlertKind, Format] = {
    _K.JOB_RETRYING: jobs.retrying,
    _K.JOB_DEAD: jobs.dead,
    _K.JOB_RECOVERED: jobs.recovered,
    _K.JOB_SUCCEEDED: jobs.succeeded,
    _K.JOB_UNCONFIRMED: jobs.unconfirmed,
    _K.APPROVAL: jobs.question,
    _K.JOB_ANSWERED: jobs.answered,
    _K.CAPTCHA: accounts.captcha,
    _K.CAPTCHA_RESOLVED: accounts.captcha_resolved,
    _K.ACCOUNT: accounts.account,
    _K.CONNECTION_PAUSED: jobs.connection_paused,
    _K.TOKEN_EXPIRED: accounts.token_expired,
    _K.TOKEN_EXPIRING: accounts.token_expiring,
    _K.REFRESH_FAILED: accounts.refresh_failed,
    _K.TOKEN_REFRESHED: accounts.token_refreshed,
    _K.PROXY_UNHEALTHY: accounts.proxy_unhealthy,
    _K.PROXY_RECOVERED: accounts.proxy_recovered,
    _K.PROXY_EXIT_CHANGED: accounts.proxy_exit_changed,
    _K.GAP: system.gap,
    _K.CENSUS: system.census,
    _K.QUOTA: system.quota,
    _K.DISK: system.disk,
    _K.SILENCE: system.silence,
    _K.THRESHOLD: system.threshold,
    _K.BACK_TO_NORMAL: system.back_to_normal,
    _K.HEARTBEAT: system.heartbeat,
    _K.DAILY_SUMMARY: system.daily_summary,
    _K.WEEKLY_SUMMARY: system.weekly_summary,
    _K.REPORT: system.report,
    _K.ANOMALY: system.anomaly,
    _K.TEST: system.test,
}


def render(kind: str, payload: Mapping[str, Any], frame: Frame, *, is_resolved: bool = False) -> Message:
    """The message of one event; `is_resolved`: as it reads once its trouble is over."""
    facts, sign = Facts(payload), signature(frame)
    if kind in _FORMATS:
        page = _FORMATS[AlertKind(kind)](facts, frame, sign)
    else:
        page = system.plain_event(facts, frame, sign, safe(kind.replace("_", " ")))
    if is_resolved:
        mark_resolved(page)
    made = page.message(mention=frame.mention, is_silent=rule_of(kind).is_silent)
    return replace(made, buttons=buttons_of(kind, facts)) if frame.has_buttons and not is_resolved else made


def render_surely(kind: str, payload: Mapping[str, Any], frame: Frame, *, is_resolved: bool = False) -> Message:
    """The same for facts of any shape: an event of another version must not stand in the way of the next."""
    try:
        return render(kind, payload, frame, is_resolved=is_resolved)
    except UNREADABLE:
        return bare(kind, frame)


def bare(kind: str, frame: Frame) -> Message:
    """What is sent when Telegram refuses every other form: nothing in it comes from outside."""
    page = Page().head(f"⚠️ {signature(frame)} ALERT: {rule_of(kind).title}")
    page.line("Its text could not be sent; it is in the list of notifications.")
    return page.gap().link("View", frame.url("/notifications")).message()


def signature(frame: Frame) -> str:
    return f"[{safe(frame.app_name, 40)}]"


def mark_resolved(page: Page) -> None:
    """The head line of a trouble that is over: ✅ in the place of its own sign."""
    head = page.lines[0][0]
    _, _, rest = head.text.partition(" ")
    page.lines[0] = [replace(head, text=f"✅ {rest}"), Span(" — RESOLVED", tag="b")]
