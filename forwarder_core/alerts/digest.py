"""Many alerts of one cause as one message: how many, since when, where, which first, and what to do. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from forwarder_core.alerts.facts import Facts, Frame, platform_name
from forwarder_core.alerts.kinds import AlertKind, rule_of
from forwarder_core.alerts.messages import UNREADABLE, bare, signature
from forwarder_core.alerts.text import Message, Page, Span, safe

MOST_NAMED = 10
_K = AlertKind
_WORDS = {
    _K.JOB_RETRYING: "JOBS FAILED AND ARE RETRIED",
    _K.JOB_DEAD: "JOBS FAILED",
    _K.JOB_RECOVERED: "JOBS SUCCEEDED AFTER RETRY",
    _K.JOB_SUCCEEDED: "JOBS SUCCEEDED",
    _K.JOB_UNCONFIRMED: "POSTS NOT KNOWN TO BE LIVE",
    _K.CAPTCHA: "CAPTCHAS DETECTED",
    _K.CAPTCHA_RESOLVED: "CAPTCHAS SOLVED",
    _K.ACCOUNT: "ACCOUNTS NEED A PERSON",
    _K.TOKEN_EXPIRED: "ACCESS TOKENS EXPIRED",
    _K.PROXY_UNHEALTHY: "PROXIES UNHEALTHY",
    _K.PROXY_RECOVERED: "PROXIES HEALTHY AGAIN",
    _K.PROXY_EXIT_CHANGED: "PROXIES SHOW ANOTHER ADDRESS",
}


def render(kind: str, payloads: Sequence[Mapping[str, Any]], frame: Frame) -> Message:
    """`payloads`: of one cause, oldest first, at least one."""
    every = [Facts(payload) for payload in payloads]
    first, last = every[0], every[-1]
    subjects = list(dict.fromkeys(_subject(f) for f in every))
    is_good = bool(rule_of(kind).resolves) or kind == _K.JOB_SUCCEEDED
    words = _WORDS[AlertKind(kind)] if kind in _WORDS else f"ALERTS: {safe(kind.replace('_', ' ')).upper()}"
    sign = signature(frame)
    page = Page().head(
        f"✅ {sign} {len(subjects)} {words}" if is_good else f"⚠️ {sign} 🚨 ALERT: {len(subjects)} {words}"
    )
    if "code" in first:
        page.field("Cause", f"{first.error_title} ({first.text('code')})")
    if "platform" in first:
        page.field("Platform", platform_name(first.text("platform")))
    page.field("From", frame.time(first.time("at"))).field("Until", frame.time(last.time("at")))
    if len(every) > len(subjects):
        page.field("Events", len(every))
    _connections(page, every)
    page.detail("Latest", last.get("error"))
    page.gap()
    for name, path in subjects[:MOST_NAMED]:
        page.link(safe(name), frame.url(path), sign="- ")
    if len(subjects) > MOST_NAMED:
        page.line(f"… and {len(subjects) - MOST_NAMED} more")
    if "action" in last:
        page.gap().detail("Action", last.get("action"))
    return page.gap().link(*_all_of(first, frame)).message(mention=frame.mention, is_silent=rule_of(kind).is_silent)


def render_surely(kind: str, payloads: Sequence[Mapping[str, Any]], frame: Frame) -> Message:
    try:
        return render(kind, payloads, frame)
    except UNREADABLE:
        return bare(kind, frame)


def _subject(f: Facts) -> tuple[str, str]:
    """What an alert is about, and where it is shown."""
    if "job_id" in f:
        return f"Job {f.text('job_id')}", f"/jobs/{f.text('job_id')}"
    if "proxy_id" in f:
        return f"Proxy {safe(f.text('proxy'))}", f"/proxies/{f.text('proxy_id')}"
    if "account_id" in f:
        return safe(f.text("account")), f"/accounts/{f.text('account_id')}"
    return f.text("at"), "/notifications"


def _connections(page: Page, every: Sequence[Facts]) -> None:
    counted = Counter(f.text("connection") for f in every if "connection" in f)
    if not counted:
        return
    named = [f"{safe(name)} ×{n}" for name, n in counted.most_common(5)]
    rest = f" and {len(counted) - 5} more" if len(counted) > 5 else ""
    page.lines.append([Span("Connections: "), Span(", ".join(named) + rest)])


def _all_of(first: Facts, frame: Frame) -> tuple[str, str]:
    code = first.text("code")
    if "job_id" in first:
        return "View All", frame.url(f"/jobs?error={code}" if code else "/jobs")
    return "View All", frame.url("/notifications")
