"""The words of each job's post in a table of their own, in the order of jobs, instead of an index over all posts.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_WORDS_OF = (
    "INSERT INTO job_words (job_id, connection_id, search)"
    " SELECT j.id, j.connection_id, to_tsvector('simple'::regconfig, p.caption)"
    " FROM {jobs} AS j JOIN source_posts p ON p.id = j.source_post_id ORDER BY j.id"
)
_FUNCTION = (
    "CREATE FUNCTION forwarder_job_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" {_WORDS_OF.format(jobs='made')}; RETURN NULL; END $$"
)
_TRIGGER = (
    "CREATE TRIGGER jobs_words AFTER INSERT ON jobs REFERENCING NEW TABLE AS made"
    " FOR EACH STATEMENT EXECUTE FUNCTION forwarder_job_words()"
)


def upgrade() -> None:
    op.create_table(
        "job_words",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_job_words_connection_id_connections"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_words_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_words"),
    )
    op.execute(_WORDS_OF.format(jobs="jobs"))
    op.create_index("ix_job_words_connection_id", "job_words", ["connection_id"])
    op.create_index(
        "ix_job_words_search", "job_words", ["search"], postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )
    op.execute("ANALYZE job_words")
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    op.drop_index("ix_source_posts_search", table_name="source_posts", postgresql_using="gin")
    op.drop_column("source_posts", "search")


def downgrade() -> None:
    words = sa.Computed("to_tsvector('simple'::regconfig, caption)", persisted=True)
    op.add_column("source_posts", sa.Column("search", postgresql.TSVECTOR(), words, nullable=True))
    op.create_index("ix_source_posts_search", "source_posts", ["search"], postgresql_using="gin")
    op.execute("DROP TRIGGER jobs_words ON jobs")
    op.execute("DROP FUNCTION forwarder_job_words()")
    op.drop_table("job_words")
