"""Instagram as a destination, through the unmodified client library: posted once, or known not to be, or unclear."""

# ruff: noqa: F401, F811 - fixtures arrive by import, and are named again by the tests that take them
from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from forwarder_core.connectors.base import Draft, Evidence, MediaFile, Published, Trace
from forwarder_core.errors import (
    ChallengeRequired,
    Fenced,
    LocalFailed,
    NetworkFailed,
    OutcomeUnknown,
    SessionGone,
    StepFailed,
)
from tests.contract.test_instagram_kit import (
    CONFIGURE,
    LOGIN,
    Insta,
    clip,
    insta,
    make,
    nothing_unknown,
    sim,
)

CAPTION = "Made by us ✨\n\n#ours"
VIDEO = "/rupload_igvideo/"


class Hooks:
    """Writes down what the destination announces; `fence` refuses the irreversible call."""

    def __init__(self, *, fence: bool = False, on_commit: Callable[[], object] | None = None) -> None:
        self.told: list[str] = []
        self._fence = fence
        self._on_commit = on_commit

    def sent(self, total_bytes: int) -> None:
        self.told.append(f"sent {total_bytes}")

    def committing(self) -> None:
        if self._fence:
            raise Fenced("another worker holds this job")
        self.told.append("committing")
        if self._on_commit:
            self._on_commit()


@pytest.fixture
def media(clip: Path, tmp_path: Path) -> MediaFile:
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (720, 1280), "teal").save(cover)
    content = clip.read_bytes()
    return MediaFile(
        path=clip,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        duration_ms=3000,
        width=720,
        height=1280,
        cover=cover,
    )


def send(insta: Insta, media: MediaFile, hooks: Hooks | None = None) -> Published:
    draft = Draft(title="", caption=CAPTION)
    destination = insta.destination
    session = destination.open(draft, media)
    return destination.send(session, draft, media, hooks or Hooks())


def evidence(**changes: object) -> Evidence:
    now = datetime.now(UTC)
    known = {
        "session": "s",
        "marker": "",
        "caption": CAPTION,
        "duration_ms": 3000,
        "not_before": now - timedelta(minutes=5),
        "not_after": now,
    }
    return Evidence(**{**known, **changes})  # type: ignore[arg-type]


def published(insta: Insta) -> list[dict[str, object]]:
    return insta.sim.publications("instagram", insta.account.handle)


def test_a_reel_is_posted_as_it_was_given(insta: Insta, media: MediaFile) -> None:
    hooks = Hooks()
    made = send(insta, media, hooks)
    (post,) = published(insta)
    assert (post["id"], post["sha256"], post["caption"]) == (made.remote_id, media.sha256, CAPTION)
    assert post["url"] == made.url
    assert hooks.told[0] == f"sent {media.size_bytes}"
    assert insta.statuses(CONFIGURE) == {202: 1, 200: 1}
    assert hooks.told[1:] == ["committing", "committing"], "each ask to configure is announced"


def test_a_posted_reel_is_seen_live(insta: Insta, media: MediaFile) -> None:
    made = send(insta, media)
    seen = insta.destination.verify(made.remote_id)
    assert (seen.is_live, seen.privacy) == (True, "public")
    assert seen.duration_ms == pytest.approx(3000, abs=100)


def test_a_post_that_is_not_there_is_not_live_yet(insta: Insta) -> None:
    seen = insta.destination.verify("4034499346438291456")
    assert (seen.is_live, seen.is_final) == (False, False)


def test_a_lost_answer_is_unclear_and_found_again(insta: Insta, media: MediaFile) -> None:
    insta.arm("answer_lost", CONFIGURE)
    with pytest.raises(OutcomeUnknown):
        send(insta, media)
    (post,) = published(insta)
    assert [call["status"] for call in insta.calls(CONFIGURE)] == [202, None], "asked once more by nobody"
    found = insta.destination.reconcile(evidence())
    assert found.trace is Trace.PUBLISHED
    assert found.published == Published(str(post["id"]), str(post["url"]))
    assert "caption" in found.evidence


def test_a_lost_answer_with_a_lost_caption_stays_unclear(insta: Insta, media: MediaFile) -> None:
    insta.arm("answer_lost", CONFIGURE)
    insta.arm("caption_dropped", CONFIGURE)
    with pytest.raises(OutcomeUnknown):
        send(insta, media)
    assert insta.destination.reconcile(evidence()).trace is Trace.UNKNOWN


def test_a_listing_that_lags_shows_no_sign(insta: Insta, media: MediaFile) -> None:
    insta.arm("answer_lost", CONFIGURE)
    insta.arm("listing_lag", CONFIGURE, seconds=600)
    with pytest.raises(OutcomeUnknown):
        send(insta, media)
    assert insta.destination.reconcile(evidence()).trace is Trace.NOT_FOUND


@pytest.mark.parametrize(
    "changes",
    [
        {"caption": "someone else's"},
        {"duration_ms": 9000},
        {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2020, 1, 2, tzinfo=UTC)},
    ],
)
def test_one_signal_that_disagrees_means_not_ours(insta: Insta, media: MediaFile, changes: dict[str, object]) -> None:
    send(insta, media)
    assert insta.destination.reconcile(evidence(**changes)).trace is Trace.NOT_FOUND


@pytest.mark.parametrize("fault", ["http_5xx", "html_200", "wrong_json"])
def test_nonsense_instead_of_a_yes_is_unclear(insta: Insta, media: MediaFile, fault: str) -> None:
    insta.arm(fault, CONFIGURE)
    with pytest.raises(OutcomeUnknown):
        send(insta, media)


def test_a_file_that_is_never_converted_is_unclear(insta: Insta, media: MediaFile) -> None:
    insta.arm("never_finishes", CONFIGURE, count=None)
    with pytest.raises(OutcomeUnknown):
        send(insta, media)
    assert published(insta) == []


def test_the_irreversible_call_goes_out_on_a_connection_of_its_own(insta: Insta, media: MediaFile) -> None:
    """On a connection from the pool curl would quietly send it again when that connection turns out dead."""

    def cut_new_connections() -> None:
        insta.sim.arm("proxy_cut", match={"host": "i.instagram.com"}, after_bytes=1_000)

    with pytest.raises(OutcomeUnknown):
        send(insta, media, Hooks(on_commit=cut_new_connections))
    assert insta.calls(CONFIGURE) == []


@pytest.mark.parametrize(("fault", "expected"), [("challenge", ChallengeRequired), ("token_expired", SessionGone)])
def test_a_refusal_in_instagrams_words_means_not_posted(
    insta: Insta,
    media: MediaFile,
    fault: str,
    expected: type[StepFailed],
) -> None:
    insta.arm(fault, CONFIGURE)
    with pytest.raises(expected):
        send(insta, media)
    assert published(insta) == []
    assert insta.statuses(LOGIN) == {200: 1}, "no login in the middle of an upload"


@pytest.mark.parametrize("route", [VIDEO, "/upload_settings/"])
def test_a_session_that_ends_during_the_upload_is_renewed_by_the_next_open(
    insta: Insta, media: MediaFile, route: str
) -> None:
    insta.arm("token_expired", route)
    with pytest.raises(SessionGone):
        send(insta, media)
    send(insta, media)
    assert insta.statuses(LOGIN) == {200: 2}
    assert len(published(insta)) == 1


def test_a_fenced_worker_does_not_make_the_call(insta: Insta, media: MediaFile) -> None:
    with pytest.raises(Fenced):
        send(insta, media, Hooks(fence=True))
    assert insta.calls(CONFIGURE) == []


def test_a_failure_before_the_irreversible_call_may_be_retried(insta: Insta, media: MediaFile) -> None:
    insta.arm("truncated", VIDEO)
    with pytest.raises(NetworkFailed):
        send(insta, media)
    send(insta, media)
    assert len(published(insta)) == 1


def test_without_a_cover_nothing_is_begun(insta: Insta, media: MediaFile) -> None:
    bare = MediaFile(path=media.path, size_bytes=1, sha256="", duration_ms=3000, width=720, height=1280)
    with pytest.raises(LocalFailed):
        insta.destination.open(Draft(title="", caption=CAPTION), bare)
