"""Names in an archive: safe on every disk, one publication's own, and known again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.platforms.archive.names import ending, is_relative_name, months, relative_name, slug

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("title", "made"),
    [
        ("Sunset over the Harbour!", "sunset-over-the-harbour"),
        ("मानसून in the hills", "मानसून-in-the-hills"),
        ("../../etc/passwd\0", "etc-passwd"),
        ("\u202egpj.exe", "gpj-exe"),
        ("CON", "con"),
        ("snake_case & more", "snake-case-more"),
        ("🎬🎬", "untitled"),
        ("\ud800", "untitled"),
        ("", "untitled"),
    ],
)
def test_a_title_becomes_a_plain_name(title: str, made: str) -> None:
    assert slug(title) == made


@given(title=st.text(st.characters(), max_size=300), marker=st.text(st.characters(), max_size=60))
def test_any_title_and_marker_make_a_name_that_is_known_again(title: str, marker: str) -> None:
    name = relative_name(DAY, title, marker)
    year, month, file = name.split("/")
    assert (year, month) == ("2026", "11") and is_relative_name(name)
    assert file.endswith(ending(marker)) and file.isprintable()
    assert len(f".{file}.01234567.part".encode()) <= 255


def test_the_months_between_two_instants_cross_a_year() -> None:
    first, last = datetime(2026, 12, 31, 23, 50, tzinfo=UTC), datetime(2027, 1, 1, 0, 10, tzinfo=UTC)
    assert months(first, last) == ["2026/12", "2027/01"]
    assert months(first, first) == ["2026/12"]
