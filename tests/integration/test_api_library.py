"""Files handed to a library over the API: many at once with their sheet, all or none, and seen by the watcher."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from forwarder_core.clock import ManualClock
from forwarder_core.db import publications
from forwarder_core.db.tables import people
from forwarder_core.domain.accounts import Account, Rights
from forwarder_core.media.store import MediaStore
from forwarder_core.platforms.library.source import LibrarySource
from forwarder_core.services import accounts, connections, detection
from forwarder_core.services.accounts import NewAccount
from forwarder_core.services.connections import NewConnection
from forwarder_core.services.context import Core
from forwarder_core.simulator import clips
from tests import factories
from tests.unit.admin_app.doorway import api_client, core_with_admin

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


@pytest.fixture
def core(url: str, tmp_path: Path) -> Iterator[Core]:
    with core_with_admin(url, ManualClock(datetime.now(UTC)), tmp_path) as core:
        yield core


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Two small videos that differ."""
    folder = tmp_path_factory.mktemp("videos")
    made = [clips.Clip(seed=900 + n, seconds=1, width=144, height=256) for n in range(2)]
    return [clips.make(clip, folder / f"{n}.mp4").read_bytes() for n, clip in enumerate(made)]


def library(core: Core, name: str = "films", platform: str = "library") -> tuple[Account, Path]:
    folder = core.settings.home / platform / name
    folder.mkdir(parents=True)
    new = NewAccount(
        platform=platform,
        alias=name,
        handle=name,
        auth_method="folder",
        credentials={"folder": str(folder)},
        rights=Rights.OWN,
    )
    return accounts.create(core, new), folder


async def hand_in(
    client: httpx.AsyncClient, account: Account, files: dict[str, bytes], sheet: str | bytes | None = None
) -> httpx.Response:
    parts: list[tuple[str, Any]] = [("files", (name, data, "video/mp4")) for name, data in files.items()]
    if sheet is not None:
        parts.append(("captions", ("captions.csv", sheet, "text/csv")))
    return await client.post(f"/api/library/{account.id}/files", files=parts)


def shown(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


async def test_many_files_go_to_many_accounts_with_their_words(
    core: Core, video: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LibrarySource.__init__, "__kwdefaults__", {"clock": None, "settle_s": 0.0, "pause": None})
    (films, folder), (others, other_folder) = library(core), library(core, "others")
    archive, _ = library(core, "kept", "archive")
    new = NewConnection(name="road", source_account_id=films.id, destination_account_id=archive.id)
    connection = connections.start(core, connections.create(core, new).id)
    later = datetime.now(UTC) + timedelta(days=2)
    sheet = f'file,caption,date,account\na.mp4,"One, two",,\nb.mp4,Three,{later.isoformat()},\na.mp4,Four,,others\n'
    async with api_client(core) as client:
        made = await hand_in(client, films, {"a.mp4": video[0], "b.mp4": video[1]}, sheet)
        assert made.status_code == 201, made.text
        said = made.json()["files"]
        assert [(one["name"], one["account"]) for one in said] == [
            ("a.mp4", "films"), ("b.mp4", "films"), ("a.mp4", "others")
        ]  # fmt: skip
        assert len(shown(folder)) == 4 and len(shown(other_folder)) == 2, "each with its words beside it"
        assert (other_folder / said[2]["stored_as"]).read_bytes() == video[0]
        assert "a.mp4" not in shown(folder), "names are our own"
        assert len(detection.poll_now(core, films.id).jobs) == 1
        listed = {one["name"]: one for one in (await client.get(f"/api/library/{films.id}/files")).json()["items"]}
    assert (listed["b.mp4"]["state"], listed["b.mp4"]["waits_for"]) == ("waiting", "its date is still to come")
    assert (listed["a.mp4"]["state"], listed["a.mp4"]["caption"]) == ("seen", "One, two")
    (fate,) = listed["a.mp4"]["connections"]
    assert (fate["connection_id"], fate["verdict"], fate["job_status"]) == (connection.id, "forward", "queued")
    (post,) = (seen.post for seen, _ in connections.seen_posts(core, connection.id))
    assert (post.caption, post.url) == ("One, two", "library:a.mp4")
    audited = [row for row in factories.rows(core, people.audit_log) if row["what"] == "files_handed_in"]
    assert sorted((row["target"], row["details"]["files"]) for row in audited) == [
        (f"account:{films.id}", 2),
        (f"account:{others.id}", 1),
    ]


@pytest.mark.parametrize(
    ("sheet", "wrong"),
    [
        ("file,caption,date\na.mp4,one,\nb.mp4,two,20.11.2026\n", {"captions.csv line 3": "its date"}),
        (
            "file,caption\na.mp4,one\nc.mp4,two\nb.mp4,3,4\n",
            {"captions.csv line 3": "not handed in", "captions.csv line 4": "more values"},
        ),
        ("file,caption\na.mp4,one\n", {"files.b.mp4": "has no row"}),
        ("file,account\na.mp4,films\nb.mp4,nobody\n", {"captions.csv line 3": "no account 'nobody'"}),
        ("file\na.mp4\nb.mp4\na.mp4\n", {"captions.csv line 4": "has a row for films already"}),
        ("name\na.mp4\n", {"captions": "no column"}),
        (b"file\n\xff\n", {"captions": "UTF-8"}),
    ],
)
async def test_a_bad_row_says_its_line_and_reason_and_nothing_is_taken(
    core: Core, video: list[bytes], sheet: str | bytes, wrong: dict[str, str]
) -> None:
    films, folder = library(core)
    async with api_client(core) as client:
        refused = await hand_in(client, films, {"a.mp4": video[0], "b.mp4": video[1]}, sheet)
    assert refused.status_code == 422, refused.text
    told = {error["field"]: error["message"] for error in refused.json()["errors"]}
    assert told.keys() == wrong.keys() and all(words in told[field] for field, words in wrong.items()), told
    assert shown(folder) == []


async def test_one_file_that_is_no_video_keeps_all_out(core: Core, video: list[bytes]) -> None:
    films, folder = library(core)
    async with api_client(core) as client:
        for name, data, words in (
            ("b.mp4", b"<html>", "a web page"),
            ("b.mp4", b"", "empty"),
            ("b.exe", video[1], "endings"),
        ):
            refused = await hand_in(client, films, {"a.mp4": video[0], name: data})
            (error,) = refused.json()["errors"]
            assert (refused.status_code, error["field"]) == (422, f"files.{name}")
            assert words in error["message"], error
            assert shown(folder) == [] == list((folder / ".incoming").iterdir())
        for name in ("../a.mp4", "a\\b.mp4", "x" * 250 + ".mp4"):
            assert (await hand_in(client, films, {name: video[0]})).status_code == 422
        assert not (folder.parent / "a.mp4").exists() and shown(folder) == []


async def test_a_content_that_is_there_is_not_added_again_whatever_its_name(core: Core, video: list[bytes]) -> None:
    films, folder = library(core)
    (folder / "mine.mp4").write_bytes(video[1])
    async with api_client(core) as client:
        made = await hand_in(client, films, {"a.mp4": video[0], "again.mp4": video[0], "b.mp4": video[1]})
        assert [(one["name"], one["same_as"]) for one in made.json()["files"]] == [
            ("a.mp4", None), ("again.mp4", "a.mp4"), ("b.mp4", "mine.mp4")
        ]  # fmt: skip
        assert made.json()["message"] == "1 files added to the library" and len(shown(folder)) == 3
        youtube = factories.add_account(core, "youtube", auth_method="oauth")
        refused = await hand_in(client, youtube, {"a.mp4": video[0]})
        assert refused.status_code == 422 and "library account" in refused.json()["action"]
        assert (await client.get(f"/api/library/{youtube.id}/files")).status_code == 422
        pages = [
            (await client.get(f"/api/library/{films.id}/files?limit=1{more}")).json() for more in ("", "&cursor=1")
        ]
    assert [page["next_cursor"] for page in pages] == ["1", None]
    assert {page["items"][0]["name"] for page in pages} == {"a.mp4", "mine.mp4"}


async def test_an_upload_that_says_it_is_too_large_is_refused_before_it_is_read(core: Core, video: list[bytes]) -> None:
    films, folder = library(core)
    async with api_client(core) as client:
        for size, is_too_large in ((1_000_000_001, True), (900_000_000, False)):
            headers = {"content-length": str(size), "content-type": "multipart/form-data; boundary=x"}
            refused = await client.post(f"/api/library/{films.id}/files", content=b"--x", headers=headers)
            assert (refused.status_code == 413) is is_too_large, refused.text
            assert refused.status_code < 500
        too_many = await hand_in(client, films, {f"{n}.mp4": b"x" for n in range(101)})
    assert too_many.status_code == 422 and shown(folder) == []


async def test_a_disk_that_fails_half_way_leaves_nothing(
    core: Core, video: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    films, folder = library(core)
    real, renamed = Path.rename, list[Path]()

    def rename(path: Path, target: Path) -> Path:
        if len(renamed) == 3:
            raise OSError(28, "No space left on device")
        renamed.append(path)
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    async with api_client(core) as client:
        failed = await hand_in(client, films, {"a.mp4": video[0], "b.mp4": video[1]})
    assert failed.status_code >= 500 and len(renamed) == 3, failed.text
    assert shown(folder) == [] == list((folder / ".incoming").iterdir())


def brought(core: Core, caption: str, **job: Any) -> tuple[int, Account]:
    """A post that arrived, its rendition still kept; its source account."""
    source = factories.add_account(core)
    post = factories.add_post(core, source.id, caption=caption)
    made = factories.add_job(core, factories.add_connection(core, source), post, **job)
    rendition = MediaStore(core.media_root).open(made, expected_bytes=1).rendition
    rendition.write_bytes(b"0123456789")
    row = {"path": str(rendition), "size_bytes": 10, "sha256": "a" * 64, "duration_ms": 900, "width": 9, "height": 16}
    with core.begin() as tx:
        publications.keep_file(tx, made, "rendition", {**row, "created_at": core.clock.now()})
    return made, source


async def test_the_media_library_finds_what_arrived_and_plays_it(core: Core) -> None:
    now = core.clock.now()
    done = {"status": "success", "destination_url": "archive:2026/11/x.mp4"}
    first, source = brought(core, "Sunset over the harbour", **done, completed_at=now - timedelta(days=9))
    second, _ = brought(core, "Market day", **done, completed_at=now)
    brought(core, "Not there yet", status="queued")
    async with api_client(core) as client:

        async def found(**asked: Any) -> list[int]:
            answer = await client.get("/api/library", params=asked)
            assert answer.status_code == 200, answer.text
            return [one["job_id"] for one in answer.json()["items"]]

        assert await found() == [second, first]
        assert await found(q="sunset harb") == [first] == await found(account=source.id)
        assert await found(**{"from": (now - timedelta(days=1)).isoformat()}) == [second]
        assert await found(to=(now - timedelta(days=1)).isoformat()) == [first]
        page = (await client.get("/api/library?limit=1")).json()
        assert await found(cursor=page["next_cursor"]) == [first]
        (one,) = page["items"]
        assert (one["destination_url"], one["size_bytes"], one["width"]) == ("archive:2026/11/x.mp4", 10, 9)
        piece = await client.get(one["files"]["rendition"], headers={"range": "bytes=2-4"})
        assert (piece.status_code, piece.content) == (206, b"234")
        assert (await client.get("/api/library?account=x")).status_code == 422
    async with api_client(core, signed_in=False) as nobody:
        assert (await nobody.get("/api/library")).status_code == 401
        assert (await nobody.get(one["files"]["rendition"])).status_code == 401
