"""What messages say about jobs: failed and retried, failed for good, recovered, unconfirmed, done. Pure."""

from __future__ import annotations

from datetime import timedelta

from forwarder_core.alerts.facts import Facts, Frame, platform_name, route, span
from forwarder_core.alerts.text import Page, safe

# More than one way out of a trouble; the error's own action is always said first.
_MORE_WAYS = {
    "quota_exhausted": ("OR upgrade the API quota", "OR distribute uploads across multiple accounts"),
    "rate_limited": ("OR lower the frequency of the connection",),
    "proxy_error": ("OR give the connection another proxy",),
}


def connection_line(page: Page, f: Facts) -> Page:
    """`Connection: Insta→YouTube - "name"`"""
    if "connection" not in f:
        return page
    source, destination = f.part("source").text("platform"), f.part("destination").text("platform")
    name = f'"{f.text("connection")}"'
    return page.field("Connection", f"{route(source, destination)} - {name}" if source else name)


def ends(page: Page, f: Facts) -> Page:
    """Connection, source, destination."""
    connection_line(page, f)
    for label, key in (("Source", "source"), ("Destination", "destination")):
        end = f.part(key)
        if "alias" in end:
            page.field(label, f"{end.text('alias')} ({platform_name(end.text('platform'))})")
    return page


def links(page: Page, f: Facts, frame: Frame, name: str = "View Job", *, with_logs: bool = False) -> Page:
    job = f.text("job_id")
    page.gap().link(name, frame.url(f"/jobs/{job}"))
    return page.link("View Logs", frame.url(f"/logs?job_id={job}")) if with_logs else page


def _error(page: Page, f: Facts) -> Page:
    return page.field("Error", f.error_title or None).detail("Details", f.get("error"))


def retrying(f: Facts, frame: Frame, sign: str) -> Page:
    job, retry, most, wait_s = f.text("job_id"), f.count("retry"), f.count("retries"), f.number("wait_s")
    at = f.time("at")
    next_at = at + timedelta(seconds=wait_s) if at and wait_s is not None else None
    is_free = f.get("burns_retry") is False
    if is_free and wait_s is None:
        head = f"⚠️ {sign} ALERT: Job {job} was interrupted and goes on by itself"
    elif is_free:
        head = f"⏳ {sign} ALERT: Job {job} waiting until {frame.time(next_at) or 'further notice'}"
    else:
        head = (
            f"⚠️ {sign} ALERT: Job {job} failed - retry {retry}/{most}" if most else f"⚠️ {sign} ALERT: Job {job} failed"
        )
    page = ends(Page().head(head), f).field("Time", frame.time(at)).field("Job ID", job)
    _error(page, f)
    if next_at and wait_s is not None:
        page.field("Next attempt", f"{frame.time(next_at)} (in {span(wait_s)})")
    if is_free:
        page.line(f"Status: {'QUEUED' if wait_s is None else 'WAITING'} (no retry used)")
    page.detail("Action", f.get("action"))
    return links(page, f, frame, "View Job Details", with_logs=True)


def dead(f: Facts, frame: Frame, sign: str) -> Page:
    page = ends(Page().head(f"⚠️ {sign} 🚨 ALERT: JOB FAILED"), f)
    _error(page.field("Time", frame.time(f.time("at"))).field("Job ID", f.text("job_id")), f)
    if "action" in f:
        page.gap().line("Suggested Solution:")
        page.bullets(f.text("action"), *_MORE_WAYS.get(f.text("code"), ())).gap()
    retry, most = f.count("retry"), f.count("retries")
    if retry is not None and most is not None:
        is_spent = "exhausted" if retry >= most > 0 else "this error is not retried"
        page.line(f"Retry attempts: {retry}/{most} ({is_spent})")
    page.line("Status: MOVED TO DEAD-LETTER QUEUE")
    return links(page, f, frame, "View Job Details", with_logs=True)


def recovered(f: Facts, frame: Frame, sign: str) -> Page:
    attempts = f.count("attempts")
    page = connection_line(Page().head(f"✅ {sign} 🎉 RESOLVED: JOB SUCCEEDED AFTER RETRY"), f)
    page.field("Job ID", f.text("job_id")).field("Time", frame.time(f.time("at")))
    page.detail("Initial Failure", f.get("first_error"))
    if attempts is not None:
        page.field("Retry Attempts", attempts - 1)
    page.line("Final Status: SUCCESS")
    if attempts is not None:
        failover = f", after proxy failover to {safe(f.text('failover'))}" if "failover" in f else ""
        page.gap().line(f"Details: Job {f.text('job_id')} succeeded after {attempts} attempts{failover}")
    return links(_posts(page, f), f, frame)


def succeeded(f: Facts, frame: Frame, sign: str) -> Page:
    page = ends(Page().head(f"✅ {sign} FORWARDED: Job {f.text('job_id')} succeeded"), f)
    page.field("Time", frame.time(f.time("at")))
    return links(_posts(page, f), f, frame)


def _posts(page: Page, f: Facts) -> Page:
    page.gap().field("Source Post", f.get("source_post"))
    return page.link("Destination", f.text("url"), sign="") if "url" in f else page


def unconfirmed(f: Facts, frame: Frame, sign: str) -> Page:
    job = f.text("job_id")
    page = ends(Page().head(f"❓ {sign} 🚨 ALERT: NOT KNOWN WHETHER IT WAS POSTED"), f)
    page.field("Time", frame.time(f.time("at"))).field("Job ID", job).detail("Details", f.get("error"))
    page.field("Caption", f.get("caption"), 200)
    page.gap().line("Action Required: look at the destination, then choose one:")
    page.link("It is live", frame.url(f"/jobs/{job}?confirm=live"), sign="1. ")
    page.link("Publish again", frame.url(f"/jobs/{job}?confirm=again"), sign="2. ")
    if "again_after_s" in f:
        page.line("Meanwhile the destination is asked again; it is posted again only once that proves it absent.")
    else:
        page.line("Nothing is posted again until you choose.")
    return links(page, f, frame, with_logs=True)


def connection_paused(f: Facts, frame: Frame, sign: str) -> Page:
    page = ends(Page().head(f"⏸️ {sign} 🚨 ALERT: CONNECTION PAUSED"), f).field("Time", frame.time(f.time("at")))
    page.detail("Details", f.get("error")).line("Status: its waiting jobs are held").detail("Action", f.get("action"))
    return page.gap().link("View Connection", frame.url(f"/connections/{f.text('connection_id')}"))


def question(f: Facts, frame: Frame, sign: str) -> Page:
    job = f.text("job_id")
    page = ends(Page().head(f"✋ {sign} APPROVAL NEEDED: Job {job} waits for your answer"), f)
    page.field("Time", frame.time(f.time("at"))).field("Job ID", job)
    page.field("Source Post", f.get("source_post")).link("Source", f.text("source_url"), sign="")
    page.field("Caption", f.get("caption"), 200)
    page.gap().detail("Question", f.get("question"))
    labels = [str(pair[1]) for pair in f.items("choices") if isinstance(pair, (list, tuple)) and len(pair) == 2]
    page.bullets(*labels, numbered=True)
    return links(page.line("The job waits until you choose."), f, frame)


def answered(f: Facts, frame: Frame, sign: str) -> Page:
    page = connection_line(Page().head(f"✅ {sign} ANSWERED: Job {f.text('job_id')}"), f)
    page.field("Job ID", f.text("job_id")).field("Time", frame.time(f.time("at")))
    page.field("Answer", f.get("answer")).field("By", f.get("by"))
    return links(page, f, frame)
