"""How far each connection has decided, so that a look reads the posts of an hour and not those of years.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_HELD = sa.text("verdict = 'held'")
# Up to before the first post without a decision, or to the last post where each has one.
_MARKS = (
    "INSERT INTO decision_marks (connection_id, post_id)"
    " SELECT c.id, coalesce(min(p.id) FILTER (WHERE d.id IS NULL) - 1, max(p.id))"
    " FROM connections c JOIN source_posts p ON p.account_id = c.source_account_id"
    " LEFT JOIN decisions d ON d.connection_id = c.id AND d.source_post_id = p.id GROUP BY c.id"
)


def upgrade() -> None:
    op.create_table(
        "decision_marks",
        sa.Column("connection_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name="fk_decision_marks_connection_id_connections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name="pk_decision_marks"),
    )
    op.execute(_MARKS)
    op.create_index("ix_decisions_held", "decisions", ["connection_id", "source_post_id"], postgresql_where=_HELD)
    op.create_index("ix_source_posts_account_id_id", "source_posts", ["account_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_source_posts_account_id_id", table_name="source_posts")
    op.drop_index("ix_decisions_held", table_name="decisions", postgresql_where=_HELD)
    op.drop_table("decision_marks")
