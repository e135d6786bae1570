"""The archive as a destination: one whole file with its card, whatever dies or stands in the way."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.connectors.base import Draft, MediaFile, Published, Trace
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthInvalid, Fenced, Invalid, LocalFailed, MediaRejected, SessionGone
from forwarder_core.platforms.archive import destination as destination_module
from forwarder_core.platforms.archive import shelf
from forwarder_core.platforms.archive.destination import ArchiveDestination
from tests.contract.test_library_kit import account_of, box_of, evidence, home, media_of

__all__ = ["home"]
NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
NAME = "2026/11/2026-11-20_sunset-over-the-harbour_fw-0000000001.mp4"
DRAFT = Draft(
    title="Sunset / over: the harbour",
    caption="Sunset #travel\nमानसून",
    tags=("travel",),
    marker="fw-0000000001",
)


class Hooks:
    """Remembers what it was told; `then` happens when the irreversible call is announced."""

    def __init__(self, then: Any = lambda: None) -> None:
        self.told: list[int | str] = []
        self._then = then

    def sent(self, total_bytes: int) -> None:
        self.told.append(total_bytes)

    def committing(self) -> None:
        self.told.append("committing")
        self._then()


class Archive:
    def __init__(self, folder: Path) -> None:
        self.folder, self.box = folder, box_of("archive", folder)

    @property
    def to(self) -> ArchiveDestination:
        """A new one, as a new process would have it."""
        return ArchiveDestination(account_of("archive"), self.box, Exit(), clock=ManualClock(NOW))

    @property
    def files(self) -> list[str]:
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())

    def send_as_a_process(self, session: str, media: MediaFile, hooks: Hooks) -> int:
        """The exit code of a process that does the sending; what it leaves on the disk is what a kill leaves."""
        child = os.fork()
        if child == 0:
            try:
                self.to.send(session, DRAFT, media, hooks)
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def archive(home: Path) -> Archive:
    return Archive(home / "archive" / "films")


@pytest.fixture
def media(tmp_path: Path) -> MediaFile:
    return media_of(tmp_path / "rendition.mp4")


def test_a_post_becomes_a_file_and_a_card(archive: Archive, media: MediaFile) -> None:
    hooks = Hooks()
    published = archive.to.send(archive.to.open(DRAFT, media), DRAFT, media, hooks)
    assert published == Published(NAME, f"archive:{NAME}")
    assert hooks.told == [media.size_bytes, "committing"]
    assert archive.files == [NAME.replace(".mp4", ".json"), NAME]
    assert (archive.folder / NAME).read_bytes() == media.path.read_bytes()
    card = json.loads((archive.folder / NAME).with_suffix(".json").read_text("utf-8"))
    assert (card["title"], card["caption"], card["tags"]) == (DRAFT.title, DRAFT.caption, ["travel"])
    assert (card["marker"], card["sha256"], card["file"]) == (DRAFT.marker, media.sha256, NAME.rpartition("/")[2])
    seen = archive.to.verify(published.remote_id)
    assert (seen.is_live, seen.is_final, seen.duration_ms) == (True, True, 2_000)


def test_sending_again_in_the_same_session_changes_nothing(archive: Archive, media: MediaFile) -> None:
    session = archive.to.open(DRAFT, media)
    first = archive.to.send(session, DRAFT, media, Hooks())
    assert archive.to.send(session, DRAFT, media, again := Hooks()) == first
    assert again.told == [] and len(archive.files) == 2


def test_a_worker_killed_between_the_part_and_the_rename_leaves_nothing_double(
    archive: Archive, media: MediaFile
) -> None:
    session = archive.to.open(DRAFT, media)
    assert archive.send_as_a_process(session, media, Hooks(lambda: os._exit(9))) == 9
    assert not (archive.folder / NAME).exists() and any(name.startswith(".parts/") for name in archive.files)
    assert archive.to.reconcile(evidence(DRAFT.marker, session)).trace is Trace.RESUMABLE
    published = archive.to.send(session, DRAFT, media, Hooks())
    assert [name for name in archive.files if name.endswith(".mp4")] == [published.remote_id]
    found = archive.to.reconcile(evidence(DRAFT.marker, session))
    assert (found.trace, found.published) == (Trace.PUBLISHED, published)


def test_a_worker_killed_right_after_the_rename_is_found_by_session_and_by_marker(
    archive: Archive, media: MediaFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = archive.to.open(DRAFT, media)
    real = shelf.put_in_place

    def then_die(part: Path, video: Path) -> None:
        real(part, video)
        os._exit(9)

    monkeypatch.setattr(shelf, "put_in_place", then_die)
    assert archive.send_as_a_process(session, media, Hooks()) == 9
    for known in (session, None):
        found = archive.to.reconcile(evidence(DRAFT.marker, known, NOW))
        assert found.trace is Trace.PUBLISHED and found.published and found.published.remote_id == NAME


def test_a_worker_thought_dead_that_wakes_up_makes_no_second_file(archive: Archive, media: MediaFile) -> None:
    session = archive.to.open(DRAFT, media)

    def overtaken() -> None:
        archive.to.send(session, DRAFT, media, Hooks())

    archive.to.send(session, DRAFT, media, Hooks(overtaken))
    assert archive.files == [NAME.replace(".mp4", ".json"), NAME]
    assert archive.to.verify(NAME).is_live


def test_a_fenced_worker_puts_nothing_in_place(archive: Archive, media: MediaFile) -> None:
    def fence() -> None:
        raise Fenced("another worker holds this job")

    session = archive.to.open(DRAFT, media)
    with pytest.raises(Fenced):
        archive.to.send(session, DRAFT, media, Hooks(fence))
    assert archive.files == [NAME.replace(".mp4", ".json")]


def test_what_is_not_there_and_what_is_not_ours_are_told_apart(archive: Archive, media: MediaFile) -> None:
    assert archive.to.reconcile(evidence(DRAFT.marker)).trace is Trace.NOT_FOUND
    session = archive.to.open(DRAFT, media)
    archive.to.send(session, DRAFT, media, Hooks())
    (archive.folder / NAME).write_bytes(b"somebody cut it")
    assert archive.to.reconcile(evidence(DRAFT.marker, session)).trace is Trace.UNKNOWN
    with pytest.raises(SessionGone):
        archive.to.send(session, DRAFT, media, Hooks())
    assert (archive.folder / NAME).read_bytes() == b"somebody cut it"


def test_a_file_that_is_gone_or_spoilt_does_not_pass_the_look(archive: Archive, media: MediaFile) -> None:
    archive.to.send(archive.to.open(DRAFT, media), DRAFT, media, Hooks())
    (archive.folder / NAME).write_bytes(b"a vIdeo")  # as long as before
    with pytest.raises(MediaRejected):
        archive.to.verify(NAME)
    (archive.folder / NAME).unlink()
    with pytest.raises(MediaRejected):
        archive.to.verify(NAME)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "2026/11/../../../x.mp4", f"{NAME}\0", "", 7, None]
)
def test_no_session_and_no_id_leads_out_of_the_archive(archive: Archive, media: MediaFile, name: Any) -> None:
    with pytest.raises(SessionGone):
        archive.to.send(json.dumps({"name": name}), DRAFT, media, Hooks())
    with pytest.raises(MediaRejected):
        archive.to.verify(str(name))
    with pytest.raises(SessionGone):
        archive.to.send("no session", DRAFT, media, Hooks())


def test_a_link_inside_the_archive_is_not_followed(archive: Archive, media: MediaFile, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (archive.folder / "2026").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalFailed):
        archive.to.send(archive.to.open(DRAFT, media), DRAFT, media, Hooks())
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_disk_that_is_not_there_is_never_filled_in_its_place(archive: Archive, media: MediaFile) -> None:
    session = archive.to.open(DRAFT, media)
    archive.folder.rmdir()
    for call in (lambda: archive.to.open(DRAFT, media), lambda: archive.to.send(session, DRAFT, media, Hooks())):
        with pytest.raises(LocalFailed):
            call()
    assert archive.to.reconcile(evidence(DRAFT.marker, session)).trace is Trace.UNKNOWN
    assert not archive.folder.exists()


def test_a_full_disk_and_a_forbidden_one_have_their_own_words(
    archive: Archive, media: MediaFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = archive.to.open(DRAFT, media)
    for number, failure in ((errno.ENOSPC, LocalFailed), (errno.EACCES, AuthInvalid), (errno.EIO, LocalFailed)):

        def refuse(part: Path, video: Path, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(shelf, "put_in_place", refuse)
        with pytest.raises(failure):
            archive.to.send(session, DRAFT, media, Hooks())
    assert not [name for name in archive.files if ".part" in name]
    little = SimpleNamespace(free=destination_module.KEEP_FREE_BYTES)
    monkeypatch.setattr("shutil.disk_usage", lambda path: little)
    with pytest.raises(LocalFailed, match="MB free"):
        archive.to.open(DRAFT, media)


def test_a_rendition_that_is_not_the_one_that_was_made_is_not_archived(archive: Archive, media: MediaFile) -> None:
    session = archive.to.open(DRAFT, media)
    media.path.write_bytes(b"a vIdeo")
    with pytest.raises(LocalFailed):
        archive.to.send(session, DRAFT, media, hooks := Hooks())
    media.path.unlink()
    with pytest.raises(LocalFailed):
        archive.to.send(session, DRAFT, media, hooks)
    assert "committing" not in hooks.told and archive.files == []


def test_parts_of_workers_long_dead_are_swept(archive: Archive, media: MediaFile) -> None:
    parts = archive.folder / ".parts"
    parts.mkdir()
    for name, days in (("old.part", 8), ("new.part", 1)):
        (parts / name).write_bytes(b"half")
        at = (NOW - timedelta(days=days)).timestamp()
        os.utime(parts / name, (at, at))
    archive.to.open(DRAFT, media)
    assert archive.files == [".parts/new.part"]


def test_the_archive_lies_in_its_home_and_is_made_where_there_is_none(home: Path) -> None:
    assert registry.secrets_from_form("archive", {}, home) == {"folder": str(home / "archive")}
    assert (home / "archive").is_dir()
    for typed in ("films", "/tmp", str(home), f"{home}/archive/../media", f"{home}/archive/a\0"):
        with pytest.raises(Invalid):
            registry.secrets_from_form("archive", {"folder": typed}, home)
    assert not (home / "media").exists()
