"""What became of the posts of one account, by the platform's ids: for the list of the files handed in there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, select

from forwarder_core.db.engine import Tx
from forwarder_core.db.tables import flow
from forwarder_core.domain.posts import Fate


def fates(tx: Tx, account_id: int, platform_post_ids: Sequence[str]) -> dict[str, list[Fate]]:
    """By platform_post_id, for each that was seen; without a fate where no connection has decided about it."""
    post, decision, job = flow.source_posts, flow.decisions, flow.jobs
    joined = (
        post.outerjoin(decision, decision.c.source_post_id == post.c.id)
        .outerjoin(flow.connections, flow.connections.c.id == decision.c.connection_id)
        .outerjoin(job, and_(job.c.source_post_id == post.c.id, job.c.connection_id == decision.c.connection_id))
    )
    query = (
        select(
            post.c.platform_post_id,
            decision.c.connection_id,
            flow.connections.c.name,
            decision.c.verdict,
            decision.c.rule,
            job.c.id,
            job.c.status,
        )
        .select_from(joined)
        .where(post.c.account_id == account_id, post.c.platform_post_id.in_(platform_post_ids))
        .order_by(post.c.id, decision.c.connection_id)
    )
    found: dict[str, list[Fate]] = {}
    for post_id, connection_id, name, verdict, rule, job_id, status in tx.execute(query):
        known = found.setdefault(post_id, [])
        if connection_id is not None:
            known.append(
                Fate(
                    connection_id=connection_id,
                    connection=name,
                    verdict=verdict,
                    rule=rule,
                    job_id=job_id,
                    job_status=status,
                )
            )
    return found
