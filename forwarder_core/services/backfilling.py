"""Backfilling: posts from before a connection's start, forwarded because somebody asked for them. Never a flood.

What lives here: reading the source's listing as far back as it was asked for, and making the jobs. What does not: which
posts, in which order and when (`domain.backlog`); windows, limits and quotas are asked again at dispatch. The fact to
know: after each page the cursor is in the row, so whoever goes on after a death reads from there; the jobs are made in
one transaction at the end, and a post that has a job keeps it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from forwarder_core.connectors.base import Page, Source
from forwarder_core.db import accounts, jobs, overviews, people, posts, requests
from forwarder_core.db import connections as connection_rows
from forwarder_core.db.engine import Tx
from forwarder_core.domain import backlog, filters
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.backlog import BacklogRule, OldPost, Order
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.jobs import Failure
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.domain.requests import Hold, Kind, Request, RequestState
from forwarder_core.errors import Conflict, Fenced, FieldError, Invalid, NotFound, Retry, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import asking, connections, detection, exits, queueing, quotas, tunables
from forwarder_core.services.context import Core
from forwarder_core.services.dropping import DROPPED
from forwarder_core.services.forwarding import this_worker
from forwarder_core.services.journal import about

PATIENCE_S = 10.0
_MOST_PAGES = 500
_MOST_FAILURES = 5
_LEAST_WAIT_S = 30.0
_LEFT = (Verdict.HELD, Verdict.BEFORE_START, Verdict.TOO_LATE, Verdict.FILTERED)  # decisions a backfill may change
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def ask(
    core: Core, connection_id: int, asked: Mapping[str, Any], *, who: str, patience_s: float = PATIENCE_S
) -> Request:
    """`asked`: from, to, newest_n, per_day, order. Its backfill, finished where that takes no longer than this waits.

    Raises Invalid, and Conflict unless the connection is active or while another backfill of it is under way.
    """
    known = connections.get(core, connection_id)
    _check(known, asked)
    now = core.clock.now()
    with core.begin() as tx:
        request, is_new = requests.ask(tx, Kind.BACKFILL, known.id, asked=asked, who=who, now=now)
        if is_new:
            people.audit(tx, who=who, what="backfill_asked", target=f"connection:{known.id}", now=now, details=asked)
    if not is_new and dict(request.asked) != dict(asked):
        raise Conflict(f"Backfill {request.id} of this connection is under way.", action="Wait for it, or cancel it.")
    deadline = time.monotonic() + patience_s
    if is_new:
        threading.Thread(target=carry, args=(core, request.id), name=f"backfill-{request.id}", daemon=True).start()
    return asking.until_ended(core, request, deadline)


def get(core: Core, request_id: int) -> Request:
    return asking.find(core, Kind.BACKFILL, request_id)


def cancel(core: Core, request_id: int, *, who: str) -> Request:
    """Stop reading; jobs are only made at the end, so none is made. Raises Conflict when it has ended."""
    return asking.call_off(core, Kind.BACKFILL, request_id, who=who, too_late="Cancel its jobs one by one.")


def _check(known: Connection, asked: Mapping[str, Any]) -> None:
    if known.status is not ConnectionStatus.ACTIVE:
        raise Conflict(f"Connection “{known.name}” is {known.status}.", action="Start it first.")
    check_asked(asked)


def check_asked(asked: Mapping[str, Any]) -> None:
    """Raises Invalid for what names no posts."""
    if not any(asked.get(name) is not None for name in ("from", "to", "newest_n")):
        raise Invalid("Say which old posts.", FieldError("newest_n", "from, to or newest_n is wanted"))
    rule = _rule(asked)
    if rule.from_ and rule.to and rule.from_ > rule.to:
        raise Invalid("These days are none.", FieldError("to", "must not lie before from"))


def _rule(asked: Mapping[str, Any]) -> BacklogRule:
    return BacklogRule(
        from_=date.fromisoformat(asked["from"]) if asked.get("from") else None,
        to=date.fromisoformat(asked["to"]) if asked.get("to") else None,
        newest_n=asked.get("newest_n"),
        per_day=asked.get("per_day"),
        order=Order(asked.get("order") or Order.OLDEST),
    )


# ---- the work ---------------------------------------------------------------------------------------------------


def carry_on(core: Core) -> list[int]:
    """Go on with the backfills whose worker fell silent, or whose source asked us to wait; their ids."""
    now = core.clock.now()
    with core.begin() as tx:
        waiting = [request.id for request, _ in requests.silent(tx, Kind.BACKFILL, now)]
        waiting += [r.id for r in requests.queued_before(tx, Kind.BACKFILL, now - timedelta(seconds=_LEAST_WAIT_S))]
    for request_id in waiting:
        carry(core, request_id)
    return waiting


def carry(core: Core, request_id: int) -> None:
    """Read on and make the jobs. Ends with the row: done, failed, or waiting until its lease runs out."""
    try:
        hold = _claim(core, request_id)
        if hold is not None:
            _work(core, hold, get(core, request_id))
    except Fenced:
        about().info("Backfill %s was stopped", request_id)
    except SQLAlchemyError as e:
        about().warning("Backfill %s: the database did not answer (%s)", request_id, type(e).__name__)


def _claim(core: Core, request_id: int) -> Hold | None:
    now = core.clock.now()
    with core.begin() as tx:
        return requests.claim(tx, request_id, now=now, until=_until(core, tx), worker=this_worker())


def _until(core: Core, tx: Tx) -> datetime:
    return core.clock.now() + timedelta(seconds=tunables.read(tx).number("detection.poll_lease_s"))


def _work(core: Core, hold: Hold, request: Request) -> None:
    known = connections.get(core, request.connection_id)
    with core.begin() as tx:
        account = accounts.get(tx, known.source_account_id)
    if account is None:
        raise NotFound("The source account is not there any more.")
    report = dict(request.report)
    try:
        if not report.get("is_read"):
            report = _read(core, hold, known, account, _rule(request.asked), report)
    except StepFailed as e:
        _lay_down(core, hold, report, e)
        return
    _make(core, hold, known, account, request, report)


def _read(
    core: Core, hold: Hold, known: Connection, account: Account, rule: BacklogRule, report: dict[str, Any]
) -> dict[str, Any]:
    """Page after page, the cursor kept after each; the report with `is_read`."""
    source = _source(core, known, account)
    while not report.get("is_read"):
        with quotas.counted(core, account, source):
            page = source.list_posts(report.get("cursor"))
        pages, seen = report.get("pages", 0) + 1, report.get("posts", 0) + len(page.posts)
        is_read = page.next is None or pages >= _MOST_PAGES or _is_past(page, rule, pages, seen)
        report |= {"cursor": page.next, "pages": pages, "posts": seen, "is_read": is_read}
        with core.begin() as tx:
            posts.record(tx, account.id, page.posts, core.clock.now())
            words = f"{pages} pages, {seen} posts read"
            if not requests.note(tx, hold, report=report, progress=words, lease_until=_until(core, tx)):
                raise Fenced(f"Backfill {hold.request_id} was stopped.")
    return report


def _source(core: Core, known: Connection, account: Account) -> Source:
    with core.begin() as tx:
        exit_ = exits.exit_of(core, tx, account, known.proxy_id)
    return exits.source(core, account, exit_)


def _is_past(page: Page, rule: BacklogRule, pages: int, seen: int) -> bool:
    """Is the listing read as far back as asked for? The first page may begin with pinned posts of any age."""
    if pages < 2:
        return False
    if rule.from_ is not None:
        return all(post.posted_at.date() < rule.from_ for post in page.posts)
    # Filters and our own posts may take some away: as much again is read.
    return rule.newest_n is not None and rule.to is None and seen >= 2 * rule.newest_n


def _lay_down(core: Core, hold: Hold, report: dict[str, Any], error: StepFailed) -> None:
    """Wait where waiting helps; anything else ends it with its reason."""
    now = core.clock.now()
    failures = report.get("failures", 0) + 1
    wait = max(error.retry_after_s or error.wait_s, _LEAST_WAIT_S)
    failure = Failure(error.code, redact(error.message), error.action)
    with core.begin() as tx:
        if error.retry in (Retry.BACKOFF, Retry.AS_TOLD) and failures <= _MOST_FAILURES:
            kept = report | {"failures": failures}
            until = now + timedelta(seconds=wait)
            requests.note(tx, hold, report=kept, progress=f"Waits: {failure.message}", lease_until=until)
        else:
            requests.close(tx, hold, RequestState.FAILED, now=now, failure=failure, report=report)


def _make(
    core: Core, hold: Hold, known: Connection, account: Account, request: Request, report: dict[str, Any]
) -> None:
    """Decisions and jobs, in the transaction that ends the backfill."""
    now = core.clock.now()
    rule = _rule(request.asked)
    with core.begin() as tx:
        wanted, skipped = _wanted(tx, known, account, rule, now)
        begin = overviews.last_planned(tx, known.id, now) if rule.per_day else now
        planned = backlog.plan(wanted, replace(rule, newest_n=None), windows=known.schedule.windows, now=begin)
        decision = Decision(Verdict.FORWARD, "backfill")
        posts.decide(tx, known.id, dict.fromkeys((each.post_id for each in planned), decision), now, over=_LEFT)
        rows = [queueing.row_of(known, p.post_id, now, is_old=True, not_before=p.not_before) for p in planned]
        made = jobs.add(tx, rows)
        if not known.looks_by_itself:  # nobody else decides about the posts that were read and not asked for
            detection.decide(tx, account, known, now)
        instants = [each.not_before.isoformat() for each in planned]
        report |= {"jobs": len(made), "skipped": dict(skipped)}
        report |= {"first_at": min(instants, default=None), "last_at": max(instants, default=None)}
        if not requests.close(tx, hold, RequestState.DONE, now=now, report=report, progress=""):
            raise Fenced(f"Backfill {hold.request_id} was stopped.")
    about(connection_id=known.id).info("Backfill %s: %s jobs", hold.request_id, len(made))


def _wanted(
    tx: Tx, known: Connection, account: Account, rule: BacklogRule, now: datetime
) -> tuple[list[OldPost], Counter[str]]:
    """The posts to forward after all, and how many of the others there are for each reason.

    Those forwarded already count among the newest so many: asking twice makes nothing twice as much.
    """
    fresh = connection_rows.get(tx, known.id) or known
    seen = posts.before(tx, known.id, account.id, (fresh.looks_by_itself and fresh.started_at) or now)
    echoes = posts.roots_of_posts(tx, account.platform, [post.post for post, _ in seen])
    there, done, skipped = [], set[int](), Counter[str]()
    for post, decision in seen:
        if not backlog.is_in_range(post.post.posted_at.date(), rule.from_, rule.to):
            continue
        reason = _reason_against(post, decision, fresh, echoes, now)
        if reason:
            skipped[reason] += 1
        if reason is None or reason == Verdict.FORWARD:
            there.append(OldPost(id=post.id, posted_at=post.post.posted_at, views=post.post.views))
            done |= {post.id} if reason else set()
    return [post for post in backlog.choose(there, rule) if post.id not in done], skipped


def _reason_against(
    post: SourcePost, decision: Decision | None, known: Connection, echoes: Mapping[str, int], now: datetime
) -> str | None:
    if post.post.platform_post_id in echoes:
        return "echo"
    if decision is not None and decision.verdict in (Verdict.FORWARD, Verdict.DUPLICATE):
        return str(decision.verdict)
    if decision is not None and decision.rule == DROPPED:  # by a person, for ever
        return DROPPED
    said = filters.decide(post.post, known.filters.of_what_is_asked_for, started_at=_ALWAYS, now=now)
    return None if said.verdict is Verdict.FORWARD else said.rule
