"""What YouTube's words about a video mean: its state, whether it is ours, where an upload stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder_core import errors as ours
from forwarder_core.connectors.base import Evidence, Trace
from forwarder_core.platforms.youtube import visibility
from forwarder_core.platforms.youtube.listing import judge
from forwarder_core.platforms.youtube.sessions import next_offset

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
EVIDENCE = Evidence(
    session=None,
    marker="fw-0123456789",
    caption="",
    duration_ms=29_600,
    not_before=AT,
    not_after=AT + timedelta(minutes=5),
)


def video(duration: str = "PT30S", at: str = "2026-11-20T10:01:00Z", marker: str = "fw-0123456789") -> dict[str, Any]:
    return {
        "id": "abcdefghijk",
        "snippet": {"publishedAt": at, "tags": ["one", marker]},
        "contentDetails": {"duration": duration},
        "status": {"uploadStatus": "processed", "privacyStatus": "public"},
    }


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("PT29S", 29_000),
        ("PT1M", 60_000),
        ("PT2M59S", 179_000),
        ("PT1H0M1S", 3_601_000),
        ("P1DT1S", 86_401_000),
        ("P0D", None),
        ("PT0S", None),
        ("", None),
        ("soon", None),
    ],
)
def test_a_duration_is_read_and_zero_is_not_known(text: str, ms: int | None) -> None:
    assert visibility.duration_ms({"contentDetails": {"duration": text}}) == ms


@pytest.mark.parametrize(("kept", "offset"), [("bytes=0-262143", 262_144), ("0-9", 10), (None, 0), ("x", 0), ("", 0)])
def test_the_first_byte_that_lacks_follows_from_the_range(kept: str | None, offset: int) -> None:
    assert next_offset(kept) == offset


def test_a_video_is_ours_when_marker_length_and_time_agree() -> None:
    found = judge([video(marker="other"), video()], EVIDENCE)
    assert found.trace is Trace.PUBLISHED
    assert found.published and found.published.remote_id == "abcdefghijk"
    assert "marker, length, time" in found.evidence


def test_the_newest_upload_by_itself_proves_nothing() -> None:
    found = judge([video(marker="other")], EVIDENCE)
    assert (found.trace, found.published) == (Trace.NOT_FOUND, None)
    assert judge([], EVIDENCE).trace is Trace.NOT_FOUND


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        (video(duration="PT27S"), "27 s"),
        (video(duration="P0D"), "length is not known"),
        (video(at="2026-11-20T09:00:00Z"), "another time"),
        (video(at="2026-11-20T11:00:00Z"), "another time"),
    ],
)
def test_our_marker_with_a_signal_against_it_is_a_question(odd: dict[str, Any], word: str) -> None:
    found = judge([odd], EVIDENCE)
    assert (found.trace, found.published) == (Trace.UNKNOWN, None)
    assert word in found.evidence


def test_without_a_marker_nothing_can_be_said() -> None:
    assert judge([video(marker="")], replace(EVIDENCE, marker="")).trace is Trace.UNKNOWN


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"uploadStatus": "failed", "failureReason": "codec"}, ours.MediaRejected),
        ({"uploadStatus": "failed"}, ours.MediaRejected),
        ({"uploadStatus": "rejected", "rejectionReason": "duplicate"}, ours.AlreadyPublished),
        ({"uploadStatus": "rejected", "rejectionReason": "length"}, ours.MediaRejected),
        ({"uploadStatus": "rejected", "rejectionReason": "copyright"}, ours.PolicyRejected),
        ({"uploadStatus": "rejected", "rejectionReason": "claim"}, ours.PolicyRejected),
        ({"uploadStatus": "rejected", "rejectionReason": "newReason"}, ours.PolicyRejected),
        ({"uploadStatus": "rejected", "rejectionReason": "uploaderAccountSuspended"}, ours.AccountDisabled),
    ],
)
def test_a_refused_video_raises_the_class_of_its_reason(status: dict[str, str], expected: type[Exception]) -> None:
    with pytest.raises(expected):
        visibility.of({"status": status})


def test_processing_that_failed_is_a_refusal_too() -> None:
    with pytest.raises(ours.MediaRejected, match="transcodeFailed"):
        visibility.of(
            {
                "status": {"uploadStatus": "uploaded"},
                "processingDetails": {"processingStatus": "failed", "processingFailureReason": "transcodeFailed"},
            }
        )


@pytest.mark.parametrize(
    ("change", "live", "final", "word"),
    [
        ({}, True, True, "public"),
        ({"status": {"uploadStatus": "uploaded", "privacyStatus": "public"}}, False, False, "processing"),
        ({"status": {"uploadStatus": "deleted"}}, False, True, "deleted"),
        ({"status": {"uploadStatus": "processed", "privacyStatus": "private"}}, True, True, "locked"),
        ({"contentDetails": {"regionRestriction": {"blocked": ["DE", "AT"]}}}, True, True, "2 countries"),
        ({"contentDetails": {"regionRestriction": {"allowed": []}}}, False, True, "every country"),
        (
            {"status": {"uploadStatus": "processed", "privacyStatus": "private", "publishAt": "2027-01-01T00:00:00Z"}},
            True,
            True,
            "until 2027",
        ),
    ],
)
def test_a_videos_state_in_words(change: dict[str, Any], live: bool, final: bool, word: str) -> None:
    seen = visibility.of(video() | change)
    assert (seen.is_live, seen.is_final) == (live, final)
    assert word in seen.detail
