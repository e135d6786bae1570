"""From the library into a bucket, by the engine: an answer that is lost on the way leaves one object in the end."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db.tables import flow
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.jobs import Job, JobStatus
from forwarder_core.errors import AuthInvalid, OutcomeUnknown
from forwarder_core.platforms.library.source import LibrarySource
from forwarder_core.services import accounts, tokens, tunables
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.credentials import StoredCredentials
from forwarder_core.services.proving import AnotherIdentity
from forwarder_core.simulator import clips
from tests.contract.test_archive_roads import folder_account, poll, run, started
from tests.contract.test_bucket_kit import Store, line_to, store
from tests.contract.test_library_kit import home
from tests.factories import make_core, rows

__all__ = ["home", "store"]
pytestmark = pytest.mark.slow


def test_an_answer_lost_to_the_last_request_is_found_out_and_the_post_stored_once(
    database_url: str, home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"clock": None, "settle_s": 0.0, "pause": time.sleep}
    monkeypatch.setattr(LibrarySource.__init__, "__kwdefaults__", quick)
    clock, bucket = ManualClock(datetime.now(UTC)), store.new_bucket()
    allowed = {"allow_private_networks": ("127.0.0.0/8",)}
    with make_core(database_url, clock, home, **allowed) as core, line_to(store) as line:
        tunables.change(core, {"verify.poll_s": 0.05})
        new = NewAccount(
            platform="archive",
            alias="Bucket",
            handle="bucket",
            auth_method="s3",
            credentials=store.typed(bucket, endpoint=f"http://127.0.0.1:{line.port}"),
        )
        archive = accounts.create(core, new)
        assert bucket in accounts.test(core, archive.id)
        library = folder_account(core, "library", home / "library" / "in")
        started(core, library, archive)
        clips.make(clips.Clip(seed=75, seconds=1, width=144, height=256), home / "library" / "in" / "new.mp4")
        clock.move(60)
        assert poll(core, library) == 1
        line.loses = rb"PUT .*\.mp4 HTTP"
        assert isinstance(run(core), OutcomeUnknown)
        line.loses = None
        clock.move(600)
        job = run(core)
        assert isinstance(job, Job) and job.status is JobStatus.SUCCESS, job
        assert [row["state"] for row in rows(core, flow.publications)] == ["verified"]
        assert len(store.videos(bucket)) == 1 and job.destination_url and job.destination_url.startswith("s3://")
        written = [head for head in line.heads if head.startswith(b"PUT") and b".mp4 " in head]
        assert len(written) == 1, "sent once, looked up afterwards"
        key = {"access_key_id": "AKIANEW", "secret_access_key": "its-new-secret"}
        tokens.upload(core, archive.id, key, who="admin")
        kept = StoredCredentials(core, archive.id).read()
        assert kept == dict(new.credentials) | key, "what is left empty stays as it is"
        with pytest.raises(AnotherIdentity):
            tokens.upload(core, archive.id, {"bucket": store.new_bucket()}, who="admin")


def test_an_endpoint_in_a_private_network_is_refused_with_what_to_do(
    database_url: str, home: Path, store: Store
) -> None:
    with make_core(database_url, ManualClock(), home) as core:
        typed = store.typed(store.new_bucket())
        new = NewAccount(platform="archive", alias="Bucket", handle="bucket", auth_method="s3", credentials=typed)
        made = accounts.create(core, new)
        assert made.status is AccountStatus.ACTIVE
        with pytest.raises(AuthInvalid, match="private network") as caught:
            accounts.test(core, made.id)
        assert "FORWARDER_ALLOW_PRIVATE_NETWORKS" in caught.value.action
