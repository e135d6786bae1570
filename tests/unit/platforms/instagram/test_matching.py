"""Which post is the one that ended in silence: all signals together, or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder_core.connectors.base import Evidence, Trace
from forwarder_core.domain.posts import SeenPost
from forwarder_core.platforms.instagram.matching import conclude

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OURS = SeenPost(platform_post_id="1", url="u", caption="Café ✨\n\n#one", posted_at=NOW, duration_s=30.2)
EVIDENCE = Evidence(
    session=None,
    marker="",
    caption="Café ✨\n\n#one",
    duration_ms=30_000,
    not_before=NOW - timedelta(minutes=1),
    not_after=NOW + timedelta(minutes=1),
)


def test_all_signals_together_find_it() -> None:
    others = [replace(OURS, platform_post_id=str(n), caption=f"other {n}") for n in range(2, 5)]
    found = conclude([*others, OURS], EVIDENCE)
    assert (found.trace, found.published.remote_id if found.published else None) == (Trace.PUBLISHED, "1")


@pytest.mark.parametrize("caption", ["Cafe\u0301 ✨\n\n#one", "Café ✨ \n#one ", "Café ✨\r\n\r\n#one"])
def test_a_caption_given_back_in_another_spelling_is_the_same(caption: str) -> None:
    assert conclude([replace(OURS, caption=caption)], EVIDENCE).trace is Trace.PUBLISHED


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, caption="another"),
        replace(OURS, duration_s=32.0),
        replace(OURS, duration_s=None),
        replace(OURS, posted_at=NOW - timedelta(minutes=10)),
        replace(OURS, posted_at=NOW + timedelta(minutes=10)),
    ],
)
def test_one_signal_that_disagrees_is_no_sign(other: SeenPost) -> None:
    assert conclude([other], EVIDENCE).trace is Trace.NOT_FOUND


def test_the_newest_alone_proves_nothing() -> None:
    assert conclude([replace(OURS, caption="newest", duration_s=5)], EVIDENCE).trace is Trace.NOT_FOUND
    assert conclude([], EVIDENCE).trace is Trace.NOT_FOUND


def test_a_pinned_post_listed_twice_is_one() -> None:
    assert conclude([OURS, OURS], EVIDENCE).trace is Trace.PUBLISHED


def test_two_that_agree_leave_it_open() -> None:
    assert conclude([OURS, replace(OURS, platform_post_id="2")], EVIDENCE).trace is Trace.UNKNOWN


def test_a_dropped_caption_leaves_it_open() -> None:
    assert conclude([replace(OURS, caption="")], EVIDENCE).trace is Trace.UNKNOWN


def test_an_empty_caption_of_ours_never_proves() -> None:
    assert conclude([replace(OURS, caption="")], replace(EVIDENCE, caption="")).trace is Trace.UNKNOWN


def test_the_marker_stands_for_the_caption() -> None:
    marked = replace(OURS, caption="edited ·k3v9·")
    assert conclude([marked], replace(EVIDENCE, marker="·k3v9·")).trace is Trace.PUBLISHED
