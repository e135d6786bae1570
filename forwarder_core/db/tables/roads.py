"""The roads alerts take and answers come back by: webhooks, deliveries, words to the bot, open questions."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, UniqueConstraint, text

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, state, word, workspace

webhooks = Table(
    "webhooks",
    metadata,
    row_id(),
    workspace(),
    word("name"),
    word("url"),
    Column("secret", LargeBinary, nullable=False),  # signs each request; sealed by the vault
    facts("kinds"),  # {"only": […]}; empty = every kind that is on by default
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    at("created_at", nullable=False),
    UniqueConstraint("workspace_id", "name"),
)

deliveries = Table(
    "deliveries",
    metadata,
    # One alert on its way over one road other than Telegram, written in the transaction that writes the alert.
    row_id(),
    workspace(),
    ref("outbox_id", "outbox", ondelete="CASCADE"),
    ref("webhook_id", "webhooks", nullable=True, ondelete="CASCADE", index=False),  # NULL: e-mail
    word("cause", default=""),
    state("state", default="waiting"),  # waiting | sent | dropped
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    at("next_at"),
    Column("status_code", Integer),
    word("last_error", nullable=True),
    at("created_at", nullable=False),
    at("sent_at"),
    Index("ix_deliveries_due", "next_at", "id", postgresql_where=text("state = 'waiting'")),
    Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
)

telegram_updates = Table(
    "telegram_updates",
    metadata,
    # What people wrote to the bot, each once whichever way it came; emptied when it was acted upon.
    row_id(),
    workspace(),
    word("bot"),
    Column("update_id", BigInteger, nullable=False),
    facts("payload"),
    at("received_at", nullable=False),
    at("handled_at"),
    UniqueConstraint("workspace_id", "bot", "update_id"),
    Index("ix_telegram_updates_waiting", "id", postgresql_where=text("handled_at IS NULL")),
)

telegram_strangers = Table(
    "telegram_strangers",
    metadata,
    # Who wrote to the bot and may not command it: told once, never answered.
    row_id(),
    workspace(),
    Column("user_id", BigInteger, nullable=False),
    word("name", default=""),
    at("seen_at", nullable=False),
    UniqueConstraint("workspace_id", "user_id"),
)

threshold_states = Table(
    "threshold_states",
    metadata,
    # A row stands here while a value is beyond its threshold: made when that is said, deleted when its end is.
    row_id(),
    workspace(),
    word("metric"),
    word("subject", default=""),
    word("value", default=""),
    at("since", nullable=False),
    UniqueConstraint("workspace_id", "metric", "subject"),
)

approvals = Table(
    "approvals",
    metadata,
    # A question a job put to a person, and the answer it goes on with.
    row_id(),
    workspace(),
    ref("job_id", "jobs", ondelete="CASCADE", index=False),
    word("topic"),
    word("question"),
    facts("choices"),  # {"items": [{word, label, ends}]}
    word("answer", nullable=True),
    word("answered_by", nullable=True),
    at("asked_at", nullable=False),
    at("answered_at"),
    UniqueConstraint("job_id", "topic"),
    Index("ix_approvals_open", "id", postgresql_where=text("answer IS NULL")),
)
