"""Accounts, the state of watching them, and proxies."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, state, word, workspace

proxies = Table(
    "proxies",
    metadata,
    row_id(),
    workspace(),
    word("alias"),
    word("type"),
    word("host"),
    Column("port", Integer, nullable=False),
    Column("credentials", LargeBinary),  # sealed by the vault
    word("assignment", default="global"),
    word("health", default="unchecked"),
    Column("consecutive_failures", Integer, nullable=False, server_default=text("0")),
    Column("latency_ms", Integer),
    at("checked_at"),
    at("last_ok_at"),
    word("last_error", nullable=True),
    word("exit_ip", nullable=True),
    word("exit_country", nullable=True),
    at("created_at", nullable=False),
    UniqueConstraint("workspace_id", "alias"),
)

proxy_checks = Table(
    "proxy_checks",
    metadata,
    row_id(),
    ref("proxy_id", "proxies", ondelete="CASCADE"),
    word("target"),
    Column("ok", Boolean, nullable=False),
    Column("latency_ms", Integer),
    word("error", nullable=True),
    at("at", nullable=False, index=True),
)

accounts = Table(
    "accounts",
    metadata,
    row_id(),
    workspace(),
    word("platform"),
    word("alias"),
    word("handle"),
    word("remote_id", nullable=True),
    word("auth_method"),
    Column("credentials", LargeBinary),  # sealed by the vault
    state("status", default="active"),
    word("status_reason", nullable=True),
    word("rights", default="undeclared"),
    word("rights_note", default=""),
    ref("proxy_id", "proxies", nullable=True, ondelete="SET NULL"),
    at("token_expiry"),
    facts("alerts"),
    at("cool_down_until"),
    at("challenged_at"),
    # After a solved challenge one job goes first; the others follow when it has arrived.
    Column("on_probation", Boolean, nullable=False, server_default=text("false")),
    facts("pace"),  # as a destination: posts a day, minutes between two, the ramp of a new account
    at("created_at", nullable=False),
    UniqueConstraint("workspace_id", "alias"),
    UniqueConstraint("workspace_id", "platform", "handle"),
)

breakers = Table(
    "breakers",
    metadata,
    # Failures in a row at one platform or proxy; while `until` lies ahead nothing is sent there.
    row_id(),
    workspace(),
    word("scope"),
    word("key"),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("openings", Integer, nullable=False, server_default=text("0")),
    at("opened_at"),
    at("until"),
    UniqueConstraint("workspace_id", "scope", "key"),
)

watches = Table(
    "watches",
    metadata,
    # One row per account that is the source of a started connection: polled once, however many connections share it.
    Column("account_id", BigInteger, primary_key=True, autoincrement=False),
    workspace(),
    at("next_poll_at", nullable=False, index=True),
    at("polling_until"),
    at("polled_at"),
    at("succeeded_at"),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("last_error_code", Text),
    Column("last_error", Text),
)
