"""first schema"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('workspaces',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_workspaces'))
    )
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('who', sa.Text(), nullable=False),
    sa.Column('what', sa.Text(), nullable=False),
    sa.Column('target', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_audit_log_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log'))
    )
    op.create_index(op.f('ix_audit_log_at'), 'audit_log', ['at'], unique=False)
    op.create_table('breakers',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('openings', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_breakers_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_breakers')),
    sa.UniqueConstraint('workspace_id', 'scope', 'key', name=op.f('uq_breakers_workspace_id_scope_key'))
    )
    op.create_table('log_events',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.Column('connection_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sa.Text(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_log_events_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_log_events'))
    )
    op.create_index('ix_log_events_at', 'log_events', ['at'], unique=False)
    op.create_index('ix_log_events_connection_id_id', 'log_events', ['connection_id', 'id'], unique=False)
    op.create_index('ix_log_events_job_id_id', 'log_events', ['job_id', 'id'], unique=False)
    op.create_table('login_failures',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_login_failures_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login_failures'))
    )
    op.create_index(op.f('ix_login_failures_address'), 'login_failures', ['address'], unique=False)
    op.create_index(op.f('ix_login_failures_at'), 'login_failures', ['at'], unique=False)
    op.create_index(op.f('ix_login_failures_username'), 'login_failures', ['username'], unique=False)
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('dedupe_key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('thread', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('cause', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('severity', sa.Text(), server_default=sa.text("'medium'"), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('chat_id', sa.Text(), nullable=True),
    sa.Column('sent_message_id', sa.Text(), nullable=True),
    sa.Column('in_digest', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_outbox_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('workspace_id', 'dedupe_key', name=op.f('uq_outbox_workspace_id_dedupe_key'))
    )
    op.create_index('ix_outbox_due', 'outbox', ['next_at', 'id'], unique=False, postgresql_where=sa.text("state = 'waiting'"))
    op.create_index('ix_outbox_sent_at', 'outbox', ['sent_at'], unique=False)
    op.create_index('ix_outbox_thread_id', 'outbox', ['thread', 'id'], unique=False)
    op.create_table('proxies',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('alias', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('port', sa.Integer(), nullable=False),
    sa.Column('credentials', sa.LargeBinary(), nullable=True),
    sa.Column('assignment', sa.Text(), server_default=sa.text("'global'"), nullable=False),
    sa.Column('health', sa.Text(), server_default=sa.text("'unchecked'"), nullable=False),
    sa.Column('consecutive_failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('latency_ms', sa.Integer(), nullable=True),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_ok_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.Column('exit_ip', sa.Text(), nullable=True),
    sa.Column('exit_country', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_proxies_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proxies')),
    sa.UniqueConstraint('workspace_id', 'alias', name=op.f('uq_proxies_workspace_id_alias'))
    )
    op.create_table('quota_ledger',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('used', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('reserved', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('cap', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_quota_ledger_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quota_ledger')),
    sa.UniqueConstraint('workspace_id', 'scope', 'day', name=op.f('uq_quota_ledger_workspace_id_scope_day'))
    )
    op.create_table('settings',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('value', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_settings_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_settings')),
    sa.UniqueConstraint('workspace_id', 'key', name=op.f('uq_settings_workspace_id_key'))
    )
    op.create_table('users',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('username', sa.Text(), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), server_default=sa.text("'admin'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('password_changed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_users_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('workspace_id', 'username', name=op.f('uq_users_workspace_id_username'))
    )
    op.create_table('watches',
    sa.Column('account_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('next_poll_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('polling_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('polled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('succeeded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('last_error_code', sa.Text(), nullable=True),
    sa.Column('last_error', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_watches_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_watches'))
    )
    op.create_index(op.f('ix_watches_next_poll_at'), 'watches', ['next_poll_at'], unique=False)
    op.create_table('workers',
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_workers_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_workers'))
    )
    op.create_table('accounts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('platform', sa.Text(), nullable=False),
    sa.Column('alias', sa.Text(), nullable=False),
    sa.Column('handle', sa.Text(), nullable=False),
    sa.Column('remote_id', sa.Text(), nullable=True),
    sa.Column('auth_method', sa.Text(), nullable=False),
    sa.Column('credentials', sa.LargeBinary(), nullable=True),
    sa.Column('status', sa.Text(), server_default=sa.text("'active'"), nullable=False),
    sa.Column('status_reason', sa.Text(), nullable=True),
    sa.Column('rights', sa.Text(), server_default=sa.text("'undeclared'"), nullable=False),
    sa.Column('rights_note', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('proxy_id', sa.BigInteger(), nullable=True),
    sa.Column('token_expiry', sa.DateTime(timezone=True), nullable=True),
    sa.Column('alerts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('cool_down_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('challenged_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('on_probation', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['proxy_id'], ['proxies.id'], name=op.f('fk_accounts_proxy_id_proxies'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_accounts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_accounts')),
    sa.UniqueConstraint('workspace_id', 'alias', name=op.f('uq_accounts_workspace_id_alias')),
    sa.UniqueConstraint('workspace_id', 'platform', 'handle', name=op.f('uq_accounts_workspace_id_platform_handle'))
    )
    op.create_index(op.f('ix_accounts_proxy_id'), 'accounts', ['proxy_id'], unique=False)
    op.create_table('proxy_checks',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('proxy_id', sa.BigInteger(), nullable=False),
    sa.Column('target', sa.Text(), nullable=False),
    sa.Column('ok', sa.Boolean(), nullable=False),
    sa.Column('latency_ms', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['proxy_id'], ['proxies.id'], name=op.f('fk_proxy_checks_proxy_id_proxies'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proxy_checks'))
    )
    op.create_index(op.f('ix_proxy_checks_at'), 'proxy_checks', ['at'], unique=False)
    op.create_index(op.f('ix_proxy_checks_proxy_id'), 'proxy_checks', ['proxy_id'], unique=False)
    op.create_table('sessions',
    sa.Column('token_hash', sa.LargeBinary(), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('user_id', sa.BigInteger(), nullable=False),
    sa.Column('csrf_token', sa.Text(), nullable=False),
    sa.Column('is_remembered', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('address', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sessions_user_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_sessions_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_sessions'))
    )
    op.create_index(op.f('ix_sessions_expires_at'), 'sessions', ['expires_at'], unique=False)
    op.create_index(op.f('ix_sessions_user_id'), 'sessions', ['user_id'], unique=False)
    op.create_table('connections',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('source_account_id', sa.BigInteger(), nullable=False),
    sa.Column('destination_account_id', sa.BigInteger(), nullable=False),
    sa.Column('proxy_id', sa.BigInteger(), nullable=True),
    sa.Column('proxy_policy', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('filters', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('schedule', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('transform_options', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('publish_options', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('retry_policy', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('priority', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('status', sa.Text(), server_default=sa.text("'stopped'"), nullable=False),
    sa.Column('status_reason', sa.Text(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_run_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['destination_account_id'], ['accounts.id'], name=op.f('fk_connections_destination_account_id_accounts')),
    sa.ForeignKeyConstraint(['proxy_id'], ['proxies.id'], name=op.f('fk_connections_proxy_id_proxies'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['source_account_id'], ['accounts.id'], name=op.f('fk_connections_source_account_id_accounts')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_connections_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_connections'))
    )
    op.create_index(op.f('ix_connections_destination_account_id'), 'connections', ['destination_account_id'], unique=False)
    op.create_index(op.f('ix_connections_proxy_id'), 'connections', ['proxy_id'], unique=False)
    op.create_index(op.f('ix_connections_source_account_id'), 'connections', ['source_account_id'], unique=False)
    op.create_index('uq_connections_workspace_id_name', 'connections', ['workspace_id', 'name'], unique=True, postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('source_posts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('platform_post_id', sa.Text(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('caption', sa.Text(), nullable=False),
    sa.Column('posted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('duration_s', sa.Double(), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_source_posts_account_id_accounts')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_source_posts_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_source_posts')),
    sa.UniqueConstraint('account_id', 'platform_post_id', name=op.f('uq_source_posts_account_id_platform_post_id'))
    )
    op.create_index('ix_source_posts_account_id_posted_at', 'source_posts', ['account_id', 'posted_at'], unique=False)
    op.create_table('decisions',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('connection_id', sa.BigInteger(), nullable=False),
    sa.Column('source_post_id', sa.BigInteger(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('value', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['connection_id'], ['connections.id'], name=op.f('fk_decisions_connection_id_connections')),
    sa.ForeignKeyConstraint(['source_post_id'], ['source_posts.id'], name=op.f('fk_decisions_source_post_id_source_posts')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_decisions')),
    sa.UniqueConstraint('connection_id', 'source_post_id', name=op.f('uq_decisions_connection_id_source_post_id'))
    )
    op.create_index(op.f('ix_decisions_source_post_id'), 'decisions', ['source_post_id'], unique=False)
    op.create_table('jobs',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('connection_id', sa.BigInteger(), nullable=False),
    sa.Column('source_post_id', sa.BigInteger(), nullable=False),
    sa.Column('root_post_id', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.Text(), server_default=sa.text("'queued'"), nullable=False),
    sa.Column('wait_reason', sa.Text(), nullable=True),
    sa.Column('step', sa.Text(), nullable=True),
    sa.Column('progress', sa.Double(), server_default=sa.text('0'), nullable=False),
    sa.Column('progress_note', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('priority', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('dispatch_no', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('dispatched_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('retries_used', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('rescues', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('fence', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('worker', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('error_code', sa.Text(), nullable=True),
    sa.Column('error_message', sa.Text(), nullable=True),
    sa.Column('error_action', sa.Text(), nullable=True),
    sa.Column('destination_post_id', sa.Text(), nullable=True),
    sa.Column('destination_url', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['connection_id'], ['connections.id'], name=op.f('fk_jobs_connection_id_connections')),
    sa.ForeignKeyConstraint(['root_post_id'], ['source_posts.id'], name=op.f('fk_jobs_root_post_id_source_posts')),
    sa.ForeignKeyConstraint(['source_post_id'], ['source_posts.id'], name=op.f('fk_jobs_source_post_id_source_posts')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_jobs_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs')),
    sa.UniqueConstraint('connection_id', 'source_post_id', name=op.f('uq_jobs_connection_id_source_post_id'))
    )
    op.create_index(op.f('ix_jobs_changed_at'), 'jobs', ['changed_at'], unique=False)
    op.create_index(op.f('ix_jobs_created_at'), 'jobs', ['created_at'], unique=False)
    op.create_index('ix_jobs_due', 'jobs', ['priority', 'id'], unique=False, postgresql_where=sa.text("status IN ('queued', 'retry_wait')"))
    op.create_index(op.f('ix_jobs_root_post_id'), 'jobs', ['root_post_id'], unique=False)
    op.create_index('ix_jobs_running', 'jobs', ['lease_until'], unique=False, postgresql_where=sa.text("status = 'running'"))
    op.create_index(op.f('ix_jobs_source_post_id'), 'jobs', ['source_post_id'], unique=False)
    op.create_index('ix_jobs_status_id', 'jobs', ['status', 'id'], unique=False)
    op.create_table('attempts',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'running'"), nullable=False),
    sa.Column('step', sa.Text(), nullable=True),
    sa.Column('run_id', sa.Text(), nullable=True),
    sa.Column('proxy', sa.Text(), nullable=True),
    sa.Column('bytes_fetched', sa.BigInteger(), nullable=True),
    sa.Column('bytes_sent', sa.BigInteger(), nullable=True),
    sa.Column('seconds', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('error_code', sa.Text(), nullable=True),
    sa.Column('error_message', sa.Text(), nullable=True),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_attempts_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attempts')),
    sa.UniqueConstraint('job_id', 'n', name=op.f('uq_attempts_job_id_n'))
    )
    op.create_table('media_files',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('duration_ms', sa.BigInteger(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('plan', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_media_files_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_media_files')),
    sa.UniqueConstraint('job_id', 'kind', name=op.f('uq_media_files_job_id_kind'))
    )
    op.create_table('publications',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.Column('destination_account_id', sa.BigInteger(), nullable=False),
    sa.Column('root_post_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), server_default=sa.text("'planned'"), nullable=False),
    sa.Column('marker', sa.Text(), nullable=False),
    sa.Column('session_ref', sa.LargeBinary(), nullable=True),
    sa.Column('caption', sa.Text(), server_default=sa.text("''"), nullable=False),
    sa.Column('bytes_sent', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=True),
    sa.Column('content_sha256', sa.Text(), nullable=True),
    sa.Column('duration_ms', sa.BigInteger(), nullable=True),
    sa.Column('clean_reads', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('remote_id', sa.Text(), nullable=True),
    sa.Column('remote_url', sa.Text(), nullable=True),
    sa.Column('verification', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('committing_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('unclear_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('verified_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['destination_account_id'], ['accounts.id'], name=op.f('fk_publications_destination_account_id_accounts')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_publications_job_id_jobs')),
    sa.ForeignKeyConstraint(['root_post_id'], ['source_posts.id'], name=op.f('fk_publications_root_post_id_source_posts')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_publications_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_publications'))
    )
    op.create_index(op.f('ix_publications_job_id'), 'publications', ['job_id'], unique=False)
    op.create_index(op.f('ix_publications_root_post_id'), 'publications', ['root_post_id'], unique=False)
    op.create_index('uq_publications_destination_root', 'publications', ['destination_account_id', 'root_post_id'], unique=True, postgresql_where=sa.text("state NOT IN ('abandoned', 'failed')"))
    op.create_index('uq_publications_job_open', 'publications', ['job_id'], unique=True, postgresql_where=sa.text("state NOT IN ('verified', 'abandoned', 'failed')"))
    op.create_table('origins',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('platform', sa.Text(), nullable=False),
    sa.Column('remote_id', sa.Text(), nullable=False),
    sa.Column('root_post_id', sa.BigInteger(), nullable=False),
    sa.Column('publication_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['publication_id'], ['publications.id'], name=op.f('fk_origins_publication_id_publications')),
    sa.ForeignKeyConstraint(['root_post_id'], ['source_posts.id'], name=op.f('fk_origins_root_post_id_source_posts')),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_origins_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_origins')),
    sa.UniqueConstraint('workspace_id', 'platform', 'remote_id', name=op.f('uq_origins_workspace_id_platform_remote_id'))
    )
    op.create_index(op.f('ix_origins_publication_id'), 'origins', ['publication_id'], unique=False)
    op.create_index(op.f('ix_origins_root_post_id'), 'origins', ['root_post_id'], unique=False)
    op.execute("INSERT INTO workspaces (name, created_at) VALUES ('default', now())")


def downgrade() -> None:
    op.drop_index(op.f('ix_origins_root_post_id'), table_name='origins')
    op.drop_index(op.f('ix_origins_publication_id'), table_name='origins')
    op.drop_table('origins')
    op.drop_index('uq_publications_job_open', table_name='publications', postgresql_where=sa.text("state NOT IN ('verified', 'abandoned', 'failed')"))
    op.drop_index('uq_publications_destination_root', table_name='publications', postgresql_where=sa.text("state NOT IN ('abandoned', 'failed')"))
    op.drop_index(op.f('ix_publications_root_post_id'), table_name='publications')
    op.drop_index(op.f('ix_publications_job_id'), table_name='publications')
    op.drop_table('publications')
    op.drop_table('media_files')
    op.drop_table('attempts')
    op.drop_index('ix_jobs_status_id', table_name='jobs')
    op.drop_index(op.f('ix_jobs_source_post_id'), table_name='jobs')
    op.drop_index('ix_jobs_running', table_name='jobs', postgresql_where=sa.text("status = 'running'"))
    op.drop_index(op.f('ix_jobs_root_post_id'), table_name='jobs')
    op.drop_index('ix_jobs_due', table_name='jobs', postgresql_where=sa.text("status IN ('queued', 'retry_wait')"))
    op.drop_index(op.f('ix_jobs_created_at'), table_name='jobs')
    op.drop_index(op.f('ix_jobs_changed_at'), table_name='jobs')
    op.drop_table('jobs')
    op.drop_index(op.f('ix_decisions_source_post_id'), table_name='decisions')
    op.drop_table('decisions')
    op.drop_index('ix_source_posts_account_id_posted_at', table_name='source_posts')
    op.drop_table('source_posts')
    op.drop_index('uq_connections_workspace_id_name', table_name='connections', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index(op.f('ix_connections_source_account_id'), table_name='connections')
    op.drop_index(op.f('ix_connections_proxy_id'), table_name='connections')
    op.drop_index(op.f('ix_connections_destination_account_id'), table_name='connections')
    op.drop_table('connections')
    op.drop_index(op.f('ix_sessions_user_id'), table_name='sessions')
    op.drop_index(op.f('ix_sessions_expires_at'), table_name='sessions')
    op.drop_table('sessions')
    op.drop_index(op.f('ix_proxy_checks_proxy_id'), table_name='proxy_checks')
    op.drop_index(op.f('ix_proxy_checks_at'), table_name='proxy_checks')
    op.drop_table('proxy_checks')
    op.drop_index(op.f('ix_accounts_proxy_id'), table_name='accounts')
    op.drop_table('accounts')
    op.drop_table('workers')
    op.drop_index(op.f('ix_watches_next_poll_at'), table_name='watches')
    op.drop_table('watches')
    op.drop_table('users')
    op.drop_table('settings')
    op.drop_table('quota_ledger')
    op.drop_table('proxies')
    op.drop_index('ix_outbox_thread_id', table_name='outbox')
    op.drop_index('ix_outbox_sent_at', table_name='outbox')
    op.drop_index('ix_outbox_due', table_name='outbox', postgresql_where=sa.text("state = 'waiting'"))
    op.drop_table('outbox')
    op.drop_index(op.f('ix_login_failures_username'), table_name='login_failures')
    op.drop_index(op.f('ix_login_failures_at'), table_name='login_failures')
    op.drop_index(op.f('ix_login_failures_address'), table_name='login_failures')
    op.drop_table('login_failures')
    op.drop_index('ix_log_events_job_id_id', table_name='log_events')
    op.drop_index('ix_log_events_connection_id_id', table_name='log_events')
    op.drop_index('ix_log_events_at', table_name='log_events')
    op.drop_table('log_events')
    op.drop_table('breakers')
    op.drop_index(op.f('ix_audit_log_at'), table_name='audit_log')
    op.drop_table('audit_log')
    op.drop_table('workspaces')
