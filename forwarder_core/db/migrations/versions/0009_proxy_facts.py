"""proxy facts: an attempt names its proxy by id, so that it is still known after a change of name or address.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("proxy_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_attempts_proxy_id_proxies"), "attempts", "proxies", ["proxy_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "ix_attempts_proxy", "attempts", ["proxy_id", "id"], postgresql_where=sa.text("proxy_id IS NOT NULL")
    )
    # Of what was written before, where the address belongs to one proxy alone.
    op.execute(
        "UPDATE attempts SET proxy_id = known.id FROM ("
        "  SELECT min(id) AS id, CASE WHEN host LIKE '%:%' THEN '[' || host || ']' ELSE host END || ':' || port AS label"
        "  FROM proxies GROUP BY label HAVING count(*) = 1"
        ") AS known WHERE attempts.proxy = known.label"
    )


def downgrade() -> None:
    op.drop_index("ix_attempts_proxy", table_name="attempts")
    op.drop_constraint(op.f("fk_attempts_proxy_id_proxies"), "attempts", type_="foreignkey")
    op.drop_column("attempts", "proxy_id")
