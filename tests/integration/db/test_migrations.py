"""The schema comes from migrations alone: however often and however many start, they end at this version."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from forwarder_core import db
from forwarder_core.clock import ManualClock
from forwarder_core.db import jobs, posts
from forwarder_core.db.columns import WORKSPACE
from forwarder_core.db.engine import DatabaseClock, check, connect
from forwarder_core.db.schema import SchemaNewer, UnknownRevision, config, known, move_to
from forwarder_core.db.tables import flow, metadata
from forwarder_core.domain.posts import Decision, Verdict
from forwarder_core.errors import DatabaseUnreachable, StartError
from forwarder_core.services.context import Core
from tests.factories import STAMP_S, add_connection, add_job, add_post, add_publication, claimed, make_core, rows

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Engine]:
    engine = connect(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def migrated_engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def run_alembic(engine: Engine, revision: str) -> None:
    made = config()
    with engine.connect() as connection:
        made.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(made, revision)
        connection.commit()


def test_an_empty_database_gets_every_table_and_the_second_start_changes_nothing(
    empty: Engine, empty_database_url: str
) -> None:
    first = db.migrate(empty_database_url)
    with empty.begin() as tx:
        tx.execute(text("INSERT INTO users (username, password_hash, created_at) VALUES ('a', 'b', now())"))
    assert move_to(empty) == first
    assert tables(empty) == {*metadata.tables, "alembic_version"}
    with empty.begin() as tx:
        assert tx.execute(text("SELECT count(*) FROM users")).scalar_one() == 1
        assert tx.execute(text("SELECT id FROM workspaces")).scalars().all() == [WORKSPACE]


def test_the_migrations_make_exactly_the_tables_the_queries_are_written_for(migrated_engine: Engine) -> None:
    with migrated_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_down_to_nothing_and_up_again(migrated_engine: Engine) -> None:
    run_alembic(migrated_engine, "base")
    assert tables(migrated_engine) == {"alembic_version"}
    move_to(migrated_engine)
    assert tables(migrated_engine) == {*metadata.tables, "alembic_version"}


def test_jobs_in_flight_outlive_every_step_back_and_forth(
    migrated_engine: Engine, database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    """An update that is taken back: what is running keeps its lease, what is being published keeps its place."""
    script = ScriptDirectory.from_config(config())
    revisions = [revision.revision for revision in script.walk_revisions()]
    with make_core(database_url, clock, tmp_path) as core:
        waiting, carried = (add_job(core, add_connection(core)) for _ in range(2))
        lease = claimed(core, carried)
        add_publication(core, carried, state="committing")
        before = _in_flight(core)
        for earlier in revisions[1:]:
            assert move_to(migrated_engine, earlier) == earlier
        move_to(migrated_engine)
        core.engine.dispose()  # what a restarted process would do
        assert _in_flight(core) == before
        assert {row["job_id"] for row in rows(core, flow.job_words)} == {waiting, carried}
        with core.begin() as tx:
            assert jobs.renew(tx, lease, clock.now() + timedelta(seconds=60))
        clock.move(STAMP_S + 1)  # it was launched together with the other, and nobody came
        assert claimed(core, waiting)
        with pytest.raises(IntegrityError):
            add_publication(core, carried, state="planned")


def test_what_a_connection_has_not_decided_is_still_asked_about_after_the_step_that_makes_marks(
    migrated_engine: Engine, database_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    with make_core(database_url, clock, tmp_path) as core:
        connection, quiet = add_connection(core), add_connection(core)
        source = connection.source_account_id
        first, open_, last = (add_post(core, source) for _ in range(3))
        post = add_post(core, quiet.source_account_id)
        forward = Decision(Verdict.FORWARD, "matches")
        with core.begin() as tx:
            posts.decide(tx, connection.id, {first: forward, last: forward}, clock.now())
            posts.decide(tx, quiet.id, {post: forward}, clock.now())
        move_to(migrated_engine, "0014")
        move_to(migrated_engine)
        core.engine.dispose()
        marks = {row["connection_id"]: row["post_id"] for row in rows(core, flow.decision_marks)}
        assert marks == {connection.id: open_ - 1, quiet.id: post}
        with core.begin() as tx:
            assert [p.id for p in posts.undecided(tx, connection.id, source)] == [open_]


def _in_flight(core: Core) -> list[object]:
    """What says that a job is carried, by whom, and that its post may be live."""
    told = [
        (job["id"], job["status"], job["fence"], job["lease_until"], job["dispatch_no"])
        for job in rows(core, flow.jobs)
    ]
    return told + [(p["job_id"], p["state"], p["marker"], p["root_post_id"]) for p in rows(core, flow.publications)]


def test_a_revision_there_is_not_is_refused_by_name(migrated_engine: Engine) -> None:
    with pytest.raises(UnknownRevision, match="9999"):
        move_to(migrated_engine, "9999")


def test_two_starts_at_once_both_succeed(empty_database_url: str, empty: Engine) -> None:
    outcomes: list[object] = []
    together = threading.Barrier(3)

    def start() -> None:
        together.wait()
        try:
            outcomes.append(db.migrate(empty_database_url))
        except Exception as e:  # noqa: BLE001 - shown by the assertion below
            outcomes.append(e)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 3 and len(set(outcomes)) == 1 and isinstance(outcomes[0], str), outcomes
    assert "jobs" in tables(empty)


def test_the_files_of_the_migrations_are_called_by_their_revisions() -> None:
    order = [revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions()]
    assert list(known()) == order[::-1]


def test_a_database_of_a_later_version_is_refused_and_left_alone(migrated_engine: Engine) -> None:
    with migrated_engine.begin() as tx:
        ours = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        tx.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(SchemaNewer) as refused:
        move_to(migrated_engine)
    assert "from_the_future" in str(refused.value) and isinstance(refused.value, StartError)
    assert "jobs" in tables(migrated_engine)
    with migrated_engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :ours"), {"ours": ours})
    assert move_to(migrated_engine), "the lock was let go"


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    engine = connect("postgresql://forwarder:s3cr3t-pw@127.0.0.1:1/forwarder")
    with pytest.raises(DatabaseUnreachable) as refused:
        check(engine)
    assert "127.0.0.1:1" in str(refused.value) and "s3cr3t-pw" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_table_of_a_tenant_has_its_workspace_in_every_unique_key_or_under_a_parent_that_has() -> None:
    rooted = {name: table for name, table in metadata.tables.items() if "workspace_id" in table.c}
    assert {"accounts", "connections", "jobs", "source_posts", "outbox", "settings"} <= set(rooted)
    for table in rooted.values():
        assert not table.c.workspace_id.nullable


def test_the_databases_clock_is_the_servers_and_does_not_go_back(migrated_engine: Engine) -> None:
    clock = DatabaseClock(migrated_engine)
    read = [clock.now() for _ in range(50)]
    assert read == sorted(read) and read[0].tzinfo is not None
    with migrated_engine.connect() as tx:
        server = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert abs((server - clock.now()).total_seconds()) < 5
