"""The way of a post: connections, posts, decisions, jobs, attempts, files, publications, origins."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, state, word, workspace

connections = Table(
    "connections",
    metadata,
    row_id(),
    workspace(),
    word("name"),
    word("type"),
    ref("source_account_id", "accounts"),
    ref("destination_account_id", "accounts"),
    ref("proxy_id", "proxies", nullable=True, ondelete="SET NULL"),
    ref("token_ref", "tokens", nullable=True),  # a credential of the destination account other than its own
    facts("proxy_policy"),
    facts("filters"),
    facts("schedule"),
    facts("transform_options"),
    facts("publish_options"),
    facts("retry_policy"),
    # What becomes of a post nobody knows the fate of: "ask", or {"publish_again_after_s": seconds}.
    Column("on_ambiguous", JSONB, nullable=False, server_default=text("'\"ask\"'::jsonb")),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    state("status", default="stopped"),
    word("status_reason", nullable=True),
    at("started_at"),
    at("last_run_at"),
    at("created_at", nullable=False),
    at("deleted_at"),
    Index(
        "uq_connections_workspace_id_name",
        "workspace_id",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

source_posts = Table(
    "source_posts",
    metadata,
    row_id(),
    workspace(),
    ref("account_id", "accounts", index=False),
    word("platform_post_id"),
    word("url"),
    word("caption"),
    at("posted_at", nullable=False),
    Column("duration_s", Double),
    facts("facts"),
    at("seen_at", nullable=False),
    UniqueConstraint("account_id", "platform_post_id"),
    Index("ix_source_posts_account_id_posted_at", "account_id", "posted_at"),
    Index("ix_source_posts_account_id_id", "account_id", "id"),
)

decisions = Table(
    "decisions",
    metadata,
    row_id(),
    ref("connection_id", "connections", index=False),
    ref("source_post_id", "source_posts"),
    state("verdict"),
    word("rule"),
    word("value", default=""),
    at("until"),
    at("decided_at", nullable=False),
    UniqueConstraint("connection_id", "source_post_id"),
    Index("ix_decisions_held", "connection_id", "source_post_id", postgresql_where=text("verdict = 'held'")),
    Index("ix_decisions_filtered_at", "decided_at", postgresql_where=text("verdict = 'filtered'")),
)

decision_marks = Table(
    "decision_marks",
    metadata,
    # How far a connection has decided: each post of its source up to this one has its decision, or is held.
    Column(
        "connection_id",
        BigInteger,
        ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("post_id", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    row_id(),
    workspace(),
    ref("connection_id", "connections", index=False),
    ref("source_post_id", "source_posts"),
    ref("root_post_id", "source_posts"),
    state("status", default="queued"),
    word("wait_reason", nullable=True),
    word("step", nullable=True),
    Column("progress", Double, nullable=False, server_default=text("0")),
    word("progress_note", default=""),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("dispatch_no", Integer, nullable=False, server_default=text("0")),
    at("dispatched_until"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("retries_used", Integer, nullable=False, server_default=text("0")),
    Column("rescues", Integer, nullable=False, server_default=text("0")),
    at("next_attempt_at"),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    at("lease_until"),
    facts("worker"),
    word("run_id", nullable=True),
    word("error_code", nullable=True),
    word("error_message", nullable=True),
    word("error_action", nullable=True),
    word("destination_post_id", nullable=True),
    word("destination_url", nullable=True),
    at("created_at", nullable=False, index=True),
    at("started_at"),
    at("completed_at"),
    at("changed_at", nullable=False, index=True),
    Column("is_old", Boolean, nullable=False, server_default=text("false")),  # posted before its connection's start
    Column("is_urgent", Boolean, nullable=False, server_default=text("false")),  # a person asked: waits for no window
    at("deleted_at"),  # a dead letter put away: shown nowhere, retried never; what was decided and published stays
    UniqueConstraint("connection_id", "source_post_id"),
    Index(
        "ix_jobs_due",
        "priority",
        "id",
        postgresql_where=text("status IN ('queued', 'retry_wait')"),
    ),
    Index("ix_jobs_status_id", "status", "id"),
    # Each filter of the list of jobs is a range in which the ids are in order (db.job_pages).
    Index("ix_jobs_connection_id_id", "connection_id", "id"),
    Index("ix_jobs_connection_id_status_id", "connection_id", "status", "id"),
    Index("ix_jobs_error_code_id", "error_code", "id", postgresql_where=text("error_code IS NOT NULL")),
    Index("ix_jobs_running", "lease_until", postgresql_where=text("status = 'running'")),
    # One day's figures at any size of the history.
    Index("ix_jobs_completed_at", "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
    Index("ix_jobs_forwarded", "connection_id", "completed_at", postgresql_where=text("status = 'success'")),
    Index(
        "ix_jobs_long",
        "created_at",
        postgresql_where=text("completed_at IS NULL OR completed_at - created_at > interval '22 hours'"),
    ),
)

job_words = Table(
    "job_words",
    metadata,
    # The words of the caption of each job's post, by the job's id: written by the trigger `jobs_words`, changed never.
    Column("job_id", BigInteger, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    ref("connection_id", "connections"),
    Column("search", TSVECTOR, nullable=False),
    # Straight into the index: a list of what is still to be put there would be read by every search.
    Index("ix_job_words_search", "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)

attempts = Table(
    "attempts",
    metadata,
    row_id(),
    ref("job_id", "jobs", ondelete="CASCADE", index=False),
    Column("n", Integer, nullable=False),
    state("state", default="running"),  # running | success | failed | lost | cancelled
    word("step", nullable=True),
    word("run_id", nullable=True),
    word("proxy", nullable=True),  # its address then, or `direct`
    ref("proxy_id", "proxies", nullable=True, ondelete="SET NULL", index=False),
    Column("bytes_fetched", BigInteger),
    Column("bytes_sent", BigInteger),
    facts("seconds"),  # per step
    word("error_code", nullable=True),
    word("error_message", nullable=True),
    at("started_at", nullable=False),
    at("ended_at", index=True),
    UniqueConstraint("job_id", "n"),
    Index("ix_attempts_proxy", "proxy_id", "id", postgresql_where=text("proxy_id IS NOT NULL")),
)

media_files = Table(
    "media_files",
    metadata,
    row_id(),
    ref("job_id", "jobs", ondelete="CASCADE", index=False),
    word("kind"),  # fetched | rendition
    word("path"),
    Column("size_bytes", BigInteger, nullable=False),
    word("sha256"),
    Column("duration_ms", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    facts("plan"),
    Column("fingerprint", LargeBinary),  # of the fetched file's pictures; `media.fingerprint` reads it
    at("created_at", nullable=False),
    UniqueConstraint("job_id", "kind"),
)

publications = Table(
    "publications",
    metadata,
    row_id(),
    workspace(),
    ref("job_id", "jobs"),
    ref("destination_account_id", "accounts", index=False),
    ref("root_post_id", "source_posts"),
    ref("restore_id", "restores", nullable=True),  # planned only to be looked for
    state("state", default="planned"),
    word("marker"),
    Column("session_ref", LargeBinary),  # a bearer secret: sealed by the vault
    word("caption", default=""),
    Column("bytes_sent", BigInteger, nullable=False, server_default=text("0")),
    Column("size_bytes", BigInteger),
    Column("content_sha256", Text),
    Column("duration_ms", BigInteger),
    Column("clean_reads", Integer, nullable=False, server_default=text("0")),
    word("remote_id", nullable=True),
    word("remote_url", nullable=True),
    facts("verification"),
    facts("words"),  # title, caption and tags as they were planned: a rule changed later changes no post under way
    at("created_at", nullable=False),
    at("committing_at"),
    at("unclear_since"),
    at("unconfirmed_at"),
    at("published_at"),
    at("verified_at"),
    # One root post reaches one destination account once, whichever connection asks.
    Index(
        "uq_publications_destination_root",
        "destination_account_id",
        "root_post_id",
        unique=True,
        postgresql_where=text("state NOT IN ('abandoned', 'failed')"),
    ),
    Index(
        "uq_publications_job_open",
        "job_id",
        unique=True,
        postgresql_where=text("state NOT IN ('verified', 'abandoned', 'failed')"),
    ),
    Index("ix_publications_last", "destination_account_id", "committing_at"),
)

origins = Table(
    "origins",
    metadata,
    # Every id we created, in the same transaction as `published`: such a post is never a new source post.
    row_id(),
    workspace(),
    word("platform"),
    word("remote_id"),
    ref("root_post_id", "source_posts"),
    ref("publication_id", "publications"),
    at("created_at", nullable=False),
    UniqueConstraint("workspace_id", "platform", "remote_id"),
)
