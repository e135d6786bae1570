"""What messages say about accounts, their tokens and challenges, and about proxies. Pure."""

from __future__ import annotations

from forwarder_core.alerts.facts import Facts, Frame, platform_name
from forwarder_core.alerts.jobs import connection_line, ends
from forwarder_core.alerts.text import Page, safe


def _account_url(f: Facts, frame: Frame) -> str:
    return frame.url(f"/accounts/{f.text('account_id')}")


def _account_line(page: Page, f: Facts) -> Page:
    if "account" not in f:
        return page
    return page.field("Account", f"{f.text('account')} ({platform_name(f.text('platform'))})")


def _who(page: Page, f: Facts) -> Page:
    """The connection with both its ends where there is one, else the account and all its connections."""
    return ends(page, f) if "source" in f else _connections_line(_account_line(page, f), f)


def _connections_line(page: Page, f: Facts) -> Page:
    if "connection" in f:
        return connection_line(page, f)
    return page.detail("Connections", ", ".join(_first(f.items("connections"), "connections")))


def _token_type(f: Facts) -> str:
    return f.text("token_type") or f"{platform_name(f.text('platform'))} access token"


def captcha(f: Facts, frame: Frame, sign: str) -> Page:
    alias = safe(f.text("account"))
    page = _account_line(Page().head(f"🤖 {sign} 🚨 CAPTCHA DETECTED (Manual Action Required)"), f)
    _connections_line(page, f).field("Job ID", f.get("job_id")).field("Time", frame.time(f.time("at")))
    page.detail("Description", f"{f.text('error')} Automated solving not available.".strip())
    page.gap().line("Action Required:")
    page.bullets(
        f"Open {platform_name(f.text('platform'))} account manually in browser",
        "Complete CAPTCHA challenge",
        f"Return to admin UI → Accounts → {alias}",
        'Click "Mark CAPTCHA Solved" button',
        "Connection will resume automatically",
        numbered=True,
    )
    page.gap().line("⚠️ Connection paused until CAPTCHA is resolved.")
    page.gap().link("Mark as Solved", _account_url(f, frame) + "/captcha-resolve")
    return page.link("View Job", frame.url(f"/jobs/{f.text('job_id')}")) if "job_id" in f else page


def captcha_resolved(f: Facts, frame: Frame, sign: str) -> Page:
    page = _account_line(Page().head(f"✅ {sign} ✨ RESOLVED: CAPTCHA SOLVED"), f)
    connection_line(page, f).field("Job ID", f.get("job_id")).field("Resolved Time", frame.time(f.time("at")))
    page.line("Resolution: Admin manually resolved CAPTCHA")
    page.gap().line("Status: Job resumed and completed successfully")
    if "url" in f:
        page.link("Destination Post", f.text("url"), sign="")
    return page.gap().line("Connection status: ACTIVE (monitoring resumed)")


def account(f: Facts, frame: Frame, sign: str) -> Page:
    if f.text("code") == "token_expired":
        return token_expired(f, frame, sign)
    page = _who(Page().head(f"🔴 {sign} 🚨 ALERT: {(f.error_title or 'account needs attention').upper()}"), f)
    _which(page, f).field("Time", frame.time(f.time("at"))).field("Job ID", f.get("job_id"))
    page.detail("Details", f.get("error")).line("Status: its connections are paused").detail("Action", f.get("action"))
    return page.gap().link("View in Dashboard", _account_url(f, frame))


def _which(page: Page, f: Facts) -> Page:
    """Of the two ends of a connection, the one in trouble."""
    return _account_line(page, f) if "source" in f else page


def token_expired(f: Facts, frame: Frame, sign: str) -> Page:
    page = _who(Page().head(f"🔴 {sign} 🚨 ALERT: ACCESS TOKEN EXPIRED"), f)
    page.field("Time", frame.time(f.time("at"))).field("Token type", _token_type(f)).line("Status: EXPIRED")
    page.field("Action", f"Re-authenticate in UI → Accounts → {safe(f.text('account'))} → Update Token", 300)
    return page.gap().link("View in Dashboard", _account_url(f, frame))


def token_expiring(f: Facts, frame: Frame, sign: str) -> Page:
    expires = f.time("expires_at")
    days = f.number("days")
    when = f"in {days:.0f} day{'' if round(days) == 1 else 's'}" if days is not None else "soon"
    page = _who(Page().head(f"⏰ {sign} ALERT: ACCESS TOKEN EXPIRES {when.upper()}"), f)
    page.field("Time", frame.time(f.time("at"))).field("Token type", _token_type(f))
    page.field("Expires", frame.time(expires))
    name = f"{platform_name(f.text('platform'))} token for '{safe(f.text('account'))}'"
    page.detail("Action", f"{name} expires {when}. Please re-authorize.")
    return page.gap().link("View in Dashboard", _account_url(f, frame))


def refresh_failed(f: Facts, frame: Frame, sign: str) -> Page:
    page = _who(Page().head(f"🔴 {sign} 🚨 ALERT: TOKEN REFRESH FAILED"), f)
    page.field("Time", frame.time(f.time("at"))).field("Token type", _token_type(f))
    page.line("Status: RE-AUTHENTICATION REQUIRED").detail("Details", f.get("error"))
    page.detail("Action", f.get("action"))
    return page.gap().link("View in Dashboard", _account_url(f, frame))


def token_refreshed(f: Facts, frame: Frame, sign: str) -> Page:
    platform, alias = platform_name(f.text("platform")), safe(f.text("account"))
    is_by_hand = f.text("how") in ("upload", "oauth")
    said = f"{platform} token updated for account '{alias}'" if is_by_hand else f"Token auto-refreshed for '{alias}'"
    page = _account_line(Page().head(f"✅ {sign} RESOLVED: TOKEN {'UPDATED' if is_by_hand else 'REFRESHED'}"), f)
    page.field("Time", frame.time(f.time("at"))).field("Status", said, 300)
    page.field("Expires", frame.time(f.time("expires_at")))
    return page.gap().link("View in Dashboard", _account_url(f, frame))


def _proxy_line(page: Page, f: Facts) -> Page:
    where = f" ({f.text('address')})" if "address" in f else ""
    return page.field("Proxy", f"{safe(f.text('proxy'))}{where}", 250)


def proxy_unhealthy(f: Facts, frame: Frame, sign: str) -> Page:
    page = _proxy_line(Page().head(f"🔴 {sign} 🚨 ALERT: PROXY HEALTH CHECK FAILED"), f)
    page.line("Status: UNHEALTHY")
    if "failures" in f:
        page.line(f"Failed Checks: {f.count('failures')} consecutive")
    page.field("Time", frame.time(f.time("at"))).field("Last Success", frame.time(f.time("last_success_at")))
    page.detail("Error", f.get("error"))
    if "connections" in f:
        page.gap().line("Affected Connections:")
        page.bullets(*_first(f.items("connections"), "connections"))
    page.gap().line("Action Taken:")
    page.bullets("Proxy marked as unhealthy", *f.items("taken"))
    page.gap().line("Recommended Action:").bullets(
        "Check proxy server status",
        "Verify proxy credentials",
        "Test proxy manually",
        "Update or remove proxy from system",
        numbered=True,
    )
    return page.gap().link("Proxy Settings", frame.url(f"/proxies/{f.text('proxy_id')}"))


def proxy_recovered(f: Facts, frame: Frame, sign: str) -> Page:
    page = _proxy_line(Page().head(f"✅ {sign} RESOLVED: PROXY HEALTHY AGAIN"), f)
    page.line("Status: HEALTHY").field("Time", frame.time(f.time("at")))
    if "latency_ms" in f:
        page.field("Latency", f"{f.count('latency_ms')} ms")
    if "connections" in f:
        page.gap().line("Connections resumed:").bullets(*_first(f.items("connections"), "connections"))
    return page.gap().link("Proxy Settings", frame.url(f"/proxies/{f.text('proxy_id')}"))


def proxy_exit_changed(f: Facts, frame: Frame, sign: str) -> Page:
    what = "COUNTRY" if f.get("is_other_country") else "ADDRESS"
    page = _proxy_line(Page().head(f"⚠️ {sign} 🚨 ALERT: PROXY EXIT {what} CHANGED"), f)
    page.field("Before", safe(f.text("was"))).field("Now", safe(f.text("exit")))
    page.field("Time", frame.time(f.time("at")))
    if f.get("connections"):
        page.gap().line("Connections that use it:").bullets(*_first(f.items("connections"), "connections"))
    page.gap().line("Recommended Action:").bullets(
        "Ask the provider whether the address was to change",
        "Give the connections another proxy where a platform may distrust the move",
        numbered=True,
    )
    return page.gap().link("Proxy Settings", frame.url(f"/proxies/{f.text('proxy_id')}"))


def _first(items: object, noun: str, most: int = 10) -> list[str]:
    every = [safe(item) for item in items] if isinstance(items, (list, tuple)) else []
    return every[:most] + ([f"… and {len(every) - most} more {noun}"] if len(every) > most else [])
