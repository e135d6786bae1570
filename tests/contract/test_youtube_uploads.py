"""YouTube as a destination, over real sockets with Google's own client library: one video, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from forwarder_core.connectors.base import Destination, Draft, MediaFile, Trace, Visibility
from forwarder_core.errors import (
    AlreadyPublished,
    LocalFailed,
    MediaRejected,
    MetadataRejected,
    OutcomeUnknown,
    PlatformTransient,
    QuotaExhausted,
    SessionGone,
)
from forwarder_core.simulator.testing import Simulator, eventually
from tests.contract.test_youtube_kit import Channel, Hooks, Killed, channel, draft, video

__all__ = ["channel", "draft", "video"]
pytestmark = pytest.mark.slow

MiB = 1024 * 1024
CHUNK = 8 * MiB
UPLOAD = "/upload/youtube/v3/videos"
Video = Callable[[int], MediaFile]


def settled(destination: Destination, remote_id: str) -> Visibility:
    eventually(lambda: destination.verify(remote_id).is_final)
    return destination.verify(remote_id)


def test_a_small_video_goes_across_in_one_piece(channel: Channel, video: Video, draft: Draft) -> None:
    destination: Destination = channel.destination()
    media, hooks = video(3_000_000), Hooks()
    session = destination.open(draft, media)
    published = destination.send(session, draft, media, hooks)
    assert hooks.told == ["committing"]
    [post] = channel.published()
    assert (post["id"], post["sha256"], post["bytes"]) == (published.remote_id, media.sha256, 3_000_000)
    assert (post["title"], post["caption"], post["privacy"]) == (draft.title, draft.caption, "public")
    assert post["tags"] == [draft.marker, "monsoon", "two words"]
    assert post["verdict"] == []
    assert published.url == f"https://www.youtube.com/shorts/{published.remote_id}"
    seen = settled(destination, published.remote_id)
    assert (seen.is_live, seen.privacy, seen.duration_ms) == (True, "public", 2000)
    assert channel.failures() == []


def test_a_large_video_goes_across_in_chunks(channel: Channel, video: Video, draft: Draft) -> None:
    destination, media, hooks = channel.destination(), video(20_000_000), Hooks()
    published = destination.send(destination.open(draft, media), draft, media, hooks)
    assert hooks.told == [CHUNK, 2 * CHUNK, "committing"]
    assert [(post["id"], post["sha256"]) for post in channel.published()] == [(published.remote_id, media.sha256)]


@pytest.mark.parametrize("kill_at", [CHUNK, 2 * CHUNK, "committing"])
def test_another_process_goes_on_where_a_killed_one_stopped(
    channel: Channel, video: Video, draft: Draft, kill_at: int | str
) -> None:
    media, first, later = video(20_000_000), Hooks(kill_at=kill_at), Hooks()
    session = channel.destination().open(draft, media)
    with pytest.raises(Killed):
        channel.destination().send(session, draft, media, first)
    found = channel.destination().reconcile(channel.evidence(draft, media, session))
    assert found.trace is Trace.RESUMABLE
    channel.destination().send(session, draft, media, later)
    chunks = [told for told in (*first.told, *later.told) if told != "committing"]
    assert chunks == [CHUNK, 2 * CHUNK]
    assert later.told[-1] == "committing"
    assert [post["sha256"] for post in channel.published()] == [media.sha256]


def test_a_connection_cut_within_a_chunk_costs_a_pause(
    channel: Channel, video: Video, draft: Draft, simulator: Simulator
) -> None:
    media, hooks = video(20_000_000), Hooks()
    proxy = simulator.open_proxy()
    destination = channel.destination(simulator.exit_through(proxy["url"]))
    session = channel.destination().open(draft, media)
    simulator.arm("proxy_cut", match={"proxy": proxy["id"]}, after_bytes=5 * MiB)
    destination.send(session, draft, media, hooks)
    assert channel.pauses == [1.0]
    assert hooks.told[0] not in (0, CHUNK)  # what had arrived of the chunk was not sent again
    assert [post["sha256"] for post in channel.published()] == [media.sha256]


def test_a_chunk_that_is_never_taken_is_given_up(channel: Channel, video: Video, draft: Draft) -> None:
    media, hooks = video(20_000_000), Hooks()
    session = channel.destination().open(draft, media)
    channel.arm("http_5xx", UPLOAD, count=None)
    with pytest.raises(PlatformTransient):
        channel.destination().send(session, draft, media, hooks)
    assert hooks.told == []


def test_a_yes_in_the_middle_that_names_no_video_is_looked_into(channel: Channel, video: Video, draft: Draft) -> None:
    media, hooks = video(20_000_000), Hooks(kill_at=CHUNK)
    session = channel.destination().open(draft, media)
    with pytest.raises(Killed):
        channel.destination().send(session, draft, media, hooks)
    channel.arm("html_200", UPLOAD)
    with pytest.raises(OutcomeUnknown):
        channel.destination().send(session, draft, media, later := Hooks())
    assert later.told == []
    found = channel.destination().reconcile(channel.evidence(draft, media, session))
    assert found.trace is Trace.RESUMABLE


def test_a_lost_answer_is_unknown_until_the_session_is_asked(channel: Channel, video: Video, draft: Draft) -> None:
    media, hooks = video(3_000_000), Hooks()
    session = channel.destination().open(draft, media)
    channel.arm("answer_lost")
    with pytest.raises(OutcomeUnknown):
        channel.destination().send(session, draft, media, hooks)
    assert hooks.told == ["committing"]
    puts = channel.calls("PUT", UPLOAD)
    assert len(puts) == 2  # the question and the one chunk: nothing sent it again by itself
    found = channel.destination().reconcile(channel.evidence(draft, media, session))
    [post] = channel.published()
    assert found.trace is Trace.PUBLISHED
    assert found.published and found.published.remote_id == post["id"]
    assert channel.destination().send(session, draft, media, Hooks()) == found.published
    assert len(channel.published()) == 1


@pytest.mark.parametrize("fault", ["http_5xx", "html_200", "empty_200", "wrong_json", "truncated", "stall"])
def test_no_odd_answer_to_the_last_chunk_is_taken_for_a_yes_or_a_no(
    channel: Channel, video: Video, draft: Draft, fault: str
) -> None:
    media = video(3_000_000)
    destination = channel.destination(upload_s=0.5)
    session = destination.open(draft, media)

    class Arming(Hooks):
        def committing(self) -> None:
            channel.arm(fault, UPLOAD)

    with pytest.raises(OutcomeUnknown):
        destination.send(session, draft, media, Arming())
    arrived = channel.published()
    found = channel.destination().reconcile(channel.evidence(draft, media, session))
    assert found.trace is (Trace.PUBLISHED if arrived else Trace.RESUMABLE)


def test_a_plain_no_to_the_last_chunk_has_its_own_class(channel: Channel, video: Video, draft: Draft) -> None:
    media = video(3_000_000)

    class Arming(Hooks):
        def committing(self) -> None:
            channel.arm("http_403", UPLOAD, reason="quotaExceeded")

    session = channel.destination().open(draft, media)
    with pytest.raises(QuotaExhausted):
        channel.destination().send(session, draft, media, Arming())
    assert channel.published() == []


def test_a_session_that_is_gone_is_looked_for_in_the_listing(channel: Channel, video: Video, draft: Draft) -> None:
    media, other = video(3_000_000), replace(draft, marker="fw-another-one")
    destination = channel.destination()
    session = destination.open(draft, media)
    published = destination.send(session, draft, media, Hooks())
    destination.send(destination.open(other, media), other, media, Hooks())
    settled(destination, published.remote_id)
    channel.arm("http_403", UPLOAD, status=404, reason="notFound", count=None)
    with pytest.raises(SessionGone):
        destination.send(session, draft, media, Hooks())
    found = destination.reconcile(channel.evidence(draft, media, session))
    assert (found.trace, found.published) == (Trace.PUBLISHED, published)
    stranger = replace(channel.evidence(draft, media, session), marker="fw-never-seen")
    assert destination.reconcile(stranger).trace is Trace.NOT_FOUND
    channel.arm("quota", "/youtube/v3/playlistItems")
    asked = destination.reconcile(channel.evidence(draft, media, session))
    assert asked.trace is Trace.UNKNOWN
    assert "quota" in asked.evidence


def test_a_listing_that_lags_is_no_proof_yet(channel: Channel, video: Video, draft: Draft) -> None:
    media, destination = video(3_000_000), channel.destination()
    channel.arm("listing_lag", seconds=1.2)
    published = destination.send(destination.open(draft, media), draft, media, Hooks())
    evidence = channel.evidence(draft, media, None)
    assert destination.reconcile(evidence).trace is Trace.NOT_FOUND
    eventually(lambda: destination.reconcile(evidence).trace is Trace.PUBLISHED)
    assert destination.reconcile(evidence).published == published


def test_a_duplicate_and_a_broken_file_are_told_apart(channel: Channel, video: Video, draft: Draft) -> None:
    destination, media = channel.destination(), video(3_000_000)
    channel.arm("duplicate")
    twin = destination.send(destination.open(draft, media), draft, media, Hooks())
    broken = media.path.with_name("broken.mp4")
    broken.write_bytes(b"no video at all")
    odd = replace(media, path=broken, size_bytes=15)
    failed = destination.send(destination.open(draft, odd), draft, odd, Hooks())
    with pytest.raises(AlreadyPublished):
        settled(destination, twin.remote_id)
    with pytest.raises(MediaRejected):
        settled(destination, failed.remote_id)
    assert not destination.verify("AAAAAAAAAAA").is_final


def test_a_video_that_youtube_keeps_private_is_noticed(simulator: Simulator, video: Video, draft: Draft) -> None:
    channel = Channel(simulator, secrets={"locks_private": "yes"})
    destination, media = channel.destination(), video(3_000_000)
    published = destination.send(destination.open(draft, media), draft, media, Hooks())
    seen = settled(destination, published.remote_id)
    assert seen.privacy == "private"
    assert "locked" in seen.detail


def test_nothing_is_opened_for_a_draft_or_file_that_cannot_be_sent(
    channel: Channel, video: Video, draft: Draft
) -> None:
    destination, media = channel.destination(), video(3_000_000)
    with pytest.raises(MetadataRejected):
        destination.open(replace(draft, title="a < b"), media)
    with pytest.raises(LocalFailed):
        destination.open(draft, replace(media, size_bytes=5))
    with pytest.raises(LocalFailed):
        destination.open(draft, replace(media, path=media.path.with_name("missing.mp4")))
    assert channel.calls("POST", UPLOAD) == []


def test_a_used_up_quota_says_when_it_comes_back(channel: Channel, video: Video, draft: Draft) -> None:
    channel.arm("quota")
    with pytest.raises(QuotaExhausted) as caught:
        channel.destination().open(draft, video(3_000_000))
    assert 0 < (caught.value.retry_after_s or 0) <= 25 * 3600
