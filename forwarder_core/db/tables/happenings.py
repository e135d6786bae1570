"""What happened beside the forwarding and is written nowhere else: renewals of tokens, releases."""

from sqlalchemy import Index, Table, UniqueConstraint

from forwarder_core.db.columns import at, metadata, row_id, word, workspace

happenings = Table(
    "happenings",
    metadata,
    row_id(),
    workspace(),
    at("at", nullable=False),
    word("kind"),
    word("key"),  # of one kind, a key happens once
    word("text"),
    UniqueConstraint("workspace_id", "kind", "key"),
    Index("ix_happenings_at", "at"),
)
