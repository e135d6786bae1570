"""captions.csv as people and spreadsheets write it: read row by row, a bad row never more than its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder_core.domain.sheets import Line, parse
from forwarder_core.errors import LocalFailed


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_spreadsheet_is_understood(separator: str, end: str) -> None:
    rows = [["File ", "Caption", "Date"], ["a.mp4", '"two\nlines"', "2026-11-20"], ["b.mp4", "plain", ""]]
    sheet = parse(end.join(separator.join(row) for row in rows))
    assert sheet.line("a.mp4") == Line("two\nlines", datetime(2026, 11, 20, tzinfo=UTC))
    assert sheet.line("b.mp4") == Line("plain") and sheet.line("c.mp4") == Line()
    assert sheet.problems == ()


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("a.mp4,one,20.11.2026", "its date"),
        ("a.mp4,one, two, three", "more values"),
        ("x/a.mp4,one,", "names no file"),
        (",one,", "names no file"),
    ],
)
def test_a_bad_row_says_what_is_wrong_with_it(row: str, wrong: str) -> None:
    sheet = parse(f"file,caption,date\n{row}\nb.mp4,two,\n")
    assert [wrong in problem and problem.startswith("line 2: ") for problem in sheet.problems] == [True]
    assert sheet.line("b.mp4").caption == "two" and sheet.line("a.mp4") == Line()


def test_a_file_with_two_rows_is_held_because_nobody_knows_which_counts() -> None:
    sheet = parse("file,caption\na.mp4,one\na.mp4,two\na.mp4,three\n")
    assert sheet.holds("a.mp4") and len(sheet.problems) == 2


def test_letters_written_as_two_characters_are_the_same_name() -> None:
    assert parse("file,caption\ncafe\u0301.mp4,one\n").line("caf\u00e9.mp4").caption == "one"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_is_read_or_refused_with_the_reason(text: str) -> None:
    try:
        assert not any("\x00" in line.caption for line in parse(f"file,caption,date\n{text}").lines.values())
    except LocalFailed as refused:
        assert "captions.csv" in refused.message
