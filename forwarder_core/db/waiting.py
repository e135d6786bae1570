"""What waits, in SQL: one statement for all sensors, one for the loops of the keeper. A stack at rest asks little else.

The fact to know: each answer is made of the very condition of those who then act, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select

from forwarder_core.db import accounts, dispatch, outbox, requests, roads, sign_ins
from forwarder_core.db.engine import Tx
from forwarder_core.domain.requests import Kind
from forwarder_core.domain.waiting import ForKeeper, ForSensors


def for_sensors(tx: Tx, now: datetime, *, shards: int) -> ForSensors:
    asked = select(
        func.array(accounts.due_shards(now, shards)).label("shards"),
        dispatch.any_waiting().label("jobs"),
        requests.to_launch(Kind.DRY_RUN, now).exists().label("dry_runs"),
        or_(dispatch.any_running(), requests.any_open(Kind.DRY_RUN)).label("carried"),
    )
    row = tx.execute(asked).one()
    return ForSensors(
        shards=frozenset(row.shards), jobs=row.jobs, dry_runs=row.dry_runs, carried=row.carried or row.jobs
    )


def for_keeper(tx: Tx, now: datetime, *, signing_in: Collection[str]) -> ForKeeper:
    """`signing_in`: the states of a sign-in that is not at its end."""
    asked = select(
        outbox.any_due(now).label("messages"),
        roads.any_due(now).label("deliveries"),
        sign_ins.any_in(signing_in).label("sign_ins"),
        requests.any_silent(Kind.DRY_RUN, now).label("silent_dry_runs"),
        requests.any_open(Kind.BACKFILL).label("backfills"),
    )
    return ForKeeper(**tx.execute(asked).one()._mapping)
