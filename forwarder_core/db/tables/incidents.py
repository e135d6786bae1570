"""Incidents: many failures of one cause, and the jobs each of them hit."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, text

from forwarder_core.db.columns import at, metadata, row_id, word, workspace

incidents = Table(
    "incidents",
    metadata,
    row_id(),
    workspace(),
    word("code"),
    word("scope"),  # whose trouble it is: platform | project | account | destination | proxy | server
    word("key"),
    word("title"),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    at("opened_at", nullable=False),
    at("last_at", nullable=False),
    at("closed_at"),
    word("closed_because", nullable=True),
    Index(
        "uq_incidents_open",
        "workspace_id",
        "code",
        "scope",
        "key",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index("ix_incidents_last_at", "last_at"),
)

incident_jobs = Table(
    "incident_jobs",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", BigInteger, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True),
)
