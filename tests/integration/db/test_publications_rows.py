"""Publications as rows: one per destination and root post, one open per job, moved only by the holder of the job."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from forwarder_core.db import jobs, publications
from forwarder_core.db.tables import flow
from forwarder_core.domain.jobs import JobStatus, Lease
from forwarder_core.domain.publications import CLOSED, MOVES, PublicationState
from forwarder_core.services.context import Core
from tests.factories import add_account, add_connection, add_job, add_post, add_publication, change_row, claimed, rows

pytestmark = pytest.mark.slow
P = PublicationState


def two_jobs_of_one_post(core: Core) -> tuple[int, int]:
    """Two connections that bring the same post to the same destination."""
    source, destination = add_account(core), add_account(core, "youtube")
    post = add_post(core, source.id)
    first, second = (add_job(core, add_connection(core, source, destination), post) for _ in range(2))
    return first, second


def state_of(core: Core, publication: int) -> str:
    return str(rows(core, flow.publications, id=publication)[0]["state"])


def put_in(core: Core, publication: int, state: PublicationState) -> None:
    with core.begin() as tx:
        change_row(tx, flow.publications, publication, state=state)


def test_one_root_post_reaches_one_destination_once_whichever_job_brings_it(core: Core) -> None:
    first, second = two_jobs_of_one_post(core)
    publication = add_publication(core, first)
    for state in P:
        put_in(core, publication, state)
        if state in CLOSED:
            continue
        with pytest.raises(IntegrityError):
            add_publication(core, second)
        with core.begin() as tx:
            row = rows(core, flow.publications)[0]
            holder = publications.holder_of(tx, row["destination_account_id"], row["root_post_id"])
        assert holder is not None and holder.job_id == first


def test_what_was_given_up_gives_its_place_free(core: Core) -> None:
    first, second = two_jobs_of_one_post(core)
    for state in CLOSED:
        put_in(core, add_publication(core, first), state)
        with core.begin() as tx:
            assert publications.latest_of(tx, first) is None
    assert add_publication(core, second)
    with pytest.raises(IntegrityError):
        add_publication(core, first)


def test_a_job_has_one_open_publication(core: Core) -> None:
    job, _ = two_jobs_of_one_post(core)
    add_publication(core, job)
    other_root = add_post(core, add_account(core).id)
    with pytest.raises(IntegrityError):
        add_publication(core, job, root_post_id=other_root)


def test_a_publication_moves_along_its_table_and_nowhere_else(core: Core) -> None:
    job = add_job(core, add_connection(core))
    lease = claimed(core, job)
    publication = add_publication(core, job)
    for origin in P:
        for target in P:
            put_in(core, publication, origin)
            with core.begin() as tx:
                moved = publications.move(tx, publication, target, lease=lease)
            assert moved == (target in MOVES[origin]), (origin, target)
            assert state_of(core, publication) == (target if moved else origin)


def test_only_the_holder_of_the_job_moves_its_publication(core: Core) -> None:
    job = add_job(core, add_connection(core))
    zombie = claimed(core, job)
    publication = add_publication(core, job)
    with core.begin() as tx:
        jobs.take_away(tx, job, JobStatus.QUEUED, now=core.clock.now())
        assert not publications.move(tx, publication, P.OPENED, lease=zombie), "nobody holds it"
    holder = claimed(core, job)
    with core.begin() as tx:
        assert not publications.move(tx, publication, P.OPENED, lease=zombie), "another holds it"
        assert not publications.move(tx, publication, P.OPENED, lease=Lease(job, 0, holder.fence + 1, holder.until))
        assert publications.move(tx, publication, P.OPENED, lease=holder, session_ref=b"sealed")
        assert publications.move(tx, publication, P.ABANDONED, lease=None), "a person may, without a lease"
    assert state_of(core, publication) == P.ABANDONED


def test_what_is_read_back_is_without_its_session_which_comes_sealed_beside_it(core: Core) -> None:
    job = add_job(core, add_connection(core))
    sealed = core.vault.seal({"session": "https://upload.example/?upload_id=bearer"})
    add_publication(core, job, session_ref=sealed, caption="Sunset", duration_ms=6_000)
    with core.begin() as tx:
        found = publications.latest_of(tx, job)
    assert found is not None
    publication, session = found
    assert (publication.session, publication.caption, publication.duration_ms) == (None, "Sunset", 6_000)
    assert session is not None and b"bearer" not in session
    assert core.vault.unseal(session)["session"].endswith("upload_id=bearer")


def test_an_account_has_something_open_while_bytes_may_have_arrived_under_no_name(core: Core) -> None:
    job = add_job(core, add_connection(core))
    publication = add_publication(core, job)
    destination = rows(core, flow.publications)[0]["destination_account_id"]
    for state in P:
        put_in(core, publication, state)
        with core.begin() as tx:
            is_open = publications.has_open_at(tx, destination, core.clock.now())
        assert is_open == (state in (P.SENDING, P.COMMITTING, P.UNCONFIRMED)), state


def test_a_newer_file_of_a_kind_takes_the_place_of_the_older(core: Core) -> None:
    job = add_job(core, add_connection(core))
    facts = {"sha256": "x", "duration_ms": 6_000, "width": 720, "height": 1280, "created_at": core.clock.now()}
    with core.begin() as tx:
        publications.keep_file(tx, job, "fetched", {"path": "/a", "size_bytes": 1, **facts})
        publications.keep_file(tx, job, "rendition", {"path": "/r", "size_bytes": 2, **facts})
        publications.keep_file(tx, job, "fetched", {"path": "/b", "size_bytes": 3, **facts})
        files = publications.files_of(tx, job)
    assert {kind: (file.path, file.size_bytes) for kind, file in files.items()} == {
        "fetched": ("/b", 3),
        "rendition": ("/r", 2),
    }
