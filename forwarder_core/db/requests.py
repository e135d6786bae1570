"""Requests in SQL: asked once, worked on by one, and every move one guarded UPDATE.

`claim` gives a fence; each later write carries it, so a worker whose request was cancelled or taken away finds 0 rows
changed and stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs
from forwarder_core.db.tables.requests import requests
from forwarder_core.domain.jobs import Failure
from forwarder_core.domain.requests import OPEN, Hold, Kind, Request, RequestState

_OWN = requests.c.workspace_id == WORKSPACE
_OPEN = requests.c.state.in_([state.value for state in OPEN])


def ask(
    tx: Tx, kind: Kind, connection_id: int, *, asked: Mapping[str, Any], who: str, now: datetime
) -> tuple[Request, bool]:
    """The open request of this kind, and whether this call made it."""
    made = upsert(requests).values(
        connection_id=connection_id, kind=kind, asked=dict(asked), requested_by=who, requested_at=now
    )
    made = made.on_conflict_do_nothing(
        index_elements=["connection_id", "kind"], index_where=requests.c.state.in_(["queued", "running"])
    )
    row = tx.execute(made.returning(requests)).one_or_none()
    if row is not None:
        return _request_of(row), True
    joined = tx.execute(
        select(requests).where(_OWN, requests.c.connection_id == connection_id, requests.c.kind == kind, _OPEN)
    ).one_or_none()
    # Closed between the two statements: then there is none, and asking again makes it.
    return (_request_of(joined), False) if joined else ask(tx, kind, connection_id, asked=asked, who=who, now=now)


def get(tx: Tx, kind: Kind, request_id: int) -> Request | None:
    row = tx.execute(select(requests).where(_OWN, requests.c.kind == kind, requests.c.id == request_id)).one_or_none()
    return None if row is None else _request_of(row)


def page(
    tx: Tx, kind: Kind, *, connection_id: int | None = None, before_id: int = 2**62, limit: int = 50
) -> list[Request]:
    """Newest first."""
    query = select(requests).where(_OWN, requests.c.kind == kind, requests.c.id < before_id)
    if connection_id is not None:
        query = query.where(requests.c.connection_id == connection_id)
    return [_request_of(row) for row in tx.execute(query.order_by(requests.c.id.desc()).limit(limit))]


def answered_by(tx: Tx, connection_id: int, since: datetime) -> Request | None:
    """The look whose work began after `since` and that is done: an answer to whoever asked at that instant."""
    query = (
        select(requests)
        .where(
            _OWN,
            requests.c.kind == Kind.POLL,
            requests.c.connection_id == connection_id,
            requests.c.state == RequestState.DONE,
            requests.c.started_at >= since,
        )
        .order_by(requests.c.id.desc())
        .limit(1)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else _request_of(row)


# ---- the work ---------------------------------------------------------------------------------------------------


def launch(tx: Tx, kind: Kind, *, most: int, now: datetime, until: datetime) -> list[Request]:
    """Those to start now, stamped until then: nobody is told of them again before. At most `most` under way."""
    under_way = select(func.count()).where(
        _OWN,
        requests.c.kind == kind,
        or_(requests.c.state == RequestState.RUNNING, (requests.c.state == "queued") & _is_stamped(now)),
    )
    room = most - tx.execute(under_way).scalar_one()
    if room <= 0:
        return []
    waiting = to_launch(kind, now).order_by(requests.c.id).limit(room).with_for_update(skip_locked=True)
    stamped = (
        update(requests)
        .where(requests.c.id.in_(waiting.scalar_subquery()))
        .values(dispatch_no=requests.c.dispatch_no + 1, dispatched_until=until)
    )
    return sorted((_request_of(row) for row in tx.execute(stamped.returning(requests))), key=lambda r: r.id)


def claim(
    tx: Tx,
    request_id: int,
    *,
    now: datetime,
    until: datetime,
    worker: Mapping[str, Any],
    run_id: str | None = None,
    dispatch_no: int | None = None,
) -> Hold | None:
    """Begin the work, or go on where a worker fell silent; None when it is not to be had."""
    silent = (requests.c.state == RequestState.RUNNING) & (requests.c.lease_until < now)
    guard = [_OWN, requests.c.id == request_id, or_(requests.c.state == RequestState.QUEUED, silent)]
    if dispatch_no is not None:
        guard += [requests.c.dispatch_no == dispatch_no, requests.c.state == RequestState.QUEUED]
    taken = (
        update(requests)
        .where(*guard)
        .values(
            state=RequestState.RUNNING,
            started_at=func.coalesce(requests.c.started_at, now),
            fence=requests.c.fence + 1,
            lease_until=until,
            dispatched_until=None,
            worker=dict(worker),
            run_id=run_id,
        )
        .returning(requests.c.fence)
    )
    fence = tx.execute(taken).scalar_one_or_none()
    return None if fence is None else Hold(request_id, fence)


def renew(tx: Tx, hold: Hold, until: datetime) -> bool:
    return tx.execute(update(requests).where(*_held(hold)).values(lease_until=until)).rowcount == 1


def note(tx: Tx, hold: Hold, **values: Any) -> bool:
    """`progress`, `report`, `asked`; False = it is not ours any more."""
    return tx.execute(update(requests).where(*_held(hold)).values(**values)).rowcount == 1


def close(
    tx: Tx, hold: Hold, state: RequestState, *, now: datetime, failure: Failure | None = None, **values: Any
) -> bool:
    ended = update(requests).where(*_held(hold)).values(state=state, ended_at=now, **_words_of(failure), **values)
    return tx.execute(ended).rowcount == 1


def end(tx: Tx, request_id: int, state: RequestState, *, now: datetime, failure: Failure | None = None) -> bool:
    """End an open one from outside; its worker finds out with its next write. False = it had ended."""
    ended = (
        update(requests)
        .where(_OWN, requests.c.id == request_id, _OPEN)
        .values(state=state, ended_at=now, **_words_of(failure))
    )
    return tx.execute(ended).rowcount == 1


def silent(tx: Tx, kind: Kind, now: datetime) -> list[tuple[Request, dict[str, Any]]]:
    """Running, and without a sign of life since their lease ran out; with the worker that had them."""
    query = select(requests).where(_is_silent(kind, now))
    return [(_request_of(row), dict(row.worker)) for row in tx.execute(query.order_by(requests.c.id))]


def any_silent(kind: Kind, now: datetime) -> ColumnElement[bool]:
    return select(requests.c.id).where(_is_silent(kind, now)).exists()


def any_open(kind: Kind) -> ColumnElement[bool]:
    return select(requests.c.id).where(_OWN, requests.c.kind == kind, _OPEN).exists()


def to_launch(kind: Kind, now: datetime) -> Select[int]:
    """Those that wait for a run, and of which nobody was told just now."""
    is_queued = requests.c.state == RequestState.QUEUED
    return select(requests.c.id).where(_OWN, requests.c.kind == kind, is_queued, ~_is_stamped(now))


def queued_before(tx: Tx, kind: Kind, asked_before: datetime) -> list[Request]:
    query = select(requests).where(
        _OWN, requests.c.kind == kind, requests.c.state == RequestState.QUEUED, requests.c.requested_at < asked_before
    )
    return [_request_of(row) for row in tx.execute(query.order_by(requests.c.id))]


def of_run(tx: Tx, run_id: str) -> Request | None:
    """The request a run is at work on."""
    query = select(requests).where(_OWN, requests.c.run_id == run_id, requests.c.state == RequestState.RUNNING)
    row = tx.execute(query).one_or_none()
    return None if row is None else _request_of(row)


# ---- looks at a source ------------------------------------------------------------------------------------------


def answer_polls(
    tx: Tx, account_id: int, *, began: datetime, now: datetime, failure: Failure | None = None
) -> list[int]:
    """End the open looks at this source that were asked for before `began`: the look that began then answers them.

    What it brought is the jobs of each connection made since it was asked for.
    """
    of_source = select(connections.c.id).where(connections.c.source_account_id == account_id)
    waiting = select(requests).where(
        _OWN,
        requests.c.kind == Kind.POLL,
        _OPEN,
        requests.c.requested_at <= began,
        requests.c.connection_id.in_(of_source),
    )
    answered = []
    for row in tx.execute(waiting).all():
        made = select(jobs.c.id).where(jobs.c.connection_id == row.connection_id, jobs.c.created_at >= row.requested_at)
        report = {"job_ids": sorted(tx.execute(made).scalars())}
        state = RequestState.FAILED if failure else RequestState.DONE
        values = {"state": state, "started_at": began, "ended_at": now, "report": report, **_words_of(failure)}
        if tx.execute(update(requests).where(requests.c.id == row.id, _OPEN).values(**values)).rowcount:
            answered.append(row.id)
    return answered


def has_open_poll(tx: Tx, account_id: int) -> bool:
    of_source = select(connections.c.id).where(connections.c.source_account_id == account_id)
    query = select(requests.c.id).where(
        _OWN, requests.c.kind == Kind.POLL, _OPEN, requests.c.connection_id.in_(of_source)
    )
    return tx.execute(query.limit(1)).one_or_none() is not None


# ---- the files of dry runs --------------------------------------------------------------------------------------


def ended_before(tx: Tx, request_ids: Sequence[int], before_at: datetime) -> list[int]:
    """Those of these that ended before then, or that are not there any more."""
    rows = tx.execute(
        select(requests.c.id, requests.c.state, requests.c.ended_at).where(requests.c.id.in_(request_ids))
    ).all()
    kept = {row.id for row in rows if row.ended_at is None or row.ended_at >= before_at}
    return [request_id for request_id in request_ids if request_id not in kept]


def _is_silent(kind: Kind, now: datetime) -> ColumnElement[bool]:
    is_running = requests.c.state == RequestState.RUNNING
    return and_(_OWN, requests.c.kind == kind, is_running, requests.c.lease_until < now)


def _is_stamped(now: datetime) -> ColumnElement[bool]:
    return func.coalesce(requests.c.dispatched_until >= now, False)


def _held(hold: Hold) -> list[ColumnElement[bool]]:
    return [requests.c.id == hold.request_id, requests.c.fence == hold.fence, requests.c.state == RequestState.RUNNING]


def _words_of(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {}
    return {"error_code": failure.code, "error_message": failure.message, "error_action": failure.action}


def _request_of(row: Row[Any]) -> Request:
    failure = Failure(row.error_code, row.error_message, row.error_action) if row.error_code else None
    return Request(
        id=row.id,
        kind=Kind(row.kind),
        connection_id=row.connection_id,
        state=RequestState(row.state),
        asked=row.asked,
        report=row.report,
        progress=row.progress,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        dispatch_no=row.dispatch_no,
        run_id=row.run_id,
        failure=failure,
    )
