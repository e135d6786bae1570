"""machines"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

# Wakes whoever listens, once per transaction and table: PostgreSQL folds equal notifications of one transaction.
_NOTIFY = """
CREATE FUNCTION forwarder_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('forwarder_live', TG_TABLE_NAME);
  RETURN NULL;
END
$$
"""
_WAKING = {
    'jobs': 'INSERT OR UPDATE OF status, step, progress, progress_note, wait_reason',
    'log_events': 'INSERT',
    'sessions': 'DELETE',
    'api_tokens': 'DELETE',
}


def upgrade() -> None:
    op.create_table('api_tokens',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('hint', sa.Text(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_from', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_api_tokens_user_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_api_tokens_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_api_tokens_token_hash')),
    sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_api_tokens_workspace_id_name'))
    )
    op.create_index(op.f('ix_api_tokens_user_id'), 'api_tokens', ['user_id'], unique=False)
    op.create_table('idempotency_keys',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('body_hash', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('content_type', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('response', sa.LargeBinary(), nullable=True),
    sa.Column('claimed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_idempotency_keys_user_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_idempotency_keys_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_idempotency_keys')),
    sa.UniqueConstraint('user_id', 'key', name=op.f('uq_idempotency_keys_user_id_key'))
    )
    op.create_index(op.f('ix_idempotency_keys_expires_at'), 'idempotency_keys', ['expires_at'], unique=False)
    for table, text in (('source_posts', 'caption'), ('log_events', 'text')):
        words = sa.Computed(f"to_tsvector('simple'::regconfig, {text})", persisted=True)
        op.add_column(table, sa.Column('search', postgresql.TSVECTOR(), words, nullable=True))
        op.create_index(f'ix_{table}_search', table, ['search'], unique=False, postgresql_using='gin')
    op.execute(_NOTIFY)
    for table, moment in _WAKING.items():
        op.execute(
            f'CREATE TRIGGER {table}_live AFTER {moment} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION forwarder_notify()'
        )


def downgrade() -> None:
    for table in _WAKING:
        op.execute(f'DROP TRIGGER {table}_live ON {table}')
    op.execute('DROP FUNCTION forwarder_notify()')
    for table in ('log_events', 'source_posts'):
        op.drop_index(f'ix_{table}_search', table_name=table, postgresql_using='gin')
        op.drop_column(table, 'search')
    op.drop_table('idempotency_keys')
    op.drop_table('api_tokens')
