"""What keeps the house running: outbox, log events, workers, settings."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

from forwarder_core.db.columns import at, facts, metadata, row_id, searchable, state, word, workspace

outbox = Table(
    "outbox",
    metadata,
    row_id(),
    workspace(),
    word("dedupe_key"),
    word("kind"),
    word("thread", default=""),  # messages of one thread go out in order and reply to its first
    word("cause", default=""),  # many of one cause at once become one message
    word("severity", default="medium"),
    state("state", default="waiting"),  # waiting | sent | muted
    facts("payload"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at("next_at"),
    word("chat_id", nullable=True),  # where it was sent; a message id means nothing in another chat
    word("sent_message_id", nullable=True),
    Column("in_digest", Boolean, nullable=False, server_default=text("false")),
    word("last_error", nullable=True),
    at("created_at", nullable=False),
    at("sent_at"),
    UniqueConstraint("workspace_id", "dedupe_key"),
    Index("ix_outbox_due", "next_at", "id", postgresql_where=text("state = 'waiting'")),
    Index("ix_outbox_thread_id", "thread", "id"),
    Index("ix_outbox_sent_at", "sent_at"),
)

log_events = Table(
    "log_events",
    metadata,
    row_id(),
    workspace(),
    at("at", nullable=False),
    word("level"),
    Column("job_id", BigInteger),
    Column("account_id", BigInteger),
    Column("connection_id", BigInteger),
    word("code", nullable=True),
    word("text"),
    searchable("text"),
    Index("ix_log_events_search", "search", postgresql_using="gin"),
    Index("ix_log_events_job_id_id", "job_id", "id"),
    Index("ix_log_events_connection_id_id", "connection_id", "id"),
    Index("ix_log_events_account_id_id", "account_id", "id"),
    Index("ix_log_events_level_id", "level", "id"),
    Index("ix_log_events_code_id", "code", "id", postgresql_where=text("code IS NOT NULL")),
    Index("ix_log_events_at", "at"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    workspace(),
    word("kind"),
    word("host"),
    Column("pid", Integer, nullable=False),
    facts("facts"),
    at("started_at", nullable=False),
    at("seen_at", nullable=False),
)

settings = Table(
    "settings",
    metadata,
    row_id(),
    workspace(),
    word("key"),
    facts("value"),
    at("changed_at", nullable=False),
    UniqueConstraint("workspace_id", "key"),
)
