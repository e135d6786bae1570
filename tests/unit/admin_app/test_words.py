"""Text from outside stays text, and times always say their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from admin_app.ui import words
from admin_app.ui.live import is_web
from forwarder_core.domain.accounts import AccountStatus
from forwarder_core.domain.connections import ConnectionStatus
from forwarder_core.domain.jobs import JobStatus, Step, WaitReason

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_every_state_has_a_word_and_an_icon() -> None:
    assert set(words.JOB) == set(JobStatus) and set(words.CONNECTION) == set(ConnectionStatus)
    assert set(words.STEP) == set(Step) and set(words.WAIT) == set(WaitReason)
    assert all(words.account_look(status).word and words.account_look(status).icon for status in AccountStatus)


def test_nothing_in_plain_text_is_markdown_any_more() -> None:
    escaped = words.plain("<b>*x*</b> [a](javascript:b) :red[c] $d$ # e\n- f `g` :material/home:")
    for mark in "<>*[]():$#`":
        assert all(escaped[i - 1] == "\\" for i, c in enumerate(escaped) if c == mark), mark
    assert "\n" not in escaped


def test_times_are_shown_in_the_zone_of_the_settings() -> None:
    assert words.clock_time(AT, ZoneInfo("Asia/Kolkata")) == "5 Jan 2026, 17:30:00 IST"
    assert words.clock_time(None, ZoneInfo("UTC")) == "–"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.6, "1 min"), (75, "1 min 15 s"), (3_700, "1 h 1 min"), (90_000, "1 d 1 h")]
)
def test_spans_have_two_units(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("n_bytes", "said"),
    [(0, "0 B"), (740, "740 B"), (9_400, "9 kB"), (4_450_000, "4.5 MB"), (523e9, "523 GB"), (1.25e12, "1.2 TB")],
)
def test_sizes_are_in_the_unit_a_person_would_say(n_bytes: float, said: str) -> None:
    assert words.size(n_bytes) == said


def test_counts_know_their_plural() -> None:
    assert [words.count(1, "job"), words.count(12_000, "job"), words.count(2, "try", "tries")] == [
        *("1 job", "12,000 jobs", "2 tries"),
    ]


def test_long_text_is_cut() -> None:
    assert words.short("a " * 100, 10) == "a a a a a…"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", "https://a/b)c", "https://a b"])
def test_only_addresses_of_the_web_become_links(url: str) -> None:
    assert not is_web(url)
    assert is_web("https://www.instagram.com/reel/C2xYz/?a=b&c=d")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("media.max_duration_s", "Media: most duration (s)"),
        ("media.min_fps", "Media: least frames a second"),
        ("text.title_chars", "Text: title (characters)"),
        ("quotas.uploads", "Quotas: uploads"),
    ],
)
def test_a_limit_is_named_as_a_person_says_it(name: str, said: str) -> None:
    assert words.limit(name) == said
