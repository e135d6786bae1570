"""Enqueueing: one post forwarded because a person says so, whatever the rules of its connection decided.

The fact to know: what this installation published itself is never forwarded this way either, or a circle of connections
would begin to turn.
"""

from __future__ import annotations

from forwarder_core.db import connections, jobs, people, posts
from forwarder_core.db.engine import Tx
from forwarder_core.domain.connections import Connection, ConnectionStatus
from forwarder_core.domain.posts import Decision, SourcePost, Verdict
from forwarder_core.errors import Conflict, NotFound
from forwarder_core.services import queueing
from forwarder_core.services.context import Core
from forwarder_core.services.journal import about

BY_HAND = "by_hand"
_ECHO, _MAY_BE_ONE = "echo", "echo_guard"


def enqueue(core: Core, connection_id: int, words: str, *, who: str) -> int:
    """Queue the post that `words` name, its address or its platform's id, and return its job's id.

    Raises NotFound for a post this connection's source has not shown yet, Conflict for one that has a job already, that
    we published ourselves, or whose connection is stopped.
    """
    now = core.clock.now()
    with core.begin() as tx:
        connection = connections.get(tx, connection_id)
        if connection is None:
            raise NotFound(f"There is no connection {connection_id}.")
        if connection.status is ConnectionStatus.STOPPED:
            raise Conflict(f"Connection “{connection.name}” is stopped.", action="Start it first.")
        post = _named(tx, connection, words.strip())
        _refuse(tx, connection, post)
        made = jobs.add(tx, [queueing.row_of(connection, post.id, now) | {"is_urgent": True}])
        if not made:
            raise Conflict("The post was queued meanwhile.", action="Look at the connection's jobs.")
        decision = Decision(Verdict.FORWARD, BY_HAND, f"by {who}")
        posts.decide(tx, connection_id, {post.id: decision}, now, over=tuple(Verdict))
        people.audit(tx, who=who, what="post_queued", target=f"job:{made[0]}", now=now, details={"post": post.id})
    about(job_id=made[0], connection_id=connection_id).info("Job %s: queued by %s", made[0], who)
    return made[0]


def _named(tx: Tx, connection: Connection, words: str) -> SourcePost:
    found = [post for post in posts.find_anywhere(tx, words) if post.account_id == connection.source_account_id]
    if not found:
        raise NotFound(
            "The source of this connection has not shown such a post.",
            action="Check the address; for an old post ask for a backfill of the connection first.",
        )
    return found[0]


def _refuse(tx: Tx, connection: Connection, post: SourcePost) -> None:
    job = jobs.of_post(tx, connection.id, post.id)
    if job is not None:
        raise Conflict(f"The post has job {job.id}, which is {job.status}.", action="Open that job; retry it there.")
    decision = posts.decision_of(tx, connection.id, post.id)
    if decision is not None and decision.rule == _ECHO:
        raise Conflict("This installation published that post itself.", action="Forward the post it was made from.")
    if decision is not None and decision.rule == _MAY_BE_ONE:
        raise Conflict("It is not known yet whether that post is our own.", action="Try again when the hold has ended.")
