"""The Graph API as a destination, over real sockets: published once, or known not to be, or unclear."""

# ruff: noqa: F401, F811 - fixtures arrive by import, and are named again by the tests that take them
from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder_core.connectors.base import Draft, Evidence, MediaFile, Published, Trace
from forwarder_core.errors import (
    AuthExpired,
    AuthInvalid,
    ChallengeRequired,
    ContractChanged,
    DestinationDailyLimit,
    Fenced,
    MediaRejected,
    MetadataRejected,
    NetworkFailed,
    OutcomeUnknown,
    PlatformTransient,
    SessionGone,
    StepFailed,
)
from forwarder_core.platforms.instagram.graph_client import UPLOAD_HOST
from forwarder_core.platforms.instagram.graph_uploads import Container
from tests.contract.test_instagram_destination import Hooks
from tests.contract.test_instagram_graph_kit import Graph, clip, connect, graph, nothing_unknown, sim

CAPTION = "Made by us ✨\n\n#ours"
DRAFT = Draft(title="", caption=CAPTION)
UPLOAD = "/ig-api-upload/"


@pytest.fixture
def media(clip: Path) -> MediaFile:
    return measured(clip)


def measured(file: Path) -> MediaFile:
    content = file.read_bytes()
    return MediaFile(
        path=file,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        duration_ms=3000,
        width=720,
        height=1280,
    )


def send(graph: Graph, media: MediaFile, hooks: Hooks | None = None) -> Published:
    destination = graph.destination
    return destination.send(destination.open(DRAFT, media), DRAFT, media, hooks or Hooks())


def evidence(session: str | None, **changes: object) -> Evidence:
    now = datetime.now(UTC)
    known = {
        "session": session,
        "marker": "",
        "caption": CAPTION,
        "duration_ms": 3000,
        "not_before": now - timedelta(minutes=5),
        "not_after": now,
    }
    return Evidence(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", ["facebook", "instagram"])
def test_a_reel_is_published_as_it_was_given(connect: Callable[..., Graph], media: MediaFile, variant: str) -> None:
    graph, hooks = connect(graph_variant=variant), Hooks()
    made = send(graph, media, hooks)
    (post,) = graph.publications()
    assert (post["id"], post["sha256"], post["caption"]) == (made.remote_id, media.sha256, CAPTION)
    assert made.url == f"https://www.instagram.com/{graph.account.handle}/reels/"
    assert hooks.told == [f"sent {media.size_bytes}", "committing"]
    assert graph.statuses(graph.publish) == {200: 1}
    assert graph.statuses(UPLOAD, "GET") == {}, "a container just opened is not asked how far it came"
    assert graph.calls("/v25.0/")[-1]["path"] == graph.publish, "nothing is asked after the yes"


def test_a_published_reel_is_seen_live_with_its_address(graph: Graph, media: MediaFile) -> None:
    made = send(graph, media)
    (post,) = graph.publications()
    seen = graph.destination.verify(made.remote_id)
    assert (seen.is_live, seen.privacy) == (True, "public")
    assert post["url"] in seen.detail
    assert not graph.destination.verify("4034499346438291456").is_live


def test_a_lost_answer_is_unclear_and_found_again(graph: Graph, media: MediaFile) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    graph.arm("answer_lost", graph.publish)
    with pytest.raises(OutcomeUnknown):
        destination.send(session, DRAFT, media, Hooks())
    (post,) = graph.publications()
    assert len(graph.calls(graph.publish)) == 1, "asked once more by nobody"
    found = graph.destination.reconcile(evidence(session))
    assert (found.trace, found.published) == (Trace.PUBLISHED, Published(str(post["id"]), str(post["url"])))
    again = graph.destination.send(session, DRAFT, media, Hooks())
    assert again.remote_id == post["id"], "a container that is published is adopted, never published again"
    assert len(graph.publications()) == 1


@pytest.mark.parametrize(("fault", "value"), [("caption_dropped", {}), ("listing_lag", {"seconds": 600})])
def test_a_published_container_without_a_listed_post_stays_unclear(
    graph: Graph, media: MediaFile, fault: str, value: dict[str, float]
) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    graph.arm("answer_lost", graph.publish)
    graph.arm(fault, graph.publish, **value)
    with pytest.raises(OutcomeUnknown):
        destination.send(session, DRAFT, media, Hooks())
    assert graph.destination.reconcile(evidence(session)).trace is Trace.UNKNOWN


def test_a_call_that_never_arrived_is_told_by_the_container(graph: Graph, media: MediaFile) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    graph.arm("http_5xx", graph.publish)
    with pytest.raises(OutcomeUnknown):
        destination.send(session, DRAFT, media, Hooks())
    found = graph.destination.reconcile(evidence(session))
    assert found.trace is Trace.NOT_FOUND
    assert "not published" in found.evidence


def test_a_post_like_ours_beside_an_unpublished_container_is_for_a_person(
    graph: Graph, media: MediaFile, clip: Path
) -> None:
    session = graph.destination.open(DRAFT, media)
    with pytest.raises(Fenced):
        graph.destination.send(session, DRAFT, media, Hooks(fence=True))
    graph.sim.add_post("instagram", graph.account.handle, CAPTION, file=str(clip))
    assert graph.destination.reconcile(evidence(session)).trace is Trace.UNKNOWN


def test_reconciling_without_an_answer_says_nothing(graph: Graph, media: MediaFile) -> None:
    session = graph.destination.open(DRAFT, media)
    graph.arm("http_5xx", "/v25.0/", count=None)
    assert graph.destination.reconcile(evidence(session)).trace is Trace.UNKNOWN


@pytest.mark.parametrize("fault", ["html_200", "wrong_json", "empty_200", "truncated"])
def test_nonsense_instead_of_a_yes_is_unclear(graph: Graph, media: MediaFile, fault: str) -> None:
    graph.arm(fault, graph.publish)
    with pytest.raises(OutcomeUnknown):
        send(graph, media)


@pytest.mark.parametrize(("fault", "expected"), [("challenge", ChallengeRequired), ("token_expired", AuthExpired)])
def test_a_refusal_in_metas_words_means_not_published(
    graph: Graph, media: MediaFile, fault: str, expected: type[StepFailed]
) -> None:
    graph.arm(fault, graph.publish)
    with pytest.raises(expected):
        send(graph, media)
    assert graph.publications() == []


def test_a_used_up_quota_opens_nothing(connect: Callable[..., Graph], media: MediaFile) -> None:
    graph = connect(quota_total="1")
    send(graph, media)
    with pytest.raises(DestinationDailyLimit) as caught:
        graph.destination.open(DRAFT, media)
    assert caught.value.retry_after_s == 3600
    assert len(graph.calls(graph.listing, "POST")) == 2, "one container and its publishing, no second container"


def test_the_quota_fault_of_the_control_strikes_once(graph: Graph, media: MediaFile) -> None:
    graph.arm("quota", f"/v25.0/{graph.remote_id}/content_publishing_limit")
    with pytest.raises(DestinationDailyLimit):
        graph.destination.open(DRAFT, media)
    send(graph, media)


def test_a_container_that_expired_is_begun_anew(connect: Callable[..., Graph], media: MediaFile) -> None:
    graph = connect(container_life_s="0")
    session = graph.destination.open(DRAFT, media)
    with pytest.raises(SessionGone):
        graph.destination.send(session, DRAFT, media, Hooks())
    assert graph.destination.reconcile(evidence(session)).trace is Trace.NOT_FOUND
    gone = Container("17811111111111111", f"https://{UPLOAD_HOST}/ig-api-upload/v25.0/17811111111111111").reference
    with pytest.raises(SessionGone):
        graph.destination.send(gone, DRAFT, media, Hooks())
    assert graph.destination.reconcile(evidence(gone)).trace is Trace.NOT_FOUND


def test_a_file_that_is_never_processed_is_waited_for_and_gone_on_with(graph: Graph, media: MediaFile) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    graph.arm("never_finishes", UPLOAD)
    with pytest.raises(PlatformTransient):
        destination.send(session, DRAFT, media, Hooks())
    with pytest.raises(PlatformTransient):
        graph.destination.send(session, DRAFT, media, Hooks())
    assert graph.statuses(UPLOAD, "POST") == {200: 1}, "the file is not sent again"
    assert graph.calls(graph.publish) == []


def test_a_file_that_is_no_video_is_refused(graph: Graph, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video at all " * 1000)
    with pytest.raises(MediaRejected):
        send(graph, measured(text))


def test_an_upload_cut_in_the_middle_goes_on_where_it_stopped(graph: Graph, media: MediaFile) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    host = {"host": UPLOAD_HOST}
    graph.sim.arm("proxy_throttle", match=host, bytes_per_s=4_000_000)
    graph.sim.arm("proxy_cut", match=host, after_bytes=media.size_bytes // 2)
    with pytest.raises(NetworkFailed):
        destination.send(session, DRAFT, media, Hooks())
    graph.sim.disarm()
    graph.destination.send(session, DRAFT, media, Hooks())
    (post,) = graph.publications()
    assert post["sha256"] == media.sha256
    assert graph.statuses(UPLOAD, "GET") == {200: 1}


def test_an_upload_host_that_tells_no_offset_gets_the_whole_file(graph: Graph, media: MediaFile) -> None:
    session = graph.destination.open(DRAFT, media)
    graph.arm("wrong_json", UPLOAD)
    graph.destination.send(session, DRAFT, media, Hooks())
    (post,) = graph.publications()
    assert post["sha256"] == media.sha256


def test_an_upload_host_in_trouble_is_gone_back_to_with_the_same_container(graph: Graph, media: MediaFile) -> None:
    destination = graph.destination
    session = destination.open(DRAFT, media)
    graph.arm("http_5xx", UPLOAD)
    with pytest.raises(PlatformTransient):
        destination.send(session, DRAFT, media, Hooks())
    graph.destination.send(session, DRAFT, media, Hooks())
    assert len(graph.publications()) == 1
    assert len(graph.calls(graph.listing, "POST")) == 2, "one container and its publishing"


def test_a_fenced_worker_does_not_make_the_call(graph: Graph, media: MediaFile) -> None:
    with pytest.raises(Fenced):
        send(graph, media, Hooks(fence=True))
    assert graph.calls(graph.publish) == []


def test_an_instagram_login_that_may_not_upload_says_what_to_do(
    connect: Callable[..., Graph], media: MediaFile
) -> None:
    graph = connect(graph_variant="instagram", graph_no_uploads="yes")
    with pytest.raises(AuthInvalid, match="Instagram login") as caught:
        graph.destination.open(DRAFT, media)
    assert "Facebook login" in caught.value.action
    graph.arm("wrong_json", graph.listing)
    with pytest.raises(ContractChanged):
        graph.destination.open(DRAFT, media)


def test_a_caption_instagram_refuses_and_one_that_cannot_be_written(graph: Graph, media: MediaFile) -> None:
    with pytest.raises(MetadataRejected):
        graph.destination.open(Draft(title="", caption="x" * 2201), media)
    odd = Draft(title="", caption="a\ud800b\x00c \u202e")
    destination = graph.destination
    destination.send(destination.open(odd, media), odd, media, Hooks())
    assert graph.publications()[0]["caption"] == "ab\x00c \u202e"
