"""Credentials beyond an account's own, what is known of their lives, and sign-ins under way on a platform's page."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, UniqueConstraint, text

from forwarder_core.db.columns import at, metadata, ref, row_id, word, workspace

tokens = Table(
    "tokens",
    metadata,
    # Numbered from the accounts' own sequence, so that no account and no credential ever share a number: an account's
    # own credential has the account's number (label '', secrets in `accounts`), a further one a number of its own.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    workspace(),
    ref("account_id", "accounts", ondelete="CASCADE", index=False),
    word("label", default=""),
    Column("credentials", LargeBinary),  # sealed by the vault; NULL for an account's own
    word("kind", default=""),
    at("issued_at"),
    at("access_expires_at"),  # the end of what is sent to the platform
    at("expires_at", index=True),  # when a person must act at the latest; NULL = no date is known
    at("refresh_from"),
    at("refreshed_at"),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # renewals in a row that failed
    word("last_error_code", nullable=True),
    word("last_error", nullable=True),
    at("changed_at", nullable=False),
    UniqueConstraint("account_id", "label"),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    row_id(),
    workspace(),
    word("state_hash"),
    word("session_hash"),
    ref("account_id", "accounts", ondelete="CASCADE"),
    ref("token_id", "tokens", nullable=True, ondelete="CASCADE", index=False),
    word("provider"),
    word("who"),
    Column("pending", LargeBinary, nullable=False),  # the state, the verifier and our address, sealed by the vault
    at("created_at", nullable=False),
    at("expires_at", nullable=False),
    at("used_at"),
    UniqueConstraint("state_hash"),
)
