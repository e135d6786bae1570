"""What may still be used: the quota ledger, what each job has of it, and limits the administrator has overridden."""

from sqlalchemy import Column, Date, Integer, Table, UniqueConstraint, text

from forwarder_core.db.columns import at, facts, metadata, ref, row_id, state, word, workspace

quota_ledger = Table(
    "quota_ledger",
    metadata,
    # What is known of a scope's day beside the jobs: units counted, and the platform's own words.
    row_id(),
    workspace(),
    word("scope"),  # a Google project or a destination account
    Column("day", Date, nullable=False),
    Column("used", Integer, nullable=False, server_default=text("0")),  # by calls that belong to no job
    Column("cap", Integer),  # as the platform told it
    Column("told_used", Integer),
    at("told_at"),
    at("full_until"),  # the platform refused for this reason: nothing is tried before
    UniqueConstraint("workspace_id", "scope", "day"),
)

quota_entries = Table(
    "quota_entries",
    metadata,
    # What a job takes of a scope's day. A reservation counts only while its job is under way.
    row_id(),
    workspace(),
    word("scope"),
    Column("day", Date, nullable=False),
    ref("job_id", "jobs", ondelete="CASCADE"),
    state("state", default="reserved"),  # reserved | used
    Column("units", Integer, nullable=False, server_default=text("1")),
    at("at", nullable=False),
    UniqueConstraint("day", "scope", "job_id"),
)

limit_overrides = Table(
    "limit_overrides",
    metadata,
    row_id(),
    workspace(),
    word("platform"),
    word("name"),  # as in limits.yaml: media.max_duration_s, text.title_chars, posts_per_day …
    facts("value"),  # {"value": …}
    word("source", default=""),  # why, in the administrator's words
    word("who"),
    at("changed_at", nullable=False),
    UniqueConstraint("workspace_id", "platform", "name"),
)
