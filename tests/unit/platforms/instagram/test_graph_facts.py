"""The pure half of the Graph road: token dates, the form, listed posts, and which of them is ours."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder_core.connectors.base import Evidence, Trace
from forwarder_core.domain.accounts import Account
from forwarder_core.egress import Exit
from forwarder_core.errors import ContractChanged, Invalid, PlatformTransient, SourceGone, StepFailed
from forwarder_core.platforms.instagram import roads
from forwarder_core.platforms.instagram.auth import InstagramAuthenticator, secrets_from_form
from forwarder_core.platforms.instagram.graph_auth import GraphAuthenticator
from forwarder_core.platforms.instagram.graph_client import Variant, parsed, upload_uri
from forwarder_core.platforms.instagram.graph_destination import GraphDestination
from forwarder_core.platforms.instagram.graph_matching import Said, conclude
from forwarder_core.platforms.instagram.graph_media import address_of, file_url, page_of, post_of
from forwarder_core.platforms.instagram.graph_owner import likely
from forwarder_core.platforms.instagram.graph_source import GraphSource
from forwarder_core.platforms.instagram.graph_tokens import dates, digest, is_due, is_settled
from forwarder_core.platforms.instagram.posts import url_of
from tests.contract.test_instagram_kit import Box

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKEN = "EAA" + "a1" * 30
MEDIA = {
    "id": "17900000000000001",
    "media_type": "VIDEO",
    "media_product_type": "REELS",
    "media_url": "https://scontent.cdninstagram.com/v/1.mp4",
    "permalink": "https://www.instagram.com/reel/abc/",
    "timestamp": "2026-11-20T11:59:00+0000",
    "caption": "ours",
    "like_count": 3,
}


def secrets(variant: Variant = Variant.INSTAGRAM, **ago: timedelta) -> dict[str, str]:
    names = {"issued": "issued_at", "checked": "token_checked_at", "ends": "access_token_expiry"}
    return {"variant": variant, **{names[name]: (NOW - span).isoformat() for name, span in ago.items()}}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (secrets(ends=-timedelta(days=10, seconds=1)), False),
        (secrets(ends=-timedelta(days=10)), True),
        (secrets(ends=-timedelta(days=9), checked=timedelta(minutes=59)), False),
        (secrets(ends=-timedelta(days=9), checked=timedelta(minutes=60)), True),
        (secrets(issued=timedelta(hours=24)), False),
        (secrets(issued=timedelta(hours=25)), True),
        (secrets(), False),
        (secrets(Variant.FACEBOOK), True),
        (secrets(Variant.FACEBOOK, checked=timedelta(hours=23)), False),
        (secrets(Variant.FACEBOOK, checked=timedelta(hours=24)), True),
    ],
)
def test_a_token_is_renewed_from_day_fifty(known: dict[str, str], expected: bool) -> None:
    assert is_due(known, NOW) is expected


def test_the_facts_of_another_token_are_not_this_ones() -> None:
    known = {"access_token": TOKEN, "variant": "facebook_login", "ig_user_id": "1", "token_known": digest(TOKEN)}
    assert is_settled(known)
    assert not is_settled({**known, "access_token": "other"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"expires_at": 0, "data_access_expires_at": 2_000_000_000}, 2_000_000_000),
        ({"expires_at": 1_900_000_000, "data_access_expires_at": 2_000_000_000}, 1_900_000_000),
        ({"expires_at": 0}, None),
    ],
)
def test_the_earlier_end_is_a_facebook_tokens_end(data: dict[str, int], expected: int | None) -> None:
    wanted = datetime.fromtimestamp(expected, UTC).isoformat() if expected else None
    assert dates(data).get("access_token_expiry") == wanted


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({"access_token": "EAAx"}, Variant.FACEBOOK),
        ({"access_token": "IGAAx"}, Variant.INSTAGRAM),
        ({"access_token": "other"}, Variant.INSTAGRAM),
        ({"access_token": "IGAAx", "facebook_page_id": "1"}, Variant.FACEBOOK),
    ],
)
def test_the_login_is_told_by_page_and_token(given: dict[str, str], first: Variant) -> None:
    assert likely(given)[0] is first


def test_the_form_of_this_road_is_stored_without_what_was_pasted_along() -> None:
    typed = {"access_token": f" Bearer {TOKEN} ", "ig_user_id": " 178 ", "facebook_page_id": ""}
    assert secrets_from_form(typed) == {"access_token": TOKEN, "ig_user_id": "178"}


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"ig_user_id": "178"}, "access_token"),
        ({"access_token": "short"}, "access_token"),
        ({"access_token": f"{TOKEN}\n{TOKEN}"}, "access_token"),
        ({"access_token": TOKEN, "ig_user_id": "@me"}, "ig_user_id"),
        ({"access_token": TOKEN, "facebook_page_id": "../1"}, "facebook_page_id"),
    ],
)
def test_a_bad_field_of_this_road_is_named(typed: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        secrets_from_form(typed)
    assert {bad.field for bad in caught.value.fields} == {f"credentials.{field}"}


def test_the_road_is_a_property_of_the_account() -> None:
    def account(method: str) -> Account:
        return Account(id=1, platform="instagram", alias="a", handle="a", auth_method=method)

    graph, box, way_out = account("graph_api"), Box({}), Exit()
    assert isinstance(roads.source(graph, box, way_out), GraphSource)
    assert isinstance(roads.destination(graph, box, way_out), GraphDestination)
    assert isinstance(roads.authenticator(graph, box, way_out), GraphAuthenticator)
    assert isinstance(roads.authenticator(account("private"), box, way_out), InstagramAuthenticator)


def test_this_road_loads_no_private_client_library() -> None:
    code = (
        "import sys; from forwarder_core.platforms.instagram import roads, graph_source, graph_destination, graph_auth;"
        "sys.exit(any(name.split('.')[0] in {'instagrapi', 'requests', 'curl_cffi'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_reels_are_posts_and_only_the_cursor_is_kept() -> None:
    photo = {**MEDIA, "id": "2", "media_product_type": "FEED"}
    link = "https://graph.facebook.com/v25.0/1/media?access_token=secret&after=zz"
    page = page_of({"data": [photo, MEDIA], "paging": {"cursors": {"after": "zz"}, "next": link}})
    assert [post.platform_post_id for post in page.posts] == [MEDIA["id"]]
    assert page.next == "zz"
    assert page_of({"data": [], "paging": {"cursors": {"after": "zz"}}}).next is None


def test_a_reel_without_its_file_says_why() -> None:
    bare = {name: value for name, value in MEDIA.items() if name != "media_url"}
    assert post_of(bare).has_licensed_music is True
    assert post_of(MEDIA).has_licensed_music is None
    with pytest.raises(SourceGone, match="licensed"):
        file_url(bare)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": None},
        {"data": ["x"]},
        {"data": [{"id": "1"}]},
        {"data": [{**MEDIA, "id": 1}]},
        {"data": [{**MEDIA, "timestamp": "yesterday"}]},
        {"data": [], "paging": {"next": "x"}},
        {"data": [], "paging": "x"},
    ],
)
def test_an_odd_listing_is_never_an_empty_one(answer: dict[str, Any]) -> None:
    with pytest.raises(ContractChanged):
        page_of(answer)


@pytest.mark.parametrize(
    "url", ["http://scontent.cdninstagram.com/x", "https://evil.example/x", "https://fbcdn.net.x/"]
)
def test_a_file_is_fetched_from_metas_servers_only(url: str) -> None:
    with pytest.raises(ContractChanged):
        file_url({**MEDIA, "media_url": url})


@pytest.mark.parametrize("uri", ["http://rupload.facebook.com/1", "https://rupload.facebook.com.evil.example/1", "x"])
def test_the_token_goes_to_metas_upload_host_only(uri: str) -> None:
    with pytest.raises(ContractChanged):
        upload_uri(uri)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"", "application/json", PlatformTransient),
        (b"<html>", "text/html", PlatformTransient),
        (b"nonsense", "text/plain", ContractChanged),
        (b"[]", "application/json", ContractChanged),
        (b'{"error": {"code": 2}}', "application/json", PlatformTransient),
    ],
)
def test_a_success_must_hold_an_object(body: bytes, kind: str, expected: type[StepFailed]) -> None:
    with pytest.raises(expected) as caught:
        parsed(body, {"content-type": kind})
    assert type(caught.value) is expected


def seen(caption: str, *, id_: str = "1", ago: timedelta = timedelta(minutes=1)) -> Any:
    at = (NOW - ago).isoformat()
    return post_of({**MEDIA, "id": id_, "caption": caption, "timestamp": at})


@pytest.mark.parametrize(
    ("posts", "said", "expected"),
    [
        ([seen("ours")], Said.PUBLISHED, Trace.PUBLISHED),
        ([seen(" ours\n")], Said.PUBLISHED, Trace.PUBLISHED),
        ([seen("ours"), seen("ours")], Said.PUBLISHED, Trace.PUBLISHED),
        ([seen("ours"), seen("ours", id_="2")], Said.PUBLISHED, Trace.UNKNOWN),
        ([seen("")], Said.PUBLISHED, Trace.UNKNOWN),
        ([], Said.PUBLISHED, Trace.UNKNOWN),
        ([seen("ours", ago=timedelta(days=1))], Said.PUBLISHED, Trace.UNKNOWN),
        ([], Said.NOT_PUBLISHED, Trace.NOT_FOUND),
        ([seen("others")], Said.NOT_PUBLISHED, Trace.NOT_FOUND),
        ([seen("ours")], Said.NOT_PUBLISHED, Trace.UNKNOWN),
        ([], Said.BUSY, Trace.UNKNOWN),
        ([seen("ours")], Said.NOTHING, Trace.PUBLISHED),
        ([seen("")], Said.NOTHING, Trace.UNKNOWN),
        ([seen("others")], Said.NOTHING, Trace.NOT_FOUND),
    ],
)
def test_container_caption_and_time_must_agree(posts: list[Any], said: Said, expected: Trace) -> None:
    evidence = Evidence(
        session=None,
        marker="",
        caption="ours",
        duration_ms=3000,
        not_before=NOW - timedelta(minutes=10),
        not_after=NOW,
    )
    found = conclude(posts, evidence, said)
    assert found.trace is expected
    assert (found.published is not None) is (expected is Trace.PUBLISHED)


def test_a_post_meant_to_have_no_caption_is_found_only_with_the_containers_word() -> None:
    evidence = Evidence(
        session=None, marker="", caption="", duration_ms=1, not_before=NOW - timedelta(minutes=9), not_after=NOW
    )
    assert conclude([seen("")], evidence, Said.PUBLISHED).trace is Trace.PUBLISHED
    assert conclude([seen("")], evidence, Said.NOTHING).trace is Trace.UNKNOWN


@pytest.mark.parametrize(
    "permalink",
    [
        "https://www.instagram.com/reel/Df9a8enAAAA/",
        "https://www.instagram.com/p/Df9a8enAAAA/",
        "https://instagram.com/reels/Df9a8enAAAA",
        "https://www.instagram.com/harbour.clips/reel/Df9a8enAAAA/?igsh=x",
    ],
)
def test_a_post_has_one_address_on_both_roads(permalink: str) -> None:
    assert address_of(permalink) == url_of("Df9a8enAAAA")
    assert address_of("https://elsewhere.example/x") == "https://elsewhere.example/x"
