"""What messages say about the installation: gaps, census, quotas, disk, silence, reports, signs of life. Pure."""

from __future__ import annotations

from forwarder_core.alerts.facts import Facts, Frame, platform_name
from forwarder_core.alerts.jobs import connection_line
from forwarder_core.alerts.text import Page, safe


def _event(head: str, f: Facts, frame: Frame) -> Page:
    """Head, subject and time: how every event begins that is about no job."""
    page = connection_line(Page().head(head), f)
    if "account" in f:
        page.field("Account", f"{f.text('account')} ({platform_name(f.text('platform'))})")
    return page.field("Time", frame.time(f.time("at")))


def _closing(page: Page, f: Facts, frame: Frame, path: str, name: str = "View in Dashboard") -> Page:
    page.detail("Details", f.get("error")).detail("Action", f.get("action"))
    return page.gap().link(name, frame.url(path))


def gap(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"⚠️ {sign} ALERT: POSTS MAY HAVE BEEN MISSED", f, frame)
    return _closing(page, f, frame, f"/accounts/{f.text('account_id')}")


def census(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"🔴 {sign} 🚨 ALERT: CENSUS NOT CLEAN", f, frame)
    page.field("Posts without a decision", f.count("undecided_posts")).field("Jobs not moving", f.count("stuck_jobs"))
    return _closing(page, f, frame, "/jobs", "View Jobs")


def quota(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"⏳ {sign} ALERT: QUOTA NEARLY USED UP", f, frame)
    page.field("Quota", f.get("scope"))
    if "used" in f and "cap" in f:
        page.field("Used", f"{f.count('used')} of {f.count('cap')}")
    page.field("Resets", frame.time(f.time("resets_at")))
    return _closing(page, f, frame, "/")


def disk(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"🔴 {sign} 🚨 ALERT: DISK NEARLY FULL", f, frame)
    free = f.number("free_bytes")
    if free is not None:
        page.field("Free", f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.0f} MB")
    page.field("Status", f.get("status"), 200)
    return _closing(page, f, frame, "/settings", "View Settings")


def silence(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"🔇 {sign} ALERT: NOTHING NEW FOR UNUSUALLY LONG", f, frame)
    page.field("Last Post", frame.time(f.time("last_at"))).field("Usual Pause", f.get("usual"))
    return _closing(page, f, frame, f"/accounts/{f.text('account_id')}" if "account_id" in f else "/")


def threshold(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"📉 {sign} 🚨 ALERT: {safe(f.text('metric', 'a rate')).upper()} CROSSED ITS THRESHOLD", f, frame)
    page.field("Value", f.get("value")).field("Threshold", f.get("threshold")).field("Period", f.get("period"))
    return _closing(page, f, frame, "/analytics", "View Analytics")


def back_to_normal(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"✅ {sign} RESOLVED: {safe(f.text('metric', 'a value')).upper()} BACK TO NORMAL", f, frame)
    page.field("Value", f.get("value")).field("Threshold", f.get("threshold"))
    page.field("Since", frame.time(f.time("since")))
    return page.gap().link("View in Dashboard", frame.url("/"))


def heartbeat(f: Facts, frame: Frame, sign: str) -> Page:
    page = Page().head(f"💚 {sign} ALIVE").field("Time", frame.time(f.time("at")))
    page.field("Forwarded in the last 24 h", f.count("forwarded")).field("Failed", f.count("failed"))
    page.field("Waiting", f.count("waiting"))
    return page.gap().link("View in Dashboard", frame.url("/"))


def summary(f: Facts, frame: Frame, sign: str, name: str) -> Page:
    page = Page().head(f"📊 {sign} {name}").field("Period", f.get("period"))
    for label, key in (
        ("Forwarded", "forwarded"),
        ("Successes", "succeeded"),
        ("Failures", "failed"),
        ("Waiting", "waiting"),
        ("Filtered", "filtered"),
        ("Tokens refreshed", "tokens_refreshed"),
    ):
        page.field(label, f.count(key))
    if "success_rate" in f:
        page.field("Success Rate", f"{f.number('success_rate'):g} %")
    _list(page, "Accounts:", f, "accounts")
    _list(page, "Top Errors:", f, "errors")
    _list(page, "Tokens expiring:", f, "expiring")
    return page.gap().link("View Analytics", frame.url("/analytics"))


def _list(page: Page, title: str, f: Facts, key: str) -> None:
    items = [safe(item) for item in f.items(key)]
    if items:
        page.gap().line(title).bullets(*items[:10])


def daily_summary(f: Facts, frame: Frame, sign: str) -> Page:
    return summary(f, frame, sign, "DAILY SUMMARY")


def weekly_summary(f: Facts, frame: Frame, sign: str) -> Page:
    return summary(f, frame, sign, "WEEKLY SUMMARY")


def report(f: Facts, frame: Frame, sign: str) -> Page:
    page = Page().head(f"📈 {sign} {safe(f.text('name', 'report')).upper()}").field("Period", f.get("period"))
    for label, key in (("Forwarded", "forwarded"), ("Successes", "succeeded"), ("Failures", "failed")):
        page.field(label, f.count(key))
    for label, key in (("Success Rate", "success_rate"), ("Uptime", "uptime")):
        if f.number(key) is not None:
            page.field(label, f"{f.number(key):g} %")
    _list(page, "What to mend first:", f, "fixes")
    return page.gap().link("View Analytics", frame.url("/analytics"))


def anomaly(f: Facts, frame: Frame, sign: str) -> Page:
    page = _event(f"📉 {sign} 🚨 ALERT: A DAY UNLIKE THE OTHERS", f, frame)
    page.field("What", f.get("what")).field("Value", f.get("value")).field("Usual", f.get("usual"))
    _list(page, "From the log:", f, "logs")
    return _closing(page, f, frame, "/analytics", "View Analytics")


def test(f: Facts, frame: Frame, sign: str) -> Page:
    page = Page().head(f"🔔 {sign} TEST MESSAGE").line("Alerts of this installation arrive here.")
    return page.field("Time", frame.time(f.time("at"))).gap().link("View in Dashboard", frame.url("/"))


def plain_event(f: Facts, frame: Frame, sign: str, title: str) -> Page:
    """An alert of a kind this version has no format for."""
    return _closing(_event(f"⚠️ {sign} ALERT: {title.upper()}", f, frame), f, frame, "/")
