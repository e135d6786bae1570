"""The Graph API as a source and its sign-in, over real sockets: both logins, listing, files, odd answers, renewal."""

# ruff: noqa: F401, F811 - fixtures arrive by import, and are named again by the tests that take them
from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.connectors.base import Identity
from forwarder_core.errors import (
    AuthExpired,
    AuthInvalid,
    ChallengeRequired,
    ContractChanged,
    NetworkFailed,
    PlatformTransient,
    ProxyFailed,
    RateLimited,
    SourceGone,
    StepFailed,
)
from forwarder_core.platforms.instagram import graph_source
from tests.contract.test_instagram_graph_kit import Box, Graph, clip, connect, graph, nothing_unknown, sim

LOGINS = [
    {},
    {"only": ("access_token",)},
    {"only": ("access_token", "ig_user_id")},
    {"only": ("access_token",), "graph_token": "page"},
    {"graph_variant": "instagram"},
    {"graph_variant": "instagram", "only": ("access_token",)},
]
REFRESH = "/refresh_access_token"


def quiet(done: int, total: int | None) -> None:
    return None


@pytest.mark.parametrize("how", LOGINS)
def test_whoever_the_token_belongs_to_is_found(connect: Callable[..., Graph], how: dict[str, str]) -> None:
    account = connect(**how)
    identity = account.authenticator.identify()
    assert (identity.remote_id, identity.handle) == (account.remote_id, account.account.handle)
    assert account.box.secrets["ig_user_id"] == account.remote_id
    assert account.box.secrets["variant"].startswith(how.get("graph_variant", "facebook"))


def test_the_dates_of_a_facebook_token_are_looked_up(connect: Callable[..., Graph]) -> None:
    account = connect(token_age_days="20")
    account.authenticator.identify()
    left = datetime.fromisoformat(account.box.secrets["access_token_expiry"]) - datetime.now(UTC)
    assert timedelta(days=39) < left < timedelta(days=41)
    assert len(account.calls("/v25.0/debug_token")) == 1
    account.authenticator.identify()
    assert len(account.calls("/v25.0/debug_token")) == 1, "once a day"


def test_a_token_of_another_account_is_refused(connect: Callable[..., Graph]) -> None:
    mine, other = connect(graph_variant="instagram"), connect(graph_variant="instagram")
    mine.authenticator.identify()
    mine.box.secrets = {**mine.box.secrets, "access_token": other.box.secrets["access_token"]}
    with pytest.raises(AuthInvalid, match="another Instagram account"):
        mine.authenticator.identify()


def test_a_page_without_an_instagram_account_says_so(connect: Callable[..., Graph]) -> None:
    with pytest.raises(AuthInvalid, match="No Instagram account"):
        connect(graph_unlinked="yes").authenticator.identify()


def test_a_token_nobody_knows(graph: Graph) -> None:
    graph.box.secrets = {"access_token": "unknown-to-both-of-them"}
    with pytest.raises(AuthExpired):
        graph.authenticator.identify()


def test_the_token_travels_in_no_address_of_an_ordinary_call(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    urls: list[str] = []
    send = httpx.Client.send

    def watch(client: httpx.Client, request: httpx.Request, **options: object) -> httpx.Response:
        urls.append(str(request.url))
        return send(client, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx.Client, "send", watch)
    graph.source.list_posts()
    assert [url for url in urls if graph.box.secrets["access_token"] in url and "/debug_token" not in url] == []


def test_own_reels_are_listed_page_by_page(graph: Graph, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_source, "_PAGE_SIZE", "2")
    ids = [
        str(graph.sim.add_post("instagram", graph.account.handle, f"reel {n}", file=str(clip))["id"]) for n in range(5)
    ]
    found, page = [], None
    for _ in range(3):
        listed = graph.source.list_posts(page)
        found += [post.platform_post_id for post in listed.posts]
        page = listed.next
    assert found == list(reversed(ids))
    assert page is None
    (post, *_) = graph.source.list_posts().posts
    assert (post.caption, post.has_licensed_music) == ("reel 4", None)
    assert abs(post.posted_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_empty_profile_is_an_empty_last_page(graph: Graph) -> None:
    page = graph.source.list_posts()
    assert (page.posts, page.next) == ((), None)


def test_a_fetched_file_is_the_posted_one(graph: Graph, clip: Path, tmp_path: Path) -> None:
    id_ = str(graph.sim.add_post("instagram", graph.account.handle, "x", file=str(clip))["id"])
    graph.arm("token_expired", "/v/")
    got = graph.source.fetch(id_, tmp_path / "reel.mp4", quiet)
    assert got.sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert len(graph.calls(f"/v25.0/{id_}")) == 2, "an expired address is resolved anew"


def test_a_reel_with_licensed_sound_is_listed_but_has_no_file(graph: Graph, clip: Path, tmp_path: Path) -> None:
    id_ = str(graph.sim.add_post("instagram", graph.account.handle, "x", file=str(clip))["id"])
    graph.secrets(licensed=id_)
    (post,) = graph.source.list_posts().posts
    assert post.has_licensed_music is True
    with pytest.raises(SourceGone, match="licensed"):
        graph.source.fetch(id_, tmp_path / "reel.mp4", quiet)
    with pytest.raises(SourceGone):
        graph.source.fetch("4034499346438291456", tmp_path / "reel.mp4", quiet)


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
        ("token_expired", AuthExpired),
    ],
)
def test_an_odd_answer_is_never_an_empty_page(graph: Graph, fault: str, expected: type[StepFailed]) -> None:
    graph.authenticator.identify()
    graph.arm(fault, graph.listing, count=None)
    with pytest.raises(expected) as caught:
        graph.source.list_posts()
    assert type(caught.value) is expected
    assert len(graph.calls(graph.listing)) == 1, "no hidden second tries"


def test_the_wait_meta_asks_for_is_kept(graph: Graph) -> None:
    graph.authenticator.identify()
    graph.arm("http_429", graph.listing, retry_after=1234)
    with pytest.raises(RateLimited) as caught:
        graph.source.list_posts()
    assert caught.value.retry_after_s == 1234


def test_every_call_goes_through_the_accounts_own_proxy(connect: Callable[..., Graph], clip: Path) -> None:
    plain = connect()
    opened = plain.sim.open_proxy()
    account = connect(way_out=plain.sim.exit_through(f"socks5h://127.0.0.1:{opened['port']}"))
    before = len(account.sim.requests())
    account.source.list_posts()
    assert {r["proxy"] for r in account.sim.requests()[before:]} == {opened["id"]}
    gone = connect(way_out=plain.sim.exit_through("http://127.0.0.1:9"))
    with pytest.raises(ProxyFailed):
        gone.source.list_posts()


def old(connect: Callable[..., Graph], days: int) -> Graph:
    account = connect(graph_variant="instagram", token_age_days=str(days))
    account.authenticator.identify()
    ends = (datetime.now(UTC) + timedelta(days=60 - days)).isoformat()
    account.box.secrets = {**account.box.secrets, "access_token_expiry": ends}
    return account


def test_eight_that_find_the_token_due_renew_it_once(connect: Callable[..., Graph]) -> None:
    account = old(connect, days=51)
    before, gate = account.box.secrets["access_token"], threading.Barrier(8)

    def identify() -> Identity:
        gate.wait(10)
        return account.authenticator.identify()

    with ThreadPoolExecutor(8) as pool:
        found = [future.result() for future in [pool.submit(identify) for _ in range(8)]]
    assert {identity.remote_id for identity in found} == {account.remote_id}
    assert account.statuses(REFRESH) == {200: 1}
    assert account.box.secrets["access_token"] != before
    left = datetime.fromisoformat(account.box.secrets["access_token_expiry"]) - datetime.now(UTC)
    assert left > timedelta(days=59)


def test_a_renewal_that_takes_no_header_is_asked_as_meta_documents_it(connect: Callable[..., Graph]) -> None:
    account = connect(graph_variant="instagram", token_age_days="51", refresh_by_query="yes")
    account.authenticator.identify()
    ends = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    account.box.secrets = {**account.box.secrets, "access_token_expiry": ends}
    account.source.list_posts()
    assert account.statuses(REFRESH) == {401: 1, 200: 1}


def test_a_token_is_left_alone_until_day_fifty(connect: Callable[..., Graph]) -> None:
    account = old(connect, days=49)
    account.source.list_posts()
    assert account.calls(REFRESH) == []


def test_a_pasted_token_of_unknown_age_is_renewed_after_a_day(connect: Callable[..., Graph]) -> None:
    account = connect(graph_variant="instagram", token_age_days="30")
    account.source.list_posts()
    assert "access_token_expiry" not in account.box.secrets
    account.at(datetime.now(UTC) + timedelta(hours=26)).source.list_posts()
    assert account.statuses(REFRESH) == {200: 1}
    assert account.box.secrets["access_token_expiry"]


def test_a_renewal_that_fails_stops_nothing_while_the_token_lives(connect: Callable[..., Graph]) -> None:
    account = old(connect, days=51)
    account.arm("http_5xx", REFRESH, count=None)
    account.source.list_posts()
    account.source.list_posts()
    assert len(account.calls(REFRESH)) == 1, "and is not tried again within the hour"


def test_a_token_that_is_over_asks_for_a_person(connect: Callable[..., Graph]) -> None:
    account = connect(graph_variant="instagram", token_age_days="61")
    with pytest.raises(AuthExpired, match="expired"):
        account.source.list_posts()


def test_a_token_put_in_by_another_process_is_taken(graph: Graph) -> None:
    source, stale = graph.source, dict(graph.box.secrets)
    source.list_posts()
    fresh = dict(graph.box.secrets)
    session = source._session
    with session:
        session.client().token = "EAA" + "0" * 40  # as if it had been replaced while this one was at work
        assert session.ask(lambda client, ig: client.token) == "EAA" + "0" * 40
        page = session.ask(lambda client, ig: graph_source.list_media(client, ig, None))
    assert page["data"] == []
    assert graph.box.secrets == fresh != stale
