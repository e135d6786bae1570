"""Words of our own vocabulary stand in a statement as they are, so that a plan made once knows them."""

from __future__ import annotations

import pytest
from sqlalchemy import ClauseElement, select, text, update

from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus
from forwarder_core.services.context import Core
from tests.factories import add_connection, add_job, rows

pytestmark = pytest.mark.slow

RUNNING = select(flow.jobs.c.id).where(flow.jobs.c.status == JobStatus.RUNNING)


def spelled(core: Core, query: ClauseElement) -> str:
    return str(query.compile(dialect=core.engine.dialect, compile_kwargs={"render_postcompile": True}))


def test_a_plan_made_for_all_parameters_uses_the_index_of_what_is_running(core: Core) -> None:
    with core.begin() as tx:
        tx.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        tx.execute(text("SET LOCAL enable_seqscan = off"))
        tx.execute(text(f"PREPARE asked AS {spelled(core, RUNNING)}"))
        plan = "\n".join(tx.execute(text("EXPLAIN EXECUTE asked")).scalars())
    assert "ix_jobs_running" in plan


@pytest.mark.parametrize("word", ["x' OR 'a' = 'a", "100%", "%(status)s", "\\'", ":status"])
def test_a_word_from_outside_is_only_a_word(core: Core, word: str) -> None:
    add_job(core, add_connection(core))
    status = flow.jobs.c.status
    with core.begin() as tx:
        assert tx.execute(select(flow.jobs.c.id).where(status == word)).all() == []
        assert tx.execute(select(flow.jobs.c.id).where(status.in_([word, "y"]))).all() == []
        assert len(tx.execute(select(flow.jobs.c.id).where(status.not_in([word]))).all()) == 1


def test_what_is_written_is_a_parameter_as_ever(core: Core) -> None:
    job = add_job(core, add_connection(core))
    change = update(flow.jobs).where(flow.jobs.c.status == JobStatus.QUEUED).values(status=JobStatus.DEAD)
    assert "'queued'" in spelled(core, change) and "'dead'" not in spelled(core, change)
    with core.begin() as tx:
        tx.execute(change)
    assert [(row["id"], row["status"]) for row in rows(core, flow.jobs)] == [(job, "dead")]
