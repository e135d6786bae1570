"""rehearsals"""

from typing import Any

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def _facts(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False)


def _at(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table('requests',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('connection_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'queued'"), nullable=False),
    _facts('asked'),
    _facts('report'),
    sa.Column('progress', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('requested_by', sa.Text(), server_default=sa.text("''"), nullable=False),
    _at('requested_at', nullable=False),
    _at('started_at'),
    _at('ended_at'),
    sa.Column('dispatch_no', sa.Integer(), server_default=sa.text('0'), nullable=False),
    _at('dispatched_until'),
    sa.Column('fence', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    _at('lease_until'),
    _facts('worker'),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('error_code', sa.Text(), nullable=True),
    sa.Column('error_message', sa.Text(), nullable=True),
    sa.Column('error_action', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['connection_id'], ['connections.id'], name=op.f('fk_requests_connection_id_connections'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_requests_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requests'))
    )
    op.create_index('ix_requests_connection_id_kind_id', 'requests', ['connection_id', 'kind', 'id'], unique=False)
    op.create_index(
        'uq_requests_open',
        'requests',
        ['connection_id', 'kind'],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )


def downgrade() -> None:
    op.drop_table('requests')
