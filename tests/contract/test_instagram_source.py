"""Instagram as a source, through the unmodified client library: listing, files, and every odd answer in its class."""

# ruff: noqa: F401, F811 - fixtures arrive by import, and are named again by the tests that take them
from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from forwarder_core.egress import Exit, ProxyAddress
from forwarder_core.errors import (
    AuthExpired,
    ChallengeRequired,
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
    StepFailed,
)
from tests.contract.test_instagram_kit import (
    LISTING,
    LOGIN,
    Insta,
    clip,
    insta,
    make,
    nothing_unknown,
    sim,
)

FILES = "/v/"
CLOSED = "127.0.0.1:9"


@pytest.fixture
def signed_in(insta: Insta) -> Insta:
    insta.source.list_posts()
    return insta


def quiet(done: int, total: int | None) -> None:
    return None


def test_a_profile_is_listed_page_by_page_with_pinned_posts_first(signed_in: Insta, clip: Path) -> None:
    ids = [signed_in.post(clip, f"reel {n}") for n in range(14)]
    secrets = {"pinned": ids[0]}
    signed_in.sim.call("PATCH", f"/accounts/instagram/{signed_in.remote_id}", json={"secrets": secrets})
    source = signed_in.source
    first = source.list_posts()
    second = source.list_posts(first.next)
    assert [post.platform_post_id for post in first.posts] == [ids[0], *reversed(ids[2:])]
    assert [post.platform_post_id for post in second.posts] == [ids[1], ids[0]]
    assert second.next is None


def test_an_empty_profile_is_an_empty_last_page(signed_in: Insta) -> None:
    page = signed_in.source.list_posts()
    assert (page.posts, page.next) == ((), None)


def test_a_post_carries_what_the_filters_need(signed_in: Insta, clip: Path) -> None:
    pk = signed_in.post(clip, "Größe ✨ #one")
    (post,) = signed_in.source.list_posts().posts
    assert post.platform_post_id == pk
    assert post.url.startswith("https://www.instagram.com/reel/")
    assert (post.caption, post.is_video, post.has_audio) == ("Größe ✨ #one", True, True)
    assert post.duration_s == pytest.approx(3, abs=0.1)
    assert post.posted_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert post.views is not None


def test_a_fetched_file_is_the_posted_one(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk, seen = signed_in.post(clip, "x"), []
    got = signed_in.source.fetch(pk, tmp_path / "reel.mp4", lambda done, total: seen.append((done, total)))
    assert got.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert got.path.stat().st_size == got.size_bytes == clip.stat().st_size
    assert seen[-1] == (got.size_bytes, got.size_bytes)
    assert [path.name for path in tmp_path.iterdir()] == ["reel.mp4"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("http_429", RateLimited),
        ("http_5xx", PlatformTransient),
        ("html_200", PlatformTransient),
        ("empty_200", PlatformTransient),
        ("wrong_json", ContractChanged),
        ("truncated", NetworkFailed),
        ("challenge", ChallengeRequired),
        ("http_401", AuthExpired),
        ("http_403", AuthExpired),
    ],
)
def test_an_odd_answer_is_never_an_empty_page(
    signed_in: Insta,
    clip: Path,
    fault: str,
    expected: type[StepFailed],
) -> None:
    signed_in.post(clip, "there is one")
    signed_in.arm(fault, LISTING, count=None)
    with pytest.raises(expected) as caught:
        signed_in.source.list_posts()
    assert type(caught.value) is expected
    assert signed_in.statuses(LOGIN)[200] <= 2, "a new login at most once"
    assert len(signed_in.calls(LISTING)) <= 3, "no hidden second tries"


def test_the_wait_instagram_asks_for_is_kept(signed_in: Insta) -> None:
    signed_in.arm("http_429", LISTING, retry_after=1234)
    with pytest.raises(RateLimited) as caught:
        signed_in.source.list_posts()
    assert caught.value.retry_after_s == 1234


def test_a_timed_out_request_is_not_repeated_after_a_minute(signed_in: Insta) -> None:
    signed_in.arm("http_5xx", LISTING, status=408)
    with pytest.raises(NetworkFailed):
        signed_in.source.list_posts()
    assert len(signed_in.calls(LISTING)) == 2


@pytest.mark.parametrize("body", [[], None, "text", {"items": None, "paging_info": {}, "status": "ok"}, {"items": []}])
def test_json_of_another_shape_is_a_changed_contract(signed_in: Insta, body: object) -> None:
    signed_in.arm("wrong_json", LISTING, body=body)
    with pytest.raises(ContractChanged):
        signed_in.source.list_posts()


def test_a_silent_server_is_left_after_the_limit(signed_in: Insta) -> None:
    signed_in.arm("stall", LISTING)
    with pytest.raises(NetworkFailed):
        signed_in.by(replace(signed_in.exit, answer_s=0.5)).source.list_posts()


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_is_not_there(signed_in: Insta, scheme: str, tmp_path: Path) -> None:
    gone = signed_in.by(signed_in.sim.exit_through(f"{scheme}://{CLOSED}"))
    with pytest.raises(ProxyFailed, match=CLOSED):
        gone.source.list_posts()
    with pytest.raises(ProxyFailed):
        gone.source.fetch("1", tmp_path / "f.mp4", quiet)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_proxy_that_refuses_the_login_or_takes_it(signed_in: Insta, scheme: str) -> None:
    opened = signed_in.sim.open_proxy(username="us er", password="p@ss")

    def through(password: str) -> Insta:
        proxy = ProxyAddress(scheme, "127.0.0.1", opened["port"], "us er", password)
        return signed_in.by(Exit(proxy=proxy, ca_bundle=signed_in.sim.ca_path))

    through("p@ss").source.list_posts()
    with pytest.raises(ProxyFailed) as caught:
        through("wr0ng-w0rd").source.list_posts()
    assert "wr0ng-w0rd" not in f"{caught.value}{caught.value.raw}"


def test_a_connection_cut_before_the_answer_is_the_network(signed_in: Insta) -> None:
    signed_in.sim.arm("proxy_cut", match={"host": "i.instagram.com"}, after_bytes=0, count=None)
    with pytest.raises(NetworkFailed):
        signed_in.source.list_posts()


def test_a_download_cut_in_the_middle_is_resumed(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk = signed_in.post(clip, "x")
    files = {"host": "*.cdninstagram.com"}
    signed_in.sim.arm("proxy_throttle", match=files, bytes_per_s=4_000_000)  # a reset discards what was not yet read
    signed_in.sim.arm("proxy_cut", match=files, after_bytes=800_000)
    got = signed_in.source.fetch(pk, tmp_path / "f.mp4", quiet)
    assert got.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert [r["status"] for r in signed_in.sim.requests() if f"/{pk}.mp4" in r["path"]] == [200, 206]


def test_an_expired_address_is_resolved_anew_once(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk = signed_in.post(clip, "x")
    signed_in.arm("token_expired", FILES)
    signed_in.source.fetch(pk, tmp_path / "f.mp4", quiet)
    assert len(signed_in.calls(f"/api/v1/media/{pk}/info/")) == 2


def test_a_file_server_that_keeps_refusing_is_tried_later(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk = signed_in.post(clip, "x")
    signed_in.arm("token_expired", FILES, count=None)
    with pytest.raises(PlatformTransient):
        signed_in.source.fetch(pk, tmp_path / "f.mp4", quiet)


def test_a_web_page_instead_of_the_file(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk = signed_in.post(clip, "x")
    signed_in.arm("html_200", FILES)
    with pytest.raises(PlatformTransient):
        signed_in.source.fetch(pk, tmp_path / "f.mp4", quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_post_is_gone(signed_in: Insta, clip: Path, tmp_path: Path) -> None:
    pk = signed_in.post(clip, "x")
    signed_in.sim.call("DELETE", f"/posts/instagram/{pk}")
    with pytest.raises(SourceGone):
        signed_in.source.fetch(pk, tmp_path / "f.mp4", quiet)


def test_listing_and_files_never_go_around_the_proxy(make: Callable[..., Insta], clip: Path, tmp_path: Path) -> None:
    plain = make()
    way_out = plain.sim.open_proxy()
    account = plain.by(plain.sim.exit_through(f"socks5h://127.0.0.1:{way_out['port']}"))
    pk = account.post(clip, "x")
    before = len(account.sim.requests())
    account.source.list_posts()
    account.source.fetch(pk, tmp_path / "f.mp4", quiet)
    assert {r["proxy"] for r in account.sim.requests()[before:]} == {way_out["id"]}
