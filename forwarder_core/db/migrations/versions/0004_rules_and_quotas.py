"""rules and quotas

Pace of accounts, the two marks of a job the dispatcher asks for, the words a publication was planned with, the quota
ledger with what platforms themselves say, and limits the administrator has overridden.
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    empty = sa.text("'{}'::jsonb")
    op.add_column('accounts', sa.Column('pace', postgresql.JSONB(astext_type=sa.Text()), server_default=empty, nullable=False))
    op.add_column('jobs', sa.Column('is_old', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('jobs', sa.Column('is_urgent', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.add_column('publications', sa.Column('words', postgresql.JSONB(astext_type=sa.Text()), server_default=empty, nullable=False))
    op.create_index('ix_publications_last', 'publications', ['destination_account_id', 'committing_at'], unique=False)
    op.drop_column('quota_ledger', 'reserved')
    op.add_column('quota_ledger', sa.Column('told_used', sa.Integer(), nullable=True))
    op.add_column('quota_ledger', sa.Column('told_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('quota_ledger', sa.Column('full_until', sa.DateTime(timezone=True), nullable=True))
    op.create_table('quota_entries',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'reserved'"), nullable=False),
    sa.Column('units', sa.Integer(), server_default=sa.text('1'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_quota_entries_job_id_jobs'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_quota_entries_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quota_entries')),
    sa.UniqueConstraint('day', 'scope', 'job_id', name=op.f('uq_quota_entries_day_scope_job_id'))
    )
    op.create_index(op.f('ix_quota_entries_job_id'), 'quota_entries', ['job_id'], unique=False)
    op.create_table('limit_overrides',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('platform', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), server_default=empty, nullable=False),
    sa.Column('source', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_limit_overrides_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_limit_overrides')),
    sa.UniqueConstraint('workspace_id', 'platform', 'name', name=op.f('uq_limit_overrides_workspace_id_platform_name'))
    )


def downgrade() -> None:
    op.drop_table('limit_overrides')
    op.drop_index(op.f('ix_quota_entries_job_id'), table_name='quota_entries')
    op.drop_table('quota_entries')
    op.drop_column('quota_ledger', 'full_until')
    op.drop_column('quota_ledger', 'told_at')
    op.drop_column('quota_ledger', 'told_used')
    op.add_column('quota_ledger', sa.Column('reserved', sa.Integer(), server_default=sa.text('0'), nullable=False))
    op.drop_index('ix_publications_last', table_name='publications')
    op.drop_column('publications', 'words')
    op.drop_column('jobs', 'is_urgent')
    op.drop_column('jobs', 'is_old')
    op.drop_column('accounts', 'pace')
