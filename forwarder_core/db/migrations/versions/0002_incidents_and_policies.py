"""incidents and policies"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('incidents',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('workspace_id', sa.BigInteger(), server_default=sa.text('1'), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('failures', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_because', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['workspace_id'], ['workspaces.id'], name=op.f('fk_incidents_workspace_id_workspaces')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incidents'))
    )
    op.create_index('ix_incidents_last_at', 'incidents', ['last_at'], unique=False)
    op.create_index('uq_incidents_open', 'incidents', ['workspace_id', 'code', 'scope', 'key'], unique=True, postgresql_where=sa.text('closed_at IS NULL'))
    op.create_table('incident_jobs',
    sa.Column('incident_id', sa.BigInteger(), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_incident_jobs_incident_id_incidents'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_incident_jobs_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('incident_id', 'job_id', name=op.f('pk_incident_jobs'))
    )
    op.create_index(op.f('ix_incident_jobs_job_id'), 'incident_jobs', ['job_id'], unique=False)
    op.add_column('connections', sa.Column('on_ambiguous', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'\"ask\"'::jsonb"), nullable=False))
    op.add_column('publications', sa.Column('unconfirmed_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('media_files', sa.Column('fingerprint', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column('media_files', 'fingerprint')
    op.drop_column('publications', 'unconfirmed_at')
    op.drop_column('connections', 'on_ambiguous')
    op.drop_table('incident_jobs')
    op.drop_table('incidents')
