"""alert roads"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('approvals',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('question', sa.Text(), nullable=False),
    sa.Column('choices', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('answered_by', sa.Text(), nullable=True),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_approvals_job_id_jobs'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_approvals_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_approvals')),
    sa.UniqueConstraint('job_id', 'topic', name=op.f('uq_approvals_job_id_topic'))
    )
    op.create_index('ix_approvals_open', 'approvals', ['id'], unique=False, postgresql_where=sa.text('answer IS NULL'))
    op.create_table('telegram_strangers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_telegram_strangers_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_telegram_strangers')),
    sa.UniqueConstraint('workspace_id', 'user_id', name=op.f('uq_telegram_strangers_workspace_id_user_id'))
    )
    op.create_table('telegram_updates',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('bot', sa.Text(), nullable=False),
    sa.Column('update_id', sa.BigInteger(), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('handled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_telegram_updates_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_telegram_updates')),
    sa.UniqueConstraint('workspace_id', 'bot', 'update_id', name=op.f('uq_telegram_updates_workspace_id_bot_update_id'))
    )
    op.create_index('ix_telegram_updates_waiting', 'telegram_updates', ['id'], unique=False, postgresql_where=sa.text('handled_at IS NULL'))
    op.create_table('threshold_states',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('metric', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('value', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_threshold_states_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_threshold_states')),
    sa.UniqueConstraint('workspace_id', 'metric', 'subject', name=op.f('uq_threshold_states_workspace_id_metric_subject'))
    )
    op.create_table('webhooks',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('kinds', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_webhooks_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
    sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_webhooks_workspace_id_name'))
    )
    op.create_table('deliveries',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('outbox_id', sa.BigInteger(), nullable=False),
    sa.Column('webhook_id', sa.BigInteger(), nullable=True),
    sa.Column('cause', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('status_code', sa.Integer(), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['outbox_id'], ['outbox.id'], name=op.f('fk_deliveries_outbox_id_outbox'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['webhook_id'], ['webhooks.id'], name=op.f('fk_deliveries_webhook_id_webhooks'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_deliveries_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries'))
    )
    op.create_index('ix_deliveries_due', 'deliveries', ['next_at', 'id'], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_index(op.f('ix_deliveries_outbox_id'), 'deliveries', ['outbox_id'], unique=False)
    op.create_index('ix_deliveries_webhook_id_id', 'deliveries', ['webhook_id', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_deliveries_webhook_id_id', table_name='deliveries')
    op.drop_index(op.f('ix_deliveries_outbox_id'), table_name='deliveries')
    op.drop_index('ix_deliveries_due', table_name='deliveries', postgresql_where=sa.text("state = 'waiting'"))
    op.drop_table('deliveries')
    op.drop_table('webhooks')
    op.drop_table('threshold_states')
    op.drop_index('ix_telegram_updates_waiting', table_name='telegram_updates', postgresql_where=sa.text('handled_at IS NULL'))
    op.drop_table('telegram_updates')
    op.drop_table('telegram_strangers')
    op.drop_index('ix_approvals_open', table_name='approvals', postgresql_where=sa.text('answer IS NULL'))
    op.drop_table('approvals')
