"""When each connection forwarded last, without a sort of all jobs.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_FORWARDED = sa.text("status = 'success'")


def upgrade() -> None:
    op.create_index("ix_jobs_forwarded", "jobs", ["connection_id", "completed_at"], postgresql_where=_FORWARDED)


def downgrade() -> None:
    op.drop_index("ix_jobs_forwarded", table_name="jobs", postgresql_where=_FORWARDED)
