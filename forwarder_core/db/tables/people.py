"""Who works here: workspaces, users, their sessions, and what they did."""

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, word, workspace

workspaces = Table("workspaces", metadata, row_id(), word("name"), at("created_at", nullable=False))

users = Table(
    "users",
    metadata,
    row_id(),
    workspace(),
    word("username"),
    word("password_hash"),
    word("role", default="admin"),
    at("created_at", nullable=False),
    at("password_changed_at"),
    Column("totp", LargeBinary),  # secret of the second factor in use; sealed by the vault
    Column("totp_pending", LargeBinary),  # one that was shown and is not proven yet; sealed as well
    Column("totp_step", BigInteger),  # time step of the last code taken: no code is taken twice
    # SHA-256 of each recovery code that is left.
    Column("recovery_codes", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    UniqueConstraint("workspace_id", "username"),
)

sessions = Table(
    "sessions",
    metadata,
    # Only the SHA-256 of the cookie's value is kept: a copy of this table opens no session.
    Column("token_hash", LargeBinary, primary_key=True),
    workspace(),
    ref("user_id", "users", ondelete="CASCADE"),
    word("csrf_token"),
    Column("is_remembered", Boolean, nullable=False, server_default=text("false")),
    word("address", default=""),
    at("created_at", nullable=False),
    at("seen_at", nullable=False),
    at("expires_at", nullable=False, index=True),
)

login_failures = Table(
    "login_failures",
    metadata,
    row_id(),
    workspace(),
    Column("username", Text, nullable=False, index=True),
    Column("address", Text, nullable=False, index=True),
    at("at", nullable=False, index=True),
)

audit_log = Table(
    "audit_log",
    metadata,
    row_id(),
    workspace(),
    word("who"),
    word("what"),
    word("target", default=""),
    facts("details"),
    at("at", nullable=False, index=True),
)
