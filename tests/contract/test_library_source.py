"""The library as a source: every file at rest is one post, whatever else lies about in the folder."""

from __future__ import annotations

import errno
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.connectors import registry
from forwarder_core.domain.posts import SeenPost
from forwarder_core.egress import Exit
from forwarder_core.errors import AuthInvalid, Invalid, LocalFailed, PlatformTransient, SourceGone, StepFailed
from forwarder_core.platforms.library import source as source_module
from forwarder_core.platforms.library.auth import LibraryAuthenticator
from forwarder_core.platforms.library.source import LibrarySource
from tests.contract.test_library_kit import account_of, box_of, home, ignore_progress

__all__ = ["home"]
MiB = 1024 * 1024


class Shelf:
    """A folder of the library, and what its source says; `late` is how long after the last change it is looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.box = folder, box_of("library", folder)
        self.pauses: list[float] = []

    def source(self, *, late_s: float = 60.0, settle_s: float = 2.0) -> LibrarySource:
        clock = ManualClock(datetime.now(UTC) + timedelta(seconds=late_s))
        return LibrarySource(
            account_of("library"), self.box, Exit(), clock=clock, settle_s=settle_s, pause=self.pauses.append
        )

    def put(self, name: str, data: bytes | str = b"video") -> Path:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def posts(self, **when: float) -> dict[str, SeenPost]:
        return {post.url: post for post in self.source(**when).list_posts().posts}


@pytest.fixture
def shelf(home: Path) -> Shelf:
    return Shelf(home / "library" / "summer")


def test_only_video_files_of_the_folder_itself_are_posts(shelf: Shelf, home: Path) -> None:
    outside = home / "secret.mp4"
    outside.write_bytes(b"not ours to show")
    for name in ("a.mp4", "b.MOV", "c.webm"):
        shelf.put(name, name)
    shelf.put("notes.txt"), shelf.put(".hidden.mp4"), shelf.put("empty.mp4", b""), shelf.put("d.mp4.part")
    (shelf.folder / "link.mp4").symlink_to(outside)
    (shelf.folder / "folder.mp4").mkdir()
    os.mkfifo(shelf.folder / "pipe.mp4")
    assert set(shelf.posts()) == {"library:a.mp4", "library:b.MOV", "library:c.webm"}


def test_a_file_still_being_written_is_not_shown_yet(shelf: Shelf) -> None:
    path = shelf.put("a.mp4")
    os.utime(path, (1, 1))  # an old modification time does not make it look finished
    assert shelf.posts(late_s=1.0) == {}
    assert set(shelf.posts(late_s=2.1)) == {"library:a.mp4"}


def test_a_file_is_kept_back_until_its_words_are_written_too(shelf: Shelf) -> None:
    shelf.put("a.mp4")
    shelf.put("a.txt", "Half a capt")
    assert shelf.posts(late_s=1.0) == {}


def test_a_rename_is_the_same_post_and_an_edit_a_new_one(shelf: Shelf) -> None:
    path = shelf.put("a.mp4", b"x" * (3 * MiB))
    [first] = shelf.posts().values()
    path = path.rename(shelf.folder / "b.mp4")
    [renamed] = shelf.posts().values()
    assert (renamed.platform_post_id, renamed.url) == (first.platform_post_id, "library:b.mp4")
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")
    [edited] = shelf.posts().values()
    assert edited.platform_post_id != first.platform_post_id


def test_two_equal_files_are_one_post_and_the_first_is_it(shelf: Shelf) -> None:
    shelf.put("z.mp4", b"same")
    shelf.put("a.mp4", b"same")
    assert set(shelf.posts()) == {"library:z.mp4"}
    shelf.put("captions.csv", "file,date\nz.mp4,tomorrow\n")
    assert shelf.posts() == {}, "what holds a video back holds back its copies"


def test_a_file_that_was_moved_here_is_as_new_as_its_coming(shelf: Shelf) -> None:
    path = shelf.put("old.mp4")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    [post] = shelf.posts().values()
    assert datetime.now(UTC) - post.posted_at < timedelta(minutes=1)


def test_words_come_from_the_text_beside_it_or_from_the_sheet(shelf: Shelf) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4"):
        shelf.put(name, name)
    shelf.put("a.txt", "\ufeffFrom the text\n#one\x00")
    shelf.put("b.mp4.txt", "From the longer name")
    shelf.put(
        "captions.csv", 'file,caption,date\na.mp4,not this,\nc.mp4,"From the sheet, quoted",2026-11-01T10:00+05:30\n'
    )
    posts = shelf.posts()
    said = {url.removeprefix("library:"): post.caption for url, post in posts.items()}
    assert said == {
        "a.mp4": "From the text\n#one",
        "b.mp4": "From the longer name",
        "c.mp4": "From the sheet, quoted",
        "d.mp4": "",
    }
    assert posts["library:c.mp4"].posted_at == datetime(2026, 11, 1, 4, 30, tzinfo=UTC)


def test_a_date_to_come_holds_the_video_back_until_then(shelf: Shelf) -> None:
    shelf.put("a.mp4")
    at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    shelf.put("captions.csv", f"file,date\na.mp4,{at.isoformat()}\n")
    assert shelf.posts() == {}
    [post] = shelf.posts(late_s=3_700).values()
    assert post.posted_at == at


def test_a_bad_row_holds_back_its_own_video_only_and_is_told(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4"):
        shelf.put(name, name)
    shelf.put(
        "captions.csv", "file;caption;date\na.mp4;fine;\nb.mp4;wrong;tomorrow\n../c.mp4;climbs;\nd.mp4;1;\nd.mp4;2;\n"
    )
    posts = shelf.posts()
    assert {url: post.caption for url, post in posts.items()} == {"library:a.mp4": "fine", "library:c.mp4": ""}
    told = [record.getMessage().removeprefix("captions.csv of the library: ") for record in caplog.records]
    assert [each.partition(":")[0] for each in told] == ["line 3", "line 4", "line 6"]
    shelf.posts()
    assert len(caplog.records) == 3  # told once for each state of the file, not with every look
    found = LibraryAuthenticator(account_of("library"), shelf.box, Exit()).identify()
    assert found.title.startswith("summer (4 videos; captions.csv: line 3: its date")


@pytest.mark.parametrize("data", [b"name,words\na.mp4,x\n", b"", b"file,caption\na.mp4,\xff\xfe\n", b'file\n"a'])
def test_a_sheet_that_is_of_no_use_stops_the_source_with_the_reason(shelf: Shelf, data: bytes) -> None:
    shelf.put("a.mp4"), shelf.put("captions.csv", data)
    with pytest.raises(LocalFailed) as caught:
        shelf.posts()
    assert "captions.csv" in caught.value.message and "captions.csv" in caught.value.action


def test_a_sheet_being_written_is_waited_for(shelf: Shelf) -> None:
    shelf.put("a.mp4"), shelf.put("captions.csv", "file,caption\n")
    with pytest.raises(PlatformTransient):
        shelf.posts(late_s=0.5)
    assert shelf.pauses == [2.0]


def test_a_folder_that_is_gone_is_a_failure_and_never_no_posts(shelf: Shelf, home: Path) -> None:
    shelf.folder.rmdir()
    with pytest.raises(LocalFailed):
        shelf.posts()
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    shelf.folder.symlink_to(elsewhere)
    with pytest.raises(AuthInvalid):
        shelf.posts()


def test_many_files_come_in_pages_that_new_ones_do_not_move(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "_PAGE_SIZE", 3)
    for number in range(7):
        shelf.put(f"{number}.mp4", f"clip {number}")
    source = shelf.source()
    seen = list((page := source.list_posts()).posts)
    shelf.put("new.mp4", b"it came meanwhile")
    while page.next:
        page = source.list_posts(page.next)
        seen += page.posts
    assert sorted(post.url for post in seen) == [f"library:{number}.mp4" for number in range(7)]
    assert [post.posted_at for post in seen] == sorted((post.posted_at for post in seen), reverse=True)
    with pytest.raises(StepFailed):
        source.list_posts("nonsense")


def test_a_file_is_brought_whole_and_stays_where_it_is(shelf: Shelf, tmp_path: Path) -> None:
    data = os.urandom(2 * MiB + 17)
    path = shelf.put("a.mp4", data)
    [post] = shelf.posts().values()
    told: list[tuple[int, int | None]] = []
    got = shelf.source().fetch(post.platform_post_id, tmp_path / "got.mp4", lambda *said: told.append(said))
    assert (got.sha256, got.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert told[-1] == (len(data), len(data))
    assert path.read_bytes() == got.path.read_bytes() == data


def test_a_file_that_went_away_or_changed_is_gone(shelf: Shelf, tmp_path: Path) -> None:
    path = shelf.put("a.mp4")
    [post] = shelf.posts().values()
    path.write_bytes(b"another video now")
    with pytest.raises(SourceGone):
        shelf.source().fetch(post.platform_post_id, tmp_path / "got.mp4", ignore_progress)
    path.unlink()
    with pytest.raises(SourceGone):
        shelf.source().fetch(post.platform_post_id, tmp_path / "got.mp4", ignore_progress)


def test_a_file_changed_while_it_is_copied_is_tried_again_later(shelf: Shelf, tmp_path: Path) -> None:
    path = shelf.put("a.mp4", os.urandom(3 * MiB))
    [post] = shelf.posts().values()
    with pytest.raises(PlatformTransient):
        shelf.source().fetch(post.platform_post_id, tmp_path / "got.mp4", lambda *said: os.utime(path, (1, 1)))
    assert not list(tmp_path.glob("got*"))


def test_a_full_disk_is_our_own_failure(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.put("a.mp4")
    [post] = shelf.posts().values()

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(LocalFailed) as caught:
        shelf.source().fetch(post.platform_post_id, tmp_path / "got.mp4", ignore_progress)
    assert "full" in caught.value.message and "Free space" in caught.value.action
    assert not list(tmp_path.glob("got*"))


def test_names_that_are_no_text_do_not_stop_the_listing(shelf: Shelf) -> None:
    name = os.fsencode(shelf.folder) + b"/caf\xe9 \xe2\x80\xae.mp4"
    with open(name, "wb") as file:  # noqa: PTH123 - a name Path cannot be given as text
        file.write(b"video")
    assert set(shelf.posts()) == {"library:caf%E9%20%E2%80%AE.mp4"}


NO_LIBRARY = ("", "summer", "/etc", "~/library", "{root}/../secrets", "{root}/escape", "{root}/no", "{root}/a\0b")


@pytest.mark.parametrize("typed", NO_LIBRARY)
def test_only_a_folder_within_the_library_is_taken(home: Path, typed: str) -> None:
    root = home / "library"
    root.mkdir()
    (home / "secrets").mkdir()
    (root / "escape").symlink_to(home / "secrets")
    with pytest.raises(Invalid) as caught:
        registry.secrets_from_form("library", {"folder": typed.replace("{root}", str(root))}, home)
    assert [field.field for field in caught.value.fields] == ["folder"]


def test_the_library_itself_may_be_a_link_to_another_disk(home: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk" / "videos"
    disk.mkdir(parents=True)
    (home / "library").symlink_to(disk.parent)
    made = registry.secrets_from_form("library", {"folder": str(home / "library" / "videos")}, home)
    assert made == {"folder": str(disk)}
