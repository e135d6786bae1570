"""What each step of a forward begins with, in SQL: its job, the post, the connection and both accounts, in one row.

The fact to know: the question is built once for a process, because that takes longer than PostgreSQL takes to answer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, func, select

from forwarder_core.db import accounts as accounts_db
from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.dispatch import DESTINATION, SOURCE
from forwarder_core.db.engine import Tx
from forwarder_core.db.tables.flow import connections, jobs, publications, source_posts
from forwarder_core.domain.accounts import Account
from forwarder_core.domain.publications import CLOSED

_BEGUN_AT = (
    select(publications.c.destination_account_id)
    .where(publications.c.job_id == jobs.c.id, publications.c.state.not_in([s.value for s in CLOSED]))
    .order_by(publications.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_ENDS = (accounts_db.columns_of(SOURCE), accounts_db.columns_of(DESTINATION))
_ERRAND = (
    select(
        jobs,
        connections.c.name,
        connections.c.proxy_id,
        connections.c.transform_options,
        connections.c.publish_options,
        connections.c.filters,
        connections.c.token_ref,
        source_posts.c.platform_post_id,
        source_posts.c.url.label("source_url"),
        source_posts.c.caption,
        source_posts.c.posted_at,
        source_posts.c.facts.label("post_facts"),
        *_ENDS[0],
        *_ENDS[1],
    )
    .join(connections, connections.c.id == jobs.c.connection_id)
    .join(source_posts, source_posts.c.id == jobs.c.source_post_id)
    .join(SOURCE, SOURCE.c.id == connections.c.source_account_id)
    .join(DESTINATION, DESTINATION.c.id == func.coalesce(_BEGUN_AT, connections.c.destination_account_id))
    .where(jobs.c.workspace_id == WORKSPACE, jobs.c.id == bindparam("job_id"))
)


def row_of(tx: Tx, job_id: int) -> tuple[Row[Any], Account, Account]:
    """The job's columns by their names, with what is named beside them above; and both its ends."""
    row = tx.execute(_ERRAND, {"job_id": job_id}).one()
    source, destination = (len(end) for end in _ENDS)
    ends = row[-source - destination : -destination], row[-destination:]
    return row, accounts_db.account_from(ends[0]), accounts_db.account_from(ends[1])
