"""What happened beside the forwarding: renewals of tokens and releases, for the charts.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "happenings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_happenings_workspace_id_workspaces"),
        sa.PrimaryKeyConstraint("id", name="pk_happenings"),
        sa.UniqueConstraint("workspace_id", "kind", "key", name="uq_happenings_workspace_id_kind_key"),
    )
    op.create_index("ix_happenings_at", "happenings", ["at"])


def downgrade() -> None:
    op.drop_table("happenings")
