"""access: the second factor of a user.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NEW = ("totp", "totp_pending", "totp_step", "recovery_codes")


def upgrade() -> None:
    op.add_column("users", sa.Column("totp", sa.LargeBinary(), nullable=True))
    op.add_column("users", sa.Column("totp_pending", sa.LargeBinary(), nullable=True))
    op.add_column("users", sa.Column("totp_step", sa.BigInteger(), nullable=True))
    codes = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("users", sa.Column("recovery_codes", codes, server_default=sa.text("'[]'::jsonb"), nullable=False))


def downgrade() -> None:
    for name in reversed(_NEW):
        op.drop_column("users", name)
