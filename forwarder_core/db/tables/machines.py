"""What programs that call the API bring with them: their tokens, and the keys that make a repeated call one effect."""

from sqlalchemy import Column, Integer, LargeBinary, Table, UniqueConstraint

from forwarder_core.db.columns import at, metadata, ref, row_id, word, workspace

api_tokens = Table(
    "api_tokens",
    metadata,
    row_id(),
    workspace(),
    ref("user_id", "users", ondelete="CASCADE"),
    word("name"),
    # Only the SHA-256 is kept: a copy of this table opens nothing.
    Column("token_hash", LargeBinary, nullable=False),
    word("hint"),  # its last four characters, so that a person knows which one it is
    word("scope"),  # read | write | admin, each with those before it
    at("created_at", nullable=False),
    at("expires_at"),
    at("used_at"),
    word("used_from", default=""),
    UniqueConstraint("workspace_id", "name"),
    UniqueConstraint("token_hash"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    row_id(),
    workspace(),
    ref("user_id", "users", ondelete="CASCADE", index=False),
    word("key"),
    word("method"),
    word("path"),
    Column("body_hash", LargeBinary, nullable=False),
    Column("status", Integer),  # of the answer; NULL while the first call is under way
    word("content_type", default=""),
    Column("response", LargeBinary),  # sealed by the vault: an answer may show a secret once
    at("claimed_at", nullable=False),
    at("expires_at", nullable=False, index=True),
    UniqueConstraint("user_id", "key"),
)
