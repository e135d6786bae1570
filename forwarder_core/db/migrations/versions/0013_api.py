"""The lists of jobs and of log events by any filter, at any size of the history.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_connection_id_id", "jobs", ["connection_id", "id"])
    op.create_index("ix_jobs_connection_id_status_id", "jobs", ["connection_id", "status", "id"])
    op.create_index(
        "ix_jobs_error_code_id", "jobs", ["error_code", "id"], postgresql_where=sa.text("error_code IS NOT NULL")
    )
    op.create_index("ix_log_events_account_id_id", "log_events", ["account_id", "id"])
    op.create_index("ix_log_events_level_id", "log_events", ["level", "id"])
    op.create_index("ix_log_events_code_id", "log_events", ["code", "id"], postgresql_where=sa.text("code IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_log_events_code_id", table_name="log_events", postgresql_where=sa.text("code IS NOT NULL"))
    op.drop_index("ix_log_events_level_id", table_name="log_events")
    op.drop_index("ix_log_events_account_id_id", table_name="log_events")
    op.drop_index("ix_jobs_error_code_id", table_name="jobs", postgresql_where=sa.text("error_code IS NOT NULL"))
    op.drop_index("ix_jobs_connection_id_status_id", table_name="jobs")
    op.drop_index("ix_jobs_connection_id_id", table_name="jobs")
