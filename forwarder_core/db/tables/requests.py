"""What an admin asked of a connection and may take a while: a look at once, a dry run, a backfill."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, text

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, state, word, workspace

requests = Table(
    "requests",
    metadata,
    row_id(),
    workspace(),
    ref("connection_id", "connections", ondelete="CASCADE", index=False),
    word("kind"),  # poll | dry_run | backfill
    state("state", default="queued"),
    facts("asked"),
    facts("report"),
    word("progress", default=""),
    word("requested_by", default=""),
    at("requested_at", nullable=False),
    at("started_at"),
    at("ended_at"),
    Column("dispatch_no", Integer, nullable=False, server_default=text("0")),
    at("dispatched_until"),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    at("lease_until"),
    facts("worker"),
    word("run_id", nullable=True),
    word("error_code", nullable=True),
    word("error_message", nullable=True),
    word("error_action", nullable=True),
    Index("ix_requests_connection_id_kind_id", "connection_id", "kind", "id"),
    # Whoever asks while one is open joins it.
    Index(
        "uq_requests_open",
        "connection_id",
        "kind",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
)
