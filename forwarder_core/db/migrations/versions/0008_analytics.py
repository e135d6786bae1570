"""analytics"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "analytics_days",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("source_rows", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("source_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_analytics_days_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", name=op.f("pk_analytics_days")),
    )
    op.create_table(
        "analytics_marks",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_analytics_marks_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "name", name=op.f("pk_analytics_marks")),
    )
    op.create_table(
        "connection_daily",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("blocked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("retries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("succeeded_after_retry", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("duration_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("wait_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("started", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("busy_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_fetched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hours", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_connection_daily_connection_id_connections")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_connection_daily_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", "connection_id", name=op.f("pk_connection_daily")),
    )
    op.create_table(
        "account_daily",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("blamed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("blocked", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_daily_account_id_accounts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_account_daily_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", "account_id", "role", name=op.f("pk_account_daily")),
    )
    op.create_table(
        "failure_daily",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("jobs", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("recovered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_failure_daily_connection_id_connections")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_failure_daily_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", "connection_id", "code", "side", name=op.f("pk_failure_daily")),
    )
    op.create_table(
        "proxy_daily",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("proxy_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("checks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_proxy_daily_workspace_id_workspaces")
        ),
        sa.ForeignKeyConstraint(
            ["proxy_id"], ["proxies.id"], name=op.f("fk_proxy_daily_proxy_id_proxies"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", "proxy_id", name=op.f("pk_proxy_daily")),
    )
    op.create_table(
        "system_daily",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("created", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("filtered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("slots", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("elapsed_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("latency_p50_s", sa.Double(), nullable=True),
        sa.Column("latency_p95_s", sa.Double(), nullable=True),
        sa.Column("latencies", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_system_daily_workspace_id_workspaces")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "day", name=op.f("pk_system_daily")),
    )
    op.create_table(
        "rollups",
        sa.Column("workspace_id", sa.BigInteger(), autoincrement=False, server_default=sa.text("1"), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("forwarded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("succeeded", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("avg_retries", sa.Double(), nullable=True),
        sa.Column("top_errors", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_rollups_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("workspace_id", "period", "starts_on", name=op.f("pk_rollups")),
    )
    op.create_index(
        "ix_jobs_completed_at",
        "jobs",
        ["completed_at"],
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_long",
        "jobs",
        ["created_at"],
        postgresql_where=sa.text("completed_at IS NULL OR completed_at - created_at > interval '22 hours'"),
    )
    op.create_index(op.f("ix_attempts_ended_at"), "attempts", ["ended_at"])
    op.create_index(
        "ix_decisions_filtered_at",
        "decisions",
        ["decided_at"],
        postgresql_where=sa.text("verdict = 'filtered'"),
    )


def downgrade() -> None:
    op.drop_index("ix_decisions_filtered_at", table_name="decisions")
    op.drop_index(op.f("ix_attempts_ended_at"), table_name="attempts")
    op.drop_index("ix_jobs_long", table_name="jobs")
    op.drop_index("ix_jobs_completed_at", table_name="jobs")
    op.drop_table("rollups")
    op.drop_table("system_daily")
    op.drop_table("proxy_daily")
    op.drop_table("failure_daily")
    op.drop_table("account_daily")
    op.drop_table("connection_daily")
    op.drop_table("analytics_marks")
    op.drop_table("analytics_days")
