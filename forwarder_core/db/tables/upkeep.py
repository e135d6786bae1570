"""What the house remembers of itself: its secret for marks, the backups taken, the restores made."""

from sqlalchemy import BigInteger, Boolean, Column, Table, UniqueConstraint

from forwarder_core.db.columns import at, facts, metadata, row_id, word, workspace

installations = Table(
    "installations",
    metadata,
    row_id(),
    workspace(),
    word(
        "marker_key"
    ),  # marks of our posts are made of it; it goes with every backup, or a restore could not find them
    UniqueConstraint("workspace_id"),
)

backups = Table(
    "backups",
    metadata,
    row_id(),
    workspace(),
    word("name"),  # of the file, without its folder
    Column("size_bytes", BigInteger, nullable=False),
    Column("is_encrypted", Boolean, nullable=False),
    at("taken_at", nullable=False),
)

restores = Table(
    "restores",
    metadata,
    row_id(),
    workspace(),
    at("taken_at", nullable=False),  # when the backup was taken
    at("restored_at", nullable=False),
    facts("facts"),
)
