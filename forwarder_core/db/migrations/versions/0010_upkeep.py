"""upkeep: what is remembered of backups and restores, and the secret that marks are made of.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _owned(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f(f"fk_{name}_workspace_id_workspaces")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )


def upgrade() -> None:
    _owned("installations", sa.Column("marker_key", sa.Text(), nullable=False))
    op.create_unique_constraint(op.f("uq_installations_workspace_id"), "installations", ["workspace_id"])
    _owned(
        "backups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("is_encrypted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
    )
    _owned(
        "restores",
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("publications", sa.Column("restore_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_publications_restore_id_restores"), "publications", "restores", ["restore_id"], ["id"]
    )
    op.create_index(op.f("ix_publications_restore_id"), "publications", ["restore_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_publications_restore_id"), "publications")
    op.drop_constraint(op.f("fk_publications_restore_id_restores"), "publications")
    op.drop_column("publications", "restore_id")
    for name in ("restores", "backups", "installations"):
        op.drop_table(name)
