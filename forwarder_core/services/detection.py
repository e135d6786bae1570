"""Detection: look at a source, keep every post seen, and decide for each connection what becomes of it.

A source is polled once, however many connections share it. Posts, decisions, jobs and the next poll are committed in
ONE transaction. The fact to know: a failed or odd answer raises in the connector and moves nothing here; it counts
against the source and is never "no new posts".
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from forwarder_core import crashpoints
from forwarder_core.connectors.base import Source
from forwarder_core.db import accounts, connections, jobs, overviews, posts, publications, requests
from forwarder_core.db.engine import Tx
from forwarder_core.domain import backlog, filters
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.backlog import OldPost
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.jobs import Failure
from forwarder_core.domain.posts import Decision, SeenPost, SourcePost, Verdict
from forwarder_core.domain.schedules import next_poll
from forwarder_core.errors import Bug, Conflict, ForwarderError, StepFailed
from forwarder_core.logs import redact
from forwarder_core.services import (
    alerting,
    echoes,
    exits,
    proxy_evidence,
    queueing,
    quotas,
    resting,
    restoring,
    tunables,
)
from forwarder_core.services.alerting import AlertKind
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about
from forwarder_core.services.tunables import Tuned

THREADS = 8
_MOST_SOURCES_A_TICK = 50
_SETTLES_IN = timedelta(hours=1)  # far longer than any transaction that keeps posts


@dataclass(frozen=True, slots=True)
class Polled:
    """What one look at a source brought."""

    account_id: int
    new_posts: int
    jobs: tuple[int, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Watched:
    """A source as it is when a look at it begins. `last_success`: of a look before this one."""

    account: Account
    by: Sequence[Connection]
    last_success: datetime | None
    tuned: Tuned


def poll_due(core: Core, *, shard: int, shards: int, budget_s: float, moment_s: float = math.inf) -> list[Polled]:
    """Look at the due sources of this shard, several at once, for at most about `budget_s` seconds.

    A poll still running then is left to finish by itself, its source locked until it does; one not begun is given
    back. `moment_s`: once a look has brought jobs the others have so long, and then they are left to themselves as
    well, so that a source that takes long holds up no post of another's.
    """
    now = core.clock.now()
    with core.begin() as tx:
        due = accounts.due(tx, now, shard=shard, shards=shards, limit=_MOST_SOURCES_A_TICK)
        if not due:
            return []
        tuned = tunables.read(tx)
        accounts.hold(tx, due, _leased_until(tuned, now))
    pool = _threads(shard)
    futures: dict[Future[Polled], int] = {pool.submit(_poll_safely, core, account, tuned): account for account in due}
    done, is_over = _ended(futures, budget_s, moment_s)
    if not_begun := [account for future, account in futures.items() if is_over and future.cancel()]:
        with core.begin() as tx:
            accounts.release(tx, not_begun)
    return [future.result() for future in done]


@cache
def _threads(shard: int) -> ThreadPoolExecutor:
    """One for all ticks: looks left to themselves and those of the next are never more than this together."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix=f"poll-{shard}")


def _ended(
    looks: Iterable[Future[Polled]], budget_s: float, moment_s: float
) -> tuple[Collection[Future[Polled]], bool]:
    """The looks waited for, and whether the budget is used up."""
    done, left = set[Future[Polled]](), set(looks)
    over = until = time.monotonic() + budget_s
    while left and (patience := until - time.monotonic()) > 0:
        ended, left = wait(left, patience, FIRST_COMPLETED)
        done |= ended
        if any(look.exception() is None and look.result().jobs for look in ended):
            until = min(until, time.monotonic() + moment_s)
    return done, time.monotonic() >= over


def poll_now(core: Core, account_id: int) -> Polled:
    """Look at one source at once. Raises Conflict while another look is under way, StepFailed when it fails."""
    now = core.clock.now()
    with core.begin() as tx:
        tuned = tunables.read(tx)
        if not accounts.take(tx, account_id, now, _leased_until(tuned, now)):
            raise Conflict(
                "This source is being looked at right now.", action="Wait a moment; what it finds is forwarded anyway."
            )
    return _poll(core, account_id, tuned)


def _leased_until(tuned: Tuned, now: datetime) -> datetime:
    """Until when nobody else looks at a source: a look whose process died is repeated then."""
    return now + timedelta(seconds=tuned.number("detection.poll_lease_s"))


def _poll_safely(core: Core, account_id: int, tuned: Tuned) -> Polled:
    """A failed poll as a result, so that one source in trouble spoils no other's."""
    try:
        return _poll(core, account_id, tuned)
    except ForwarderError as e:
        return Polled(account_id, 0, (), e.code)


def baseline(core: Core, connection: Connection) -> None:
    """Start a connection: what its source shows now is old, what comes with a later platform time is new.

    The listing, the first decisions and the start itself are one transaction. Raises StepFailed, and starts nothing,
    when the source cannot be read.
    """
    now = core.clock.now()
    with core.begin() as tx:
        tuned = tunables.read(tx)
    starting = replace(connection, started_at=now)
    source = _watched(core, connection.source_account_id, tuned)
    account = source.account
    seen = _look(core, replace(source, by=[*source.by, starting]), now)
    with core.begin() as tx:
        connections.change(
            tx, connection.id, {"status": ConnectionStatus.ACTIVE, "status_reason": None, "started_at": now}
        )
        posts.record(tx, account.id, seen, now)
        decide(tx, account, starting, now, new_since=now)
        accounts.watch(tx, account.id, now)


def _poll(core: Core, account_id: int, tuned: Tuned) -> Polled:
    watched = _watched(core, account_id, tuned)
    began = core.clock.now()
    try:
        seen = _look(core, watched, began)
    except StepFailed as e:
        _note_failure(core, watched, e, began)
        raise
    except Exception as e:  # the boundary of a look: an error of ours is the source's trouble, not every source's
        bug = Bug(f"Unexpected {type(e).__name__} while looking at the source.", raw=redact(repr(e)))
        _note_failure(core, watched, bug, began)
        raise bug from e
    return _commit(core, watched.account, seen, tuned, began)


def _watched(core: Core, account_id: int, tuned: Tuned) -> _Watched:
    with core.begin() as tx:
        found = accounts.watched(tx, account_id)
        if found is None:
            raise Conflict("The account was deleted.")
        account, last_success = found
        return _Watched(account, connections.active_of_source(tx, account_id), last_success, tuned)


def _look(core: Core, watched: _Watched, now: datetime) -> list[SeenPost]:
    """What the source shows, read as far back as its connections need it."""
    account, tuned = watched.account, watched.tuned
    overlap = timedelta(hours=tuned.number("detection.overlap_h"))
    back_to = _read_back_to(watched.last_success, watched.by, overlap, now)
    with core.begin() as tx:
        ripe = posts.oldest_ripe(tx, account.id, now)
        back_to = back_to if ripe is None else min(back_to, ripe)
        exit_ = exits.exit_of(core, tx, account)
    source = exits.source(core, account, exit_, tuned)
    try:
        with quotas.counted(core, account, source):
            seen, is_whole = _read(core, source, account.id, back_to, tuned)
    except StepFailed as e:
        found = proxy_evidence.of_look(core, exit_, e)
        if found is e:
            raise
        raise found from e
    if not is_whole:
        _note_gap(core, account, back_to)
    return seen


def _read_back_to(
    last_success: datetime | None, watching: Sequence[Connection], overlap: timedelta, now: datetime
) -> datetime:
    """How old a listing must be read: past the last good look, or past the earliest start, and the overlap.

    A connection that wants old posts has its source read to the end.
    """
    if any(c.filters.include_old_posts and (last_success is None or c.started_at == now) for c in watching):
        return datetime.min.replace(tzinfo=now.tzinfo)
    starts = [c.started_at for c in watching if c.started_at is not None]
    return (last_success or min(starts, default=now)) - overlap


def _read(core: Core, source: Source, account_id: int, back_to: datetime, tuned: Tuned) -> tuple[list[SeenPost], bool]:
    """Page until known posts AND past the overlap: pinned posts come first and order is not trusted.

    With the posts: whether the listing was read as far back as it had to be.
    """
    seen: dict[str, SeenPost] = {}
    page_token: str | None = None
    for number in range(1, tuned.count("detection.max_pages") + 1):
        page = source.list_posts(page_token)
        seen |= {post.platform_post_id: post for post in page.posts}
        page_token = page.next
        if page_token is None or (number >= 2 and _is_past(core, account_id, page.posts, back_to)):
            return list(seen.values()), True
    return list(seen.values()), False


def _is_past(core: Core, account_id: int, page: Sequence[SeenPost], back_to: datetime) -> bool:
    """Is every post of this page older than `back_to`, and known?"""
    if any(post.posted_at >= back_to for post in page):
        return False
    with core.begin() as tx:
        known = posts.known_among(tx, account_id, [post.platform_post_id for post in page])
    return len(known) == len(page) or not known


def _note_failure(core: Core, watched: _Watched, error: StepFailed, began: datetime) -> None:
    now, account = core.clock.now(), watched.account
    failure = Failure(error.code, redact(error.message), error.action)
    with core.begin() as tx:
        failures = accounts.failures_in_a_row(tx, account.id) + 1
        at = _next_poll(now, watched.by, watched.tuned, failures=failures)
        if error.retry_after_s is not None:
            at = max(at, now + timedelta(seconds=error.retry_after_s))
        accounts.poll_failed(tx, account.id, now, at, failure.code, failure.message)
        requests.answer_polls(tx, account.id, began=began, now=now, failure=failure)
        resting.lay_to_rest(tx, account, error, now)
    about(account_id=account.id, code=error.code).error("Looking at '%s' failed: %s", account.alias, error.message)


def _note_gap(core: Core, account: Account, back_to: datetime) -> None:
    """The listing was longer than we read: posts may lie in between. Said, never passed over."""
    now = core.clock.now()
    text = f"The listing of {account.alias} could not be read back to {back_to:%Y-%m-%d %H:%M} UTC."
    action = "Raise detection.max_pages in Settings and press Run now; posts found then are forwarded by the rules."
    with core.begin() as tx:
        alerting.about_account(
            tx, AlertKind.GAP, account, now=now, code="gap", error=text, action=action, once=f"{now:%Y-%m-%dT%H}"
        )
    about(account_id=account.id, code="gap").warning("%s %s", text, action)


def _commit(core: Core, account: Account, seen: Sequence[SeenPost], tuned: Tuned, began: datetime) -> Polled:
    now = core.clock.now()
    crashpoints.at("poll.before_commit")
    with core.begin() as tx:
        new = posts.record(tx, account.id, seen, now)
        watching = connections.active_of_source(tx, account.id)
        made = [job for connection in watching for job in decide(tx, account, connection, now)]
        accounts.poll_succeeded(tx, account.id, now, _next_poll(now, watching, tuned))
        if requests.has_open_poll(tx, account.id):
            requests.answer_polls(tx, account.id, began=began, now=now)
            if requests.has_open_poll(tx, account.id):  # asked for during this look: it wants one of its own
                accounts.ask_at_once(tx, account.id, now)
    crashpoints.at("poll.after_commit")
    if new:
        log = logging.getLogger(__name__)
        log.info("Looked at %s: %s posts, %s new, %s jobs", account.alias, len(seen), new, len(made))
    return Polled(account.id, new, tuple(made))


def _next_poll(now: datetime, watching: Sequence[Connection], tuned: Tuned, *, failures: int = 0) -> datetime:
    schedules = [connection.schedule for connection in watching if connection.looks_by_itself]
    return next_poll(now, schedules, failures=failures, least_s=tuned.number("detection.min_interval_s"))


def decide(
    tx: Tx, account: Account, connection: Connection, now: datetime, *, new_since: datetime | None = None
) -> list[int]:
    """One decision for every post of the account this connection has none for; the ids of the jobs made.

    Platforms tell times in whole seconds: a post the baseline did not show is new from the second of the start on.
    """
    if connection.started_at is None:
        return []
    since = new_since or connection.started_at.replace(microsecond=0)
    open_posts = posts.undecided(tx, connection.id, account.id)
    if not open_posts:
        return []
    roots = posts.roots_of_posts(tx, account.platform, [p.post for p in open_posts])
    unknown = [post for post in open_posts if post.post.platform_post_id not in roots]
    roots |= echoes.learn(tx, account, unknown, now)
    is_guarded = publications.has_open_at(tx, account.id, now)
    verdicts = {post.id: _verdict(post, connection, since, roots, now, is_guarded=is_guarded) for post in open_posts}
    seen = {p.id: p.post for p in open_posts}
    verdicts |= filters.catch_up(seen, verdicts, connection.filters, now=now, started_at=since)
    verdicts |= restoring.held(tx, account.id, {post.id: post for post in open_posts}, verdicts, now)
    posts.decide(tx, connection.id, verdicts, now)
    posts.set_mark(tx, connection.id, account.id, now - _SETTLES_IN)
    wanted = [post for post in open_posts if verdicts[post.id].verdict is Verdict.FORWARD]
    return jobs.add(tx, _rows(tx, connection, wanted, since, now))


def _rows(
    tx: Tx, connection: Connection, wanted: Sequence[SourcePost], since: datetime, now: datetime
) -> list[dict[str, Any]]:
    """The jobs of these posts: new ones at once, those from before the start by the rule for old posts."""
    new = [post for post in wanted if post.post.posted_at >= since]
    old = {post.id: post.post for post in wanted if post.post.posted_at < since}
    rows = [queueing.row_of(connection, post.id, now) for post in new]
    if not old:
        return rows
    rule = replace(connection.filters.backlog, from_=None, to=None, newest_n=None)  # those were asked by the filters
    begin = overviews.last_planned(tx, connection.id, now) if rule.per_day else now
    candidates = [OldPost(id=id_, posted_at=post.posted_at, views=post.views) for id_, post in old.items()]
    return rows + [
        queueing.row_of(connection, p.post_id, now, is_old=True, not_before=p.not_before)
        for p in backlog.plan(candidates, rule, windows=connection.schedule.windows, now=begin)
    ]


def _verdict(
    post: SourcePost,
    connection: Connection,
    started_at: datetime,
    roots: dict[str, int],
    now: datetime,
    *,
    is_guarded: bool,
) -> Decision:
    """An id we created ourselves is never a new post, whatever the filters say.

    `is_guarded`: something of ours is on its way to this very account under an id we do not know yet; a new post may
    be that. It is held, and decided again with the next look.
    """
    if post.post.platform_post_id in roots:
        root = roots[post.post.platform_post_id]
        return Decision(Verdict.DUPLICATE, "echo", f"published by this installation (post {root})")
    decision = filters.decide(post.post, connection.filters, started_at=started_at, now=now)
    if is_guarded and decision.verdict is Verdict.FORWARD:
        return Decision(Verdict.HELD, "echo_guard", "a publication to this account is not finished")
    return decision
